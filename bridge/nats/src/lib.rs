//! NATS JetStream as the bus.
//!
//! A connector has a stream for its feeds, one subject for each entity, and a stream for its dead
//! letters; the checkpoints of all connectors are in one key-value bucket. [`names`] says what is called
//! how, [`layout`] with which settings it is created, [`demands`] which settings of an existing stream
//! are refused, [`log`](mod@log) how it can fail and what holds then.
//!
//! [`fault`](mod@fault) is the one place that says what an error of the client or the server means.
#![forbid(unsafe_code)]
#![allow(rustdoc::private_intra_doc_links)]

mod book;
mod config;
mod connection;
mod demands;
mod fault;
mod group;
mod lane;
mod layout;
mod lease;
mod log;
mod names;
mod pipeline;
mod record;
mod recover;
mod streams;
mod subjects;
mod sweep;
mod tail;
mod window;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use talon_runtime::bus::{
    Bus, BusFault, Grant, LaneSpec, Membership, OpenLane, ShardLog, ShardSpec, Start, Stop, Tailed,
};
use talon_sdk::config::Settings;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::config::Access;
use crate::connection::Connection;
use crate::demands::Role;
use crate::group::Member;
use crate::layout::Layout;
use crate::log::NatsLog;
use crate::streams::Seen;

pub use config::{SECTION, keys, problems};
pub use names::{bucket_key, checkpoint_key, key, token};

/// How long the server may be silent before it counts as away.
const PATIENCE: Duration = Duration::from_secs(10);

/// Servers with JetStream, and how to reach them.
pub struct Nats {
    shared: Arc<Shared>,
    seen: Seen,
}

/// What the group's task needs too.
struct Shared {
    access: Access,
    prefix: String,
    connection: Mutex<Option<Connection>>,
    /// Replicas of what all connectors share.
    replication: AtomicU16,
}

impl Shared {
    /// The connection, made at the first use and kept.
    async fn connection(&self, grant: &Grant) -> Result<Connection, BusFault> {
        let mut kept = self.connection.lock().await;
        let connection = match &*kept {
            Some(connection) => connection.clone(),
            None => kept.insert(Connection::open(&self.access).await?).clone(),
        };
        drop(kept);
        connection.up(self.access.connect_timeout, grant).await?;
        Ok(connection)
    }
}

impl Nats {
    /// Reads the settings, which [`keys`] declares, and notes what is wrong with them; `None` if
    /// something is. Does no I/O.
    pub fn new(settings: &mut Settings<'_>, prefix: &str) -> Option<Nats> {
        let shared = Shared {
            access: Access::read(settings)?,
            prefix: prefix.to_owned(),
            connection: Mutex::new(None),
            replication: AtomicU16::new(0),
        };
        Some(Nats { shared: Arc::new(shared), seen: Seen::default() })
    }

    async fn open_log(&self, shard: &ShardSpec, grant: &Grant) -> Result<NatsLog, BusFault> {
        let Shared { access, prefix, .. } = &*self.shared;
        let connection = self.shared.connection(grant).await?;
        let ttl = connection.client.is_server_compatible(2, 11, 0);
        let layout = Layout::new(prefix, shard, access, ttl);
        let wanted = [(Role::Feeds, &layout.feeds), (Role::DeadLetters, &layout.dead_letters)];
        let found = streams::ensure(&connection, &layout.checkpoints, &wanted, &self.seen).await?;
        connection.watch.well();
        let in_flight = access.max_in_flight;
        let feeds = &found[0];
        NatsLog::open(connection, layout, feeds, shard, in_flight, grant.clone()).await
    }
}

impl Bus for Nats {
    fn describe(&self) -> String {
        let servers: Vec<String> = self
            .shared
            .access
            .servers
            .iter()
            .map(|server| format!("{}:{}", server.host(), server.port()))
            .collect();
        format!("NATS at {}", servers.join(","))
    }

    fn probe(&self) -> Result<String, BusFault> {
        Handle::current().block_on(async {
            let connection = self.shared.connection(&Grant::unlimited("")).await?;
            let what = "JetStream";
            let account: Option<serde_json::Value> =
                streams::ask(&connection, "INFO".to_owned(), &(), what).await?;
            let streams = account.and_then(|account| account["streams"].as_u64()).unwrap_or(0);
            let server = connection.client.server_info();
            let ttl = connection.client.is_server_compatible(2, 11, 0);
            let markers = if ttl { "markers expire" } else { "no markers, they need 2.11" };
            Ok(format!("nats-server {}, {streams} streams, {markers}", server.version))
        })
    }

    fn join(&self, membership: Membership) -> JoinHandle<()> {
        let shared = self.shared.clone();
        shared.replication.store(membership.replication, Ordering::Relaxed);
        tokio::spawn(async move {
            while !membership.stop.is_set() {
                match shared.connection(&Grant::unlimited("")).await {
                    Ok(connection) => {
                        return Member::new(connection, &shared, membership).run().await;
                    }
                    Err(fault) => (membership.report)(Some(&fault)),
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        })
    }

    fn tail(
        &self,
        topics: &[String],
        from: Start,
        stop: &Stop,
        each: &mut dyn FnMut(Tailed<'_>),
    ) -> Result<(), BusFault> {
        Handle::current().block_on(async {
            let connection = self.shared.connection(&Grant::unlimited("")).await?;
            tail::tail(&connection, &self.shared.prefix, topics, from, stop, each).await
        })
    }

    /// Makes sure of the streams. Earlier owners are kept out by the sequences that every record
    /// expects, not by this.
    fn open(&self, shard: &ShardSpec, grant: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        let log = Handle::current().block_on(self.open_log(shard, grant))?;
        Ok(Box::new(log))
    }

    fn open_lane(&self, lane: &LaneSpec, grant: &Grant) -> Result<OpenLane, BusFault> {
        let opened = lane::open(&self.shared, &self.seen, lane, grant);
        let (reader, log) = Handle::current().block_on(opened)?;
        Ok((Box::new(reader), Box::new(log)))
    }

    fn send(&self, lane: &LaneSpec, key: &str, value: &[u8]) -> Result<(), BusFault> {
        Handle::current().block_on(async {
            let connection = self.shared.connection(&Grant::unlimited("")).await?;
            lane::send(&connection, lane, key, value).await
        })
    }
}
