//! The connector `enter-rest`: the hall of a branch of СУО Enter as it is now, and what its central server
//! says of the whole network (`enter-rest.txt`).
//!
//! Guarantee: every state of a ticket, a queue, a board that a read saw becomes one event. States between
//! two reads are not seen.
//!
//! Guarantee of commands: each is sent once, and after a lost reply its effect is looked for before it is sent
//! again; see [`commands`]. What acts on the visitor at a workplace says whom it expects there.
//!
//! Traps of this upstream:
//!
//! * The document is a bare table: paths and purposes, hardly a body. What public pages tell of bodies is
//!   declared ([`entity`]), all else of a row travels in `extra`, and doubtful spellings are settings.
//! * A branch and the central server share paths, with other shapes: `server.kind`.
//! * Tokens come as JSON strings in quotes, and credentials stand in the path ([`access`]).
//! * `PinCode` is a secret in the middle of data ([`discreet`]).
//! * The list of tickets begins anew at midnight; that deletes none (`feeds/today.rs`). Days and times of a
//!   schedule pass; neither is that a delete (`feeds/dated.rs`).
//! * One token, one workplace: who signs in takes it over.

mod access;
mod client;
mod commands;
mod config;
pub mod contracts;
mod discreet;
mod entity;
mod feeds;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use talon_http::order::Order;
use talon_sdk::config::{Key, Settings};
use talon_sdk::{
    Applier, Class, CommandSpec, Commands, Connector, Context, Cursor, Fault, Feed, FeedPlan,
    FeedSpec,
};

use self::access::{Account, Session};
use self::client::{As, Shared, Upstream};
use self::commands::{Forms, Sender};
use self::config::Config;
use self::feeds::day::BranchClock;
use self::feeds::{Known, Opening};

/// The class `enter-rest`.
pub struct EnterRest;

impl Class for EnterRest {
    fn name(&self) -> &'static str {
        "enter-rest"
    }

    fn doc(&self) -> &'static str {
        "СУО Enter, REST services of a branch or of the central server: boards, tickets of today, bookings, schedules, workplaces, surveys, statistics, menus (REST)."
    }

    fn feeds(&self) -> Vec<FeedSpec> {
        feeds::all()
    }

    fn commands(&self) -> Option<Commands> {
        Some(Commands { specs: commands::ACTIONS.specs(), contract: || &contracts::COMMANDS })
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
        let known = |(spec, _): &(Arc<FeedSpec>, _)| (spec.name.to_string(), Arc::default());
        let known = config.feeds.iter().map(known).collect();
        let (upstream, sender) = (OnceLock::new(), OnceLock::new());
        Some(Arc::new(Instance { config, context, known, upstream, sender }))
    }
}

struct Instance {
    config: Config,
    context: Context,
    /// What recovery and publication tell, by feed; outlives the feeds, which read it.
    known: BTreeMap<String, Arc<Known>>,
    upstream: OnceLock<Shared>,
    sender: OnceLock<Arc<Sender>>,
}

impl Instance {
    /// One client and one session an account for all feeds. Made on first use, because it reads certificate
    /// files.
    fn upstream(&self) -> Result<Shared, Fault> {
        if let Some(upstream) = self.upstream.get() {
            return Ok(upstream.clone());
        }
        let http = talon_http::Client::new(self.config.http.clone(), &self.context)?;
        let Config { hall, visitor, operators, token, pin_code, .. } = &self.config;
        let session =
            |account: &Account| Session::new(http.clone(), account.clone(), token.clone());
        let made = Upstream {
            hall: hall.as_ref().map(session),
            visitor: visitor.as_ref().map(session),
            operators: operators
                .iter()
                .map(|(id, account)| (id.clone(), session(account)))
                .collect(),
            pin_code: *pin_code,
            http: http.clone(),
        };
        Ok(self.upstream.get_or_init(|| Arc::new(made)).clone())
    }

    fn known(&self, feed: &str) -> Arc<Known> {
        self.known.get(feed).cloned().unwrap_or_default()
    }

