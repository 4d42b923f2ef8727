//! What all connectors of a process share: the settings, and two connections.
//!
//! Records fill their connection where the line is thin. What the process is judged by must not wait behind
//! them: the leases, and looks at the streams, go over a connection of their own.

use std::sync::atomic::{AtomicU16, Ordering};

use talon_runtime::bus::{BusFault, Grant};
use tokio::sync::Mutex;

use crate::config::Access;
use crate::connection::Connection;

/// What all connectors of a process share.
pub(crate) struct Session {
    pub(crate) access: Access,
    pub(crate) prefix: String,
    connection: Kept,
    /// Carries no records.
    aside: Kept,
    /// Replicas of what all connectors share.
    replication: AtomicU16,
}

/// A connection that is made at the first use and kept.
#[derive(Default)]
struct Kept(Mutex<Option<Connection>>);

impl Kept {
    /// Waits until it is up.
    async fn get(&self, access: &Access, grant: &Grant) -> Result<Connection, BusFault> {
        let mut kept = self.0.lock().await;
        let connection = match &*kept {
            Some(connection) => connection.clone(),
            None => kept.insert(Connection::open(access).await?).clone(),
        };
        drop(kept);
        connection.up(access.connect_timeout, grant).await?;
        Ok(connection)
    }
}

impl Session {
    pub(crate) fn new(access: Access, prefix: &str) -> Session {
        Session {
            access,
            prefix: prefix.to_owned(),
            connection: Kept::default(),
            aside: Kept::default(),
            replication: AtomicU16::new(0),
        }
    }

    /// The connection of the records, and of what belongs to them. Waits until it is up.
    pub(crate) async fn connection(&self, grant: &Grant) -> Result<Connection, BusFault> {
        self.connection.get(&self.access, grant).await
    }

    /// The connection on which nothing waits behind records. Waits until it is up.
    pub(crate) async fn aside(&self) -> Result<Connection, BusFault> {
        self.aside.get(&self.access, &Grant::unlimited("")).await
    }

    /// Replicas of what all connectors share; 0 is the server's default.
    pub(crate) fn replication(&self) -> u16 {
        self.replication.load(Ordering::Relaxed)
    }

    pub(crate) fn set_replication(&self, replication: u16) {
        self.replication.store(replication, Ordering::Relaxed);
    }
}
