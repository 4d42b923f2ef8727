//! What all connectors of a process share: the settings, and one connection.

use std::sync::atomic::{AtomicU16, Ordering};

use talon_runtime::bus::{BusFault, Grant};
use tokio::sync::Mutex;

use crate::config::Access;
use crate::connection::Connection;

/// What all connectors of a process share.
pub(crate) struct Session {
    pub(crate) access: Access,
    pub(crate) prefix: String,
    connection: Mutex<Option<Connection>>,
    /// Replicas of what all connectors share.
    replication: AtomicU16,
}

impl Session {
    pub(crate) fn new(access: Access, prefix: &str) -> Session {
        Session {
            access,
            prefix: prefix.to_owned(),
            connection: Mutex::new(None),
            replication: AtomicU16::new(0),
        }
    }

    /// The connection, made at the first use and kept. Waits until it is up.
    pub(crate) async fn connection(&self, grant: &Grant) -> Result<Connection, BusFault> {
        let mut kept = self.connection.lock().await;
        let connection = match &*kept {
            Some(connection) => connection.clone(),
            None => kept.insert(Connection::open(&self.access).await?).clone(),
        };
        drop(kept);
        connection.up(self.access.connect_timeout, grant).await?;
        Ok(connection)
    }

    /// Replicas of what all connectors share; 0 is the server's default.
    pub(crate) fn replication(&self) -> u16 {
        self.replication.load(Ordering::Relaxed)
    }

    pub(crate) fn set_replication(&self, replication: u16) {
        self.replication.store(replication, Ordering::Relaxed);
    }
}
