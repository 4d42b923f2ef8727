//! The connector `enter-export`: tickets of all branches of a central server of СУО Enter, from
//! version 2.4.0.0 (`enter-central-export.txt`).
//!
//! Guarantee: every state of a ticket that a read saw becomes one event, and every operation on it one
//! fact, however long after the ticket's creation. States between two reads are seen as operations.
//!
//! Traps of this upstream:
//!
//! * A read gives a whole day of a branch. There is no change signal, no page, no modification mark.
//! * A ticket is found under the day of its creation for ever, and a booked one changes months later:
//!   days that hold open tickets are read again and again (`late`).
//! * No stamp has a zone; a day begins and ends by the branch's clock (`zone`).
//! * An old server has no method with the history: it is asked for the other one (`client`).
//! * Days can be large: bodies are cut into rows while they arrive (`slice`), and an observation holds
//!   at most a megabyte of them.
//! * `IsPending` is documented in two contradictory ways; in the samples `true` is a booking.

mod catalogue;
mod client;
mod config;
pub mod contracts;
mod day;
mod entity;
mod feeds;
mod late;
mod plan;
mod reading;
mod row;
pub(crate) mod slice;
mod zone;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use talon_sdk::config::{Key, Settings};
use talon_sdk::feeds::ListFeed;
use talon_sdk::{Class, Connector, Context, Cursor, Fault, Feed, FeedPlan, FeedSpec};

pub(crate) use self::entity::{Branch, ProductState, TicketState};

use self::catalogue::Catalogue;
use self::client::Upstream;
use self::config::Config;
use self::feeds::ticket::Tickets;
use self::late::Late;

/// The class `enter-export`.
pub struct EnterExport;

impl Class for EnterExport {
    fn name(&self) -> &'static str {
        "enter-export"
    }

    fn doc(&self) -> &'static str {
        "СУО Enter, ticket export of the central server: branches, ticket sources, tickets and their operations, with backfill (REST, whole branch-days)."
    }

    fn feeds(&self) -> Vec<FeedSpec> {
        feeds::all()
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
        let late = Arc::new(Late::new(context.clock.clone(), config.plan.late_max_age));
        Some(Arc::new(Instance { config, context, late, catalogue: OnceLock::new() }))
    }
}

struct Instance {
    config: Config,
    context: Context,
    /// What recovery and publication tell of open tickets; outlives the feed, which reads it.
    late: Arc<Late>,
    catalogue: OnceLock<Arc<Catalogue>>,
}

impl Instance {
    /// One client and one list of branches for all feeds. Made on first use, because it reads
    /// certificate files.
    fn catalogue(&self) -> Result<Arc<Catalogue>, Fault> {
        if let Some(catalogue) = self.catalogue.get() {
            return Ok(catalogue.clone());
        }
        let http = talon_http::Client::new(self.config.http.clone(), &self.context)?;
        let Config { token, privacy, plan, .. } = &self.config;
        let upstream = Upstream::new(http, token.clone(), privacy.data_fields, plan.late_interval);
        let made = Arc::new(Catalogue::new(upstream, self.config.catalogue_interval));
        Ok(self.catalogue.get_or_init(|| made).clone())
    }
}

#[async_trait]
impl Connector for Instance {
    fn feeds(&self) -> Vec<FeedPlan> {
        let configured = self.config.feeds.iter().map(|spec| {
            let interval = match &*spec.name {
                "branch" | "ticket_source" => self.config.catalogue_interval,
                _ => self.config.plan.poll_interval,
            };
            let codec = feeds::codec(&spec.name, &self.late, &self.config);
            FeedPlan { spec: spec.clone(), interval, codec }
        });
        configured.collect()
    }

    fn open(&self, feed: &str) -> Result<Box<dyn Feed>, Fault> {
        let (catalogue, clock) = (self.catalogue()?, self.context.clock.clone());
        Ok(match feed {
            "branch" => Box::new(ListFeed::new(clock, move || {
                let catalogue = catalogue.clone();
                async move { Ok(catalogue.read_branches().await?.rows) }
            })),
            "ticket_source" => Box::new(ListFeed::new(clock, move || {
                let catalogue = catalogue.clone();
                async move { Ok(catalogue.upstream.sources().await?.rows()?) }
            })),
            "ticket" => {
                Box::new(Tickets::new(&self.config, catalogue, self.late.clone(), &self.context))
            }
            other => return Err(Fault::Internal { reason: format!("no feed `{other}` to read") }),
        })
    }

    fn offset_problem(&self, feed: &str, Cursor(offset): &Cursor) -> Option<String> {
        let is_sound = feed != "ticket" || plan::cursor::is_position(offset);
        (!is_sound).then(|| "expected it as `talon offsets list` prints it".to_owned())
    }

    fn request_timeout(&self) -> Duration {
        self.config.http.request_timeout
    }

    async fn probe(&self) -> Result<String, Fault> {
        let branches = self.catalogue()?.read_branches().await?.heads.branches;
        let connected = branches.iter().filter(|branch| branch.is_connected).count();
        let wrong = branches.iter().filter(|branch| branch.has_wrong_protocol).count();
        Ok(format!(
            "answers: {} branches, {connected} connected, {wrong} of a wrong protocol",
            branches.len()
        ))
    }
}
