//! The connector `quickq`: QuickQ, a queue system with a WebSocket protocol
//! (`quickq-websocket.txt`).
//!
//! Guarantee: every list that was pushed or read and is the newest when it is looked at is compared
//! with what was published; what changed becomes one event. States between two lists that came faster
//! than they could be taken are not seen. What a lost connection hid comes out as events after it.
//!
//! Traps of this upstream:
//!
//! * A push looks like a reply, and builds differ in almost everything around the data; see [`frame`]
//!   and `session/`.
//! * The push of a queue does not say whose it is; see `feeds/queue.rs`.
//! * A reply with a user has the hash of the password, which is as good as the password, and `info` the
//!   number of the licence: [`frame`] blanks both before anything else sees them.
//! * Sessions outlive sockets and count against the licence: the token is used again, and given back
//!   at the end.
//! * The overall state of a visitor says `SERVED` also where everything was rejected.
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![allow(rustdoc::private_intra_doc_links)]

mod blank;
mod books;
mod commands;
mod config;
pub mod contracts;
mod entity;
mod feeds;
pub mod frame;
mod options;
mod repair;
mod session;
mod texts;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use talon_http::Lane;
use talon_sdk::config::{Key, Settings};
use talon_sdk::{
    Applier, Class, CommandSpec, Commands as CommandsOfClass, Connector, Context, Cursor, Fault,
    Feed, FeedPlan, FeedSpec,
};

use crate::books::BOOKS;
use crate::config::Config;
use crate::feeds::book::{Book, List};
use crate::feeds::operation_state::OperationState;
use crate::feeds::queue::{Queue, Workplace};
use crate::feeds::server_info::ServerInfo;
use crate::feeds::unended::Unended;
use crate::session::{Account, Hub, Line};

/// The class `quickq`.
pub struct QuickQ;

impl Class for QuickQ {
    fn name(&self) -> &'static str {
        "quickq"
    }

    fn doc(&self) -> &'static str {
        "QuickQ: reference books, queues and service statistics of a queue hall (WebSocket pushes of whole lists)."
    }

    fn feeds(&self) -> Vec<FeedSpec> {
        feeds::all()
    }

    fn commands(&self) -> Option<CommandsOfClass> {
        let contract = || &*crate::contracts::COMMANDS;
        Some(CommandsOfClass { specs: commands::ACTIONS.specs(), contract })
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
        if config.socket.url.starts_with("ws://") && !is_loopback(&config.socket.url) {
            tracing::warn!(
                connector = context.name,
                "`upstream.url` is ws: the password's hash, which is as good as the password, crosses the network in the clear; use wss"
            );
        }
        Some(Arc::new(Instance::new(config, context)))
    }
}

/// Whether what is sent there does not leave the machine.
fn is_loopback(url: &str) -> bool {
    let host = url.trim_start_matches("ws://");
    ["127.", "[::1]", "localhost"].iter().any(|local| host.starts_with(local))
}

struct Instance {
    config: Config,
    context: Context,
    hub: Arc<Hub>,
    /// The socket of everything but the queues.
    main: Arc<Line>,
    /// The sockets of the queues, in the order of the workplaces.
    queues: Vec<Arc<Line>>,
    /// The socket of the commands: one that was not answered costs no feed its socket.
    commands: Arc<Line>,
    /// What `operation_state` has yet to tell; outlives the feed, which a fault drops.
    unended: Arc<Unended>,
}

impl Instance {
    fn new(config: Config, context: Context) -> Instance {
        let hub = hub(&config, &context);
        let line = || Arc::new(Line::new(hub.clone(), Lane::Feed));
        Instance {
            main: line(),
            commands: Arc::new(Line::new(hub.clone(), Lane::Command)),
            queues: config.workplaces.iter().map(|_| line()).collect(),
            hub: hub.clone(),
            unended: Arc::default(),
            config,
            context,
        }
    }

