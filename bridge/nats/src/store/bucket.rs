//! The bucket of a store on the servers.

use std::sync::{Arc, Mutex, PoisonError};

use async_nats::jetstream::stream::Config;
use talon_runtime::bus::{BusFault, TopicSpec};

use crate::connection::Connection;
use crate::layout;
use crate::policy::Role;
use crate::session::Session;
use crate::streams::{accept, create, info};

/// The bucket of a store.
pub(super) struct StoreBucket {
    pub(super) session: Arc<Session>,
    pub(super) spec: TopicSpec,
    /// The stream below it, once it was there. From then on it is not made again: it would be empty.
    seen: Mutex<Option<Config>>,
}

/// The bucket, where it is there.
pub(super) struct OpenBucket {
    pub(super) connection: Connection,
    /// Its name.
    pub(super) name: String,
    /// The stream below it.
    pub(super) below: Config,
}

impl StoreBucket {
    pub(super) fn new(session: &Arc<Session>, spec: TopicSpec) -> StoreBucket {
        StoreBucket { session: session.clone(), spec, seen: Mutex::default() }
    }

    /// Makes sure of it, the first time. On the connection on which nothing waits behind records.
    pub(super) async fn open(&self) -> Result<OpenBucket, BusFault> {
        let connection = self.session.aside().await?;
        let wanted = layout::store(&self.session.prefix, &self.spec, &self.session.access);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let below = match seen {
            Some(below) => below,
            None => self.ensure(&connection, &wanted.below).await?,
        };
        Ok(OpenBucket { connection, name: wanted.name, below })
    }

    async fn ensure(&self, connection: &Connection, wanted: &Config) -> Result<Config, BusFault> {
        let below = match info(connection, &wanted.name).await? {
            Some(found) => accept(Role::Store, found.config, wanted)?,
            None => create(connection, wanted).await?,
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(below.clone());
        Ok(below)
    }
}

impl OpenBucket {
    /// Looks at it again: whether it is still there, with settings that lose nothing.
    pub(super) async fn look(&self, store: &StoreBucket) -> Result<u64, BusFault> {
        let wanted = layout::store(&store.session.prefix, &store.spec, &store.session.access);
        let found = info(&self.connection, &self.below.name).await?.ok_or_else(|| self.gone())?;
        accept(Role::Store, found.config, &wanted.below)?;
        Ok(found.state.last_sequence)
    }

    pub(super) fn gone(&self) -> BusFault {
        let name = &self.name;
        BusFault::Misconfigured(format!(
            "NATS: the bucket `{name}` was there and is gone, and what stood in it with it; restore it, or stop all processes of the group, and the first that is started makes it anew, empty"
        ))
    }

    pub(super) fn unavailable(&self, why: &dyn std::fmt::Display) -> BusFault {
        let text = format!("NATS: the bucket `{}` cannot be read or written: {why}", self.name);
        self.connection.status.explain(BusFault::Unavailable(text))
    }

    pub(super) fn silence(&self) -> BusFault {
        self.unavailable(&"the server does not answer in time")
    }
}
