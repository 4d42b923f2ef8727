//! NATS JetStream as the bus.
//!
//! A connector has a stream for its feeds, one subject for each entity, and a stream for its dead
//! letters; the checkpoints of all connectors are in one key-value bucket. [`names`] says what is called
//! how, [`layout`] with which settings it is created, [`policy`] which settings of an existing stream
//! are refused, [`writer`] how records get there, and [`log`](mod@log) how that can fail and what holds
//! then. [`group`] says which process runs which connector.
//!
//! [`fault`](mod@fault) is the one place that says what an error of the client or the server means.
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![allow(rustdoc::private_intra_doc_links)]

mod config;
mod connection;
mod dead_letters;
mod fault;
mod group;
mod inspection;
mod lane;
mod layout;
mod log;
mod login;
mod look;
mod names;
mod policy;
mod read;
mod relay;
mod session;
mod status;
mod store;
mod streams;
mod tail;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use talon_runtime::bus::{
    Bus, BusFault, ConnectorTopics, DeadLetter, DeadLetterEnds, Grant, LaneSpec, Look, Looked,
    Membership, OpenLane, Place, Recovered, ShardLog, ShardSpec, Start, Stop, Store, Tailed,
    TopicSpec,
};
use talon_sdk::config::Settings;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::config::Access;
use crate::group::Member;
use crate::layout::Layout;
use crate::log::NatsLog;
use crate::policy::Role;
use crate::session::Session;
use crate::store::NatsStore;
use crate::streams::KnownStreams;

pub use config::{SECTION, keys, problems};
pub use names::{Collision, bucket_key, checkpoint_key, collisions, key, token};

/// Pause before the next attempt to join the group.
const RETRY: Duration = Duration::from_secs(1);

/// How often followers of a store read everything anew.
const READ_EVERY: Duration = Duration::from_secs(300);

/// Servers with JetStream, and how to reach them.
pub struct Nats {
    session: Arc<Session>,
    known: KnownStreams,
    read_every: Duration,
}

impl Nats {
    /// Reads the settings, which [`keys`] declares, and notes what is wrong with them; `None` if
    /// something is. Does no I/O.
    pub fn new(settings: &mut Settings<'_>, prefix: &str) -> Option<Nats> {
        let session = Session::new(Access::read(settings)?, prefix);
        let (session, known) = (Arc::new(session), KnownStreams::default());
        Some(Nats { session, known, read_every: READ_EVERY })
    }

    /// Reads stores anew so often, instead of every five minutes. For tests.
    pub fn reading_every(self, read_every: Duration) -> Nats {
        Nats { read_every, ..self }
    }

    async fn open_log(&self, shard: &ShardSpec, grant: &Grant) -> Result<NatsLog, BusFault> {
        let Session { access, prefix, .. } = &*self.session;
        let connection = self.session.connection(grant).await?;
        let ttl = connection.client.is_server_compatible(2, 11, 0);
        let layout = Layout::new(prefix, shard, access, ttl);
        let wanted = [(Role::Feeds, &layout.feeds), (Role::DeadLetters, &layout.dead_letters)];
        let found = streams::ensure(&connection, &layout.checkpoints, &wanted, &self.known).await?;
        connection.status.over();
        let in_flight = access.max_in_flight;
        let connections = (connection, self.session.aside().await?);
        NatsLog::open(connections, layout, &found, shard, in_flight, grant.clone()).await
    }
}

impl Bus for Nats {
    fn describe(&self) -> String {
        let servers: Vec<String> = self
            .session
            .access
            .servers
            .iter()
            .map(|server| format!("{}:{}", server.host(), server.port()))
            .collect();
        format!("NATS at {}", servers.join(","))
    }

    fn probe(&self) -> Result<String, BusFault> {
        Handle::current().block_on(async {
            let connection = self.session.connection(&Grant::unlimited("")).await?;
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
        let session = self.session.clone();
        session.set_replication(membership.replication);
        tokio::spawn(async move {
            while !membership.stop.is_set() {
                match session.aside().await {
                    Ok(connection) => {
                        return Member::new(connection, &session, membership).run().await;
                    }
                    Err(fault) => (membership.report)(Some(&fault)),
                }
                tokio::time::sleep(RETRY).await;
            }
        })
    }

    fn owner(&self, shard: &str) -> Result<Option<String>, BusFault> {
        Handle::current().block_on(group::owner(&self.session, shard))
    }

    fn tail(
        &self,
        topics: &[String],
        from: Start,
        stop: &Stop,
        each: &mut dyn FnMut(Tailed<'_>),
    ) -> Result<(), BusFault> {
        Handle::current().block_on(async {
            let connection = self.session.connection(&Grant::unlimited("")).await?;
            tail::tail(&connection, &self.session.prefix, topics, from, stop, each).await
        })
    }

    fn look(&self, look: &Look) -> Result<Looked, BusFault> {
        Handle::current().block_on(async {
            let connection = self.session.connection(&Grant::unlimited("")).await?;
            look::look(&connection, &self.session.prefix, look).await
        })
    }

    fn dead_letters(
        &self,
        shard: &ShardSpec,
        each: &mut dyn FnMut(DeadLetter),
    ) -> Result<DeadLetterEnds, BusFault> {
        Handle::current().block_on(async {
            let connection = self.session.aside().await?;
            dead_letters::read(&connection, &self.session.prefix, shard, each).await
        })
    }

    fn store(&self, topic: &TopicSpec) -> Arc<dyn Store> {
        Arc::new(NatsStore::new(&self.session, topic.clone(), self.read_every))
    }

    /// Makes sure of the streams. Earlier owners are kept out by the sequences that every record
    /// expects, not by this.
    fn open(&self, shard: &ShardSpec, grant: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        let log = Handle::current().block_on(self.open_log(shard, grant))?;
        Ok(Box::new(log))
    }

    fn read_back(
        &self,
        shard: &ShardSpec,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        Handle::current().block_on(async {
            let grant = Grant::unlimited(&shard.name);
            let Session { access, prefix, .. } = &*self.session;
            let connection = self.session.connection(&grant).await?;
            let ttl = connection.client.is_server_compatible(2, 11, 0);
            let layout = Layout::new(prefix, shard, access, ttl);
            NatsLog::read_back(&connection, &layout, &grant, each).await
        })
    }

    fn open_lane(&self, lane: &LaneSpec, grant: &Grant) -> Result<OpenLane, BusFault> {
        let opened = lane::open(&self.session, &self.known, lane, grant);
        let (reader, log) = Handle::current().block_on(opened)?;
        Ok((Box::new(reader), Box::new(log)))
    }

    fn inspect(&self, connectors: &[ConnectorTopics]) -> Vec<Result<Vec<String>, BusFault>> {
        Handle::current().block_on(inspection::inspect(&self.session, connectors))
    }

    fn send(&self, lane: &LaneSpec, key: &str, value: &[u8]) -> Result<(), BusFault> {
        Handle::current().block_on(async {
            let connection = self.session.connection(&Grant::unlimited("")).await?;
            lane::send(&connection, lane, key, value).await
        })
    }
}