    fn clock(&self) -> BranchClock {
        BranchClock {
            clock: self.context.clock.clone(),
            zone: self.config.zone.clone(),
            margin: self.config.margin,
        }
    }

    /// What sends the commands, in the sessions that the feeds have too.
    fn sender(&self, upstream: Shared) -> Sender {
        let Config { commands, hall, visitor, operators, token, .. } = &self.config;
        let accounts = hall.iter().chain(visitor).chain(operators.values());
        let secrets = accounts.flat_map(|account| &account.secrets);
        let secrets = secrets.chain(commands.users.values().flatten());
        Sender {
            upstream,
            clock: self.clock(),
            forms: Forms {
                date: self.config.date_form,
                time: commands.time_form,
                interval: self.config.interval_form,
                product: self.config.product_parameter,
                redirect_by: commands.redirect_by,
                fields: commands.fields.clone(),
                source: commands.source.clone(),
            },
            unguarded: commands.unguarded,
            image_max_bytes: commands.image_max_bytes,
            users: commands.users.clone(),
            token: token.clone(),
            hidden: secrets.cloned().collect(),
        }
    }
}

#[async_trait]
impl Connector for Instance {
    fn feeds(&self) -> Vec<FeedPlan> {
        let configured = self.config.feeds.iter().map(|(spec, interval)| {
            let codec = feeds::codec(&spec.name, &self.config, &self.known(&spec.name));
            FeedPlan { spec: spec.clone(), interval: *interval, codec }
        });
        configured.collect()
    }

    fn open(&self, feed: &str) -> Result<Box<dyn Feed>, Fault> {
        let opening = Opening {
            config: &self.config,
            upstream: self.upstream()?,
            clock: self.clock(),
            known: self.known(feed),
            progress: self.context.progress(),
        };
        feeds::open(feed, opening)
    }

    fn commands(&self) -> Vec<&'static CommandSpec> {
        self.config.commands.enabled.clone()
    }

    fn applier(&self) -> Result<Arc<dyn Applier>, Fault> {
        let upstream = self.upstream()?;
        let sender = self.sender.get_or_init(|| Arc::new(self.sender(upstream)));
        Ok(commands::ACTIONS.applier(sender.clone()))
    }

    fn offset_problem(&self, feed: &str, offset: &Cursor) -> Option<String> {
        let is_sound = match feed {
            "ticket_history" => feeds::history::is_cursor(offset),
            "service_indicator" => feeds::indicators::is_cursor(offset),
            _ => true,
        };
        (!is_sound).then(|| "expected it as `talon offsets list` prints it".to_owned())
    }

    /// The token of each workplace: whoever signs in takes it over.
    fn holds(&self) -> Vec<(&'static str, String)> {
        let url = self.config.http.url.trim_end_matches('/').to_lowercase();
        let places = self.config.operators.keys().filter(|_| !url.is_empty());
        places.map(|place| ("workplaces", format!("{url} {place}"))).collect()
    }

    fn request_timeout(&self) -> std::time::Duration {
        self.config.http.request_timeout
    }

    async fn probe(&self) -> Result<String, Fault> {
        let upstream = self.upstream()?;
        let order = Order::plain("GET /queue/statistics");
        let summaries = upstream.list_or_one(As::Hall, &order, "queue").await?.len();
        let mut said = format!("answers ({summaries} queues)");
        if let Some((spec, _)) = self.config.feeds.iter().find(|(spec, _)| *spec.name == *"ticket")
        {
            let order = Order::plain("GET /queue/admin/tickets");
            let tickets = upstream.read(As::Hall, &order).await?.rows()?.len();
            said = format!("{said}, and takes the administrator ({tickets} of `{}`)", spec.name);
        }
        Ok(said)
    }

    async fn close(&self) {
        if let Some(upstream) = self.upstream.get() {
            upstream.leave().await;
        }
    }
}

#[cfg(test)]
mod tests;