    fn workplace(&self, workplace: i64, line: &Arc<Line>) -> Workplace {
        let list = List {
            read: "currentQueue".to_owned(),
            subscribe: "subscribeCurrentQueue".to_owned(),
            data: json!({ "detailed": self.config.detailed, "workplace": workplace }),
            scope: workplace.to_string(),
            refresh: self.config.refresh,
            clock: self.context.clock.clone(),
        };
        Workplace { line: line.clone(), list, followed: None }
    }
}

fn hub(config: &Config, context: &Context) -> Arc<Hub> {
    let account = Account::new(config.login.clone());
    Arc::new(Hub::new(config.socket.clone(), context.clone(), account))
}

#[async_trait]
impl Connector for Instance {
    fn feeds(&self) -> Vec<FeedPlan> {
        let configured = self.config.feeds.iter();
        configured
            .map(|spec| {
                let interval = match &*spec.name {
                    "operation_state" => self.config.statistics.interval,
                    "server_info" => self.config.info_interval,
                    // These wait for a push themselves.
                    _ => Duration::ZERO,
                };
                let codec = feeds::codec::codec(&spec.name, &self.config.privacy);
                FeedPlan { spec: spec.clone(), interval, codec }
            })
            .collect()
    }

    fn open(&self, feed: &str) -> Result<Box<dyn Feed>, Fault> {
        let (line, clock) = (self.main.clone(), self.context.clock.clone());
        let book = BOOKS.iter().position(|book| book.feed == feed);
        if let Some(commands) = book.and_then(|at| self.config.commands.get(at)) {
            return Ok(Box::new(Book::new(line, commands.clone(), self.config.refresh, clock)));
        }
        Ok(match feed {
            "queue" => {
                let places = self.config.workplaces.iter().zip(&self.queues);
                let places = places.map(|(workplace, line)| self.workplace(*workplace, line));
                Box::new(Queue::new(places.collect()))
            }
            "operation_state" => {
                let (window, unended) = (self.config.statistics, self.unended.clone());
                Box::new(OperationState::new(line, window, clock, unended))
            }
            "server_info" => Box::new(ServerInfo::new(line, clock)),
            other => return Err(Fault::Internal { reason: format!("no feed `{other}`") }),
        })
    }

    fn commands(&self) -> Vec<&'static CommandSpec> {
        self.config.enabled.clone()
    }

    fn applier(&self) -> Result<Arc<dyn Applier>, Fault> {
        let books = self.config.commands.clone();
        let sender = commands::Sender::new(self.commands.clone(), books);
        Ok(commands::ACTIONS.applier(Arc::new(sender)))
    }

    fn request_timeout(&self) -> Duration {
        self.config.socket.request_timeout
    }

    fn offset_problem(&self, feed: &str, Cursor(offset): &Cursor) -> Option<String> {
        let is_sound = feed != "operation_state" || feeds::operation_state::is_position(offset);
        (!is_sound).then(|| "expected it as `talon offsets list` prints it".to_owned())
    }

    async fn probe(&self) -> Result<String, Fault> {
        // A session of its own, which does not disturb the feeds'.
        let line = Line::new(hub(&self.config, &self.context), Lane::Command);
        let asked = async { line.live().await?.read("info", &json!({})).await }.await;
        line.log_out().await;
        let frame = asked?;
        let data = frame.data();
        let info: entity::ServerInfo<'_> = serde_json::from_slice(&data)
            .map_err(|_| Fault::unavailable("`info` was answered strangely"))?;
        let version = |text: Option<talon_sdk::record::Text<'_>>| {
            text.map_or("unknown".to_owned(), |text| text.0.into_owned())
        };
        Ok(format!(
            "answers, and takes the credentials (core {}, wssserver {}, database {}; {} sessions)",
            version(info.core),
            version(info.wssserver),
            version(info.database),
            info.sessions.map_or(0, |sessions| sessions.0)
        ))
    }

    async fn close(&self) {
        for line in self.queues.iter().chain([&self.commands, &self.main]) {
            line.settle().await;
        }
        for line in self.queues.iter().chain([&self.commands]) {
            line.close().await;
        }
        if self.hub.account.grant().is_some() {
            self.main.log_out().await;
        }
        self.main.close().await;
    }
}
