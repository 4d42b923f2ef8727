//! The connector `contractor`: ContractorPersonalArea, a gateway between a dispatcher system and
//! contractors with field employees (`contractor-personal-area.txt`, version v1).
//!
//! Guarantee of feeds: every state of a call, message, jeopardy, task or cost estimate that a read saw becomes
//! one event. States between two reads are not seen.
//!
//! Guarantee of commands: each is sent once, and after a lost reply its effect is looked for before it
//! is sent again; see [`commands`].
//!
//! Traps of this upstream:
//!
//! * The authentication of the external system is undefined: header, prefix and token are settings.
//! * Modification marks are opaque, rows unordered, the bound unstated; see
//!   [`feeds::modifications`](crate::feeds).
//! * Estimates have no list and no modification feed; see `feeds/call_cost.rs`.
//! * Nothing is ever reported as deleted. Tasks that vanish from the whole list are taken as deleted;
//!   calls, messages, jeopardies and estimates are not deleted.
//! * Errors mostly come without a body, and their codes are scoped by endpoint; see
//!   `commands/errors.rs`.
//! * What a user did can only be read back by the external system.
//! * A salt must never be used twice, and access tokens are renewed with the service token.
//! * `POST /call/{id}/message` answers with hashes of passwords: only ids are taken from replies.
//! * `commited` is misspelled, `expiresIn` is milliseconds, instants may come without an offset.
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![allow(rustdoc::private_intra_doc_links)]

mod client;
mod commands;
mod config;
pub mod contracts;
mod entity;
mod feeds;
mod session;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use talon_sdk::config::{Key, Settings};
use talon_sdk::feeds::{ListFeed, MarkedFeed};
use talon_sdk::{
    Applier, Class, CommandSpec, Commands, Connector, Context, Cursor, Fault, Feed, FeedPlan,
    FeedSpec, RowCodec,
};

use crate::client::{Modified, Upstream};
use crate::commands::Sender;
use crate::config::Config;
use crate::feeds::call_cost::CallCost;
use crate::feeds::modifications::Modifications;

/// The class `contractor`.
pub struct Contractor;

impl Class for Contractor {
    fn name(&self) -> &'static str {
        "contractor"
    }

    fn doc(&self) -> &'static str {
        "ContractorPersonalArea: calls, messages, jeopardies, tasks and cost estimates of field contractors (REST with modification feeds)."
    }

    fn feeds(&self) -> Vec<FeedSpec> {
        feeds::all()
    }

    fn commands(&self) -> Option<Commands> {
        Some(Commands {
            specs: commands::ACTIONS.specs(),
            contract: || &crate::contracts::COMMANDS,
        })
    }

    fn keys(&self) -> Vec<Key> {
        config::keys()
    }

    fn configure(
        &self,
        settings: &mut Settings<'_>,
        context: Context,
    ) -> Option<Arc<dyn Connector>> {
        let config = config::read(settings);
        if !settings.problems().is_empty() {
            return None;
        }
        for warning in config.http.warnings() {
            tracing::warn!(connector = context.name, "{warning}");
        }
        Some(Arc::new(Instance {
            config,
            context,
            upstream: OnceLock::new(),
            sender: OnceLock::new(),
        }))
    }
}

/// How the rows of a feed read when nothing is masked and instants without offset are UTC. For
/// benchmarks.
///
/// # Panics
/// Where there is no such feed.
pub fn plain_codec(feed: &str) -> Arc<dyn RowCodec> {
    let all = feeds::all();
    assert!(all.iter().any(|spec| *spec.name == *feed), "no feed `{feed}`");
    let privacy = talon_sdk::privacy::Privacy::keep_all(&FeedSpec::contracts(&all));
    feeds::codec(feed, &jiff::tz::TimeZone::UTC, &privacy)
}

struct Instance {
    config: Config,
    context: Context,
    upstream: OnceLock<Upstream>,
    /// Kept, so that users stay signed in when commands are taken over again.
    sender: OnceLock<Arc<Sender>>,
}

impl Instance {
    /// One client for all feeds, so that they share its budget. Made on first use, because it reads
    /// certificate files.
    fn upstream(&self) -> Result<Upstream, Fault> {
        if let Some(upstream) = self.upstream.get() {
            return Ok(upstream.clone());
        }
        let http = talon_http::Client::new(self.config.http.clone(), &self.context)?;
        let Config { external, overlap, audit_ms, .. } = &self.config;
        let made = Upstream::new(http, external.clone(), *overlap, *audit_ms);
        Ok(self.upstream.get_or_init(|| made).clone())
    }
}

#[async_trait]
impl Connector for Instance {
    fn feeds(&self) -> Vec<FeedPlan> {
        let configured = self.config.feeds.iter().map(|(spec, interval)| {
            let codec = feeds::codec(&spec.name, &self.config.zone, &self.config.privacy);
            FeedPlan { spec: spec.clone(), interval: *interval, codec }
        });
        configured.collect()
    }

    fn open(&self, feed: &str) -> Result<Box<dyn Feed>, Fault> {
        let upstream = self.upstream()?;
        let clock = self.context.clock.clone();
        let modified = |of| {
            let (marks, upstream) = (upstream.marks(of).clone(), upstream.clone());
            MarkedFeed::new(clock.clone(), marks, Modifications { upstream, of })
        };
        Ok(match feed {
            "call" => Box::new(modified(Modified::Calls)),
            "call_message" => Box::new(modified(Modified::Messages)),
            "call_jeopardy" => Box::new(modified(Modified::Jeopardies)),
            "call_task" => Box::new(ListFeed::new(clock, move || {
                let upstream = upstream.clone();
                async move { upstream.tasks().await }
            })),
            "call_cost" => {
                let interval = self.config.feeds.iter().find(|(spec, _)| *spec.name == *feed);
                let patience = interval.map(|(_, interval)| *interval).unwrap_or_default();
                Box::new(CallCost::new(upstream, clock, patience, self.config.cost_cycle))
            }
            other => return Err(Fault::Internal { reason: format!("no feed `{other}`") }),
        })
    }

    fn commands(&self) -> Vec<&'static CommandSpec> {
        self.config.enabled.clone()
    }

    fn applier(&self) -> Result<Arc<dyn Applier>, Fault> {
        let upstream = self.upstream()?;
        let Config { commands, http, zone, .. } = &self.config;
        let made = || {
            let sender = Sender::new(upstream, commands, http, zone.clone(), &self.context);
            Arc::new(sender)
        };
        Ok(commands::ACTIONS.applier(self.sender.get_or_init(made).clone()))
    }

    fn offset_problem(&self, feed: &str, Cursor(offset): &Cursor) -> Option<String> {
        let is_sound = match feed {
            "call" | "call_message" | "call_jeopardy" => offset.parse::<i64>().is_ok(),
            "call_cost" => feeds::call_cost::is_position(offset),
            _ => return None,
        };
        (!is_sound).then(|| "expected it as `talon offsets list` prints it".to_owned())
    }

    fn request_timeout(&self) -> Duration {
        self.config.http.request_timeout
    }

    async fn probe(&self) -> Result<String, Fault> {
        // The highest mark there can be: the cheapest question that needs the credentials.
        let rows = self.upstream()?.modifications(Modified::Calls, i64::MAX).await?.rows;
        Ok(format!(
            "answers, and takes the credentials ({} calls beyond the last mark)",
            rows.len()
        ))
    }
}
