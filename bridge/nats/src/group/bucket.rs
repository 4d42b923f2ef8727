//! The bucket of the leases on the server.

use std::error::Error;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::kv::{Store, Watch};
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use bytes::Bytes;
use serde::Serialize;
use talon_runtime::bus::BusFault;
use tokio::time::timeout;

use super::entries::{Lease, shard_key};
use crate::connection::Connection;
use crate::fault::{fault_of, is_conflict};
use crate::layout::leases;
use crate::session::Session;
use crate::streams::{bucket_subject, create, info};

/// One request to the server, at most.
pub(crate) const REQUEST: Duration = Duration::from_secs(5);

/// Entries of members that are gone vanish after this.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// The bucket of the leases. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LeaseBucket {
    connection: Connection,
    store: Store,
}

/// Why something could not be written.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// No answer in time, or the connection was lost: it may be written all the same.
    Silence,
    /// The bucket cannot be written to.
    Fault(BusFault),
}

impl LeaseBucket {
    /// Opens it. It is no memory: where it is gone, an empty one costs nothing but a moment.
    pub(crate) async fn open(
        connection: &Connection,
        session: &Session,
        replication: u16,
    ) -> Result<LeaseBucket, BusFault> {
        let wanted = leases(&session.prefix, replication, FORGOTTEN, &session.access);
        if info(connection, &wanted.below.name).await?.is_none() {
            create(connection, &wanted.below).await?;
        }
        LeaseBucket::existing(connection, &wanted.name).await
    }

    /// Opens it where it is there.
    pub(crate) async fn of(
        connection: &Connection,
        session: &Session,
    ) -> Result<Option<LeaseBucket>, BusFault> {
        let wanted = leases(&session.prefix, 0, FORGOTTEN, &session.access);
        match info(connection, &wanted.below.name).await? {
            Some(_) => LeaseBucket::existing(connection, &wanted.name).await.map(Some),
            None => Ok(None),
        }
    }

    async fn existing(connection: &Connection, name: &str) -> Result<LeaseBucket, BusFault> {
        let store = within(connection, connection.jetstream.get_key_value(name)).await?;
        Ok(LeaseBucket { connection: connection.clone(), store })
    }

    /// What stands under the key of a shard, and its revision.
    pub(crate) async fn stored(&self, key: &str) -> Result<Option<(Lease, u64)>, BusFault> {
        self.lease(key).await.map_err(|error| match error {
            WriteError::Silence => silence(&self.connection),
            WriteError::Fault(fault) => fault,
        })
    }

    /// Follows all entries, beginning with those that are there; none where there is none.
    pub(crate) async fn watch(&self) -> Result<(Watch, bool), BusFault> {
        let watch = within(&self.connection, self.store.watch_with_history(">")).await?;
        let found = info(&self.connection, &self.store.stream_name).await?;
        let empty = found.is_none_or(|found| found.state.messages == 0);
        Ok((watch, empty))
    }

    /// Writes an entry that only this process writes.
    pub(crate) async fn put(&self, key: &str, value: &impl Serialize) -> Result<(), WriteError> {
        self.write(key, value, None).await.map(drop)
    }

    /// Writes the lease of a shard over a revision, or over one that says that `member` owns it: the
    /// answer to an earlier request of this process may have been lost. `None` where another was
    /// quicker.
    pub(crate) async fn put_lease(
        &self,
        member: &str,
        shard: &str,
        lease: &Lease,
        revision: u64,
    ) -> Result<Option<u64>, WriteError> {
        let key = shard_key(shard);
        if let Some(revision) = self.write(&key, lease, Some(revision)).await? {
            return Ok(Some(revision));
        }
        match self.lease(&key).await? {
            Some((stored, revision)) if stored.owner.as_deref() == Some(member) => {
                self.write(&key, lease, Some(revision)).await
            }
            _ => Ok(None),
        }
    }

    /// Removes an entry that only this process writes.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), BusFault> {
        within(&self.connection, self.store.delete(key)).await
    }

    /// A lease as the leader of the stream knows it. Another server may be behind.
    async fn lease(&self, key: &str) -> Result<Option<(Lease, u64)>, WriteError> {
        let subject = format!("$KV.{}.{key}", self.store.name);
        let found = self.store.stream.get_last_raw_message_by_subject(&subject);
        match self.answer(found).await? {
            Ok(found) => {
                let lease = serde_json::from_slice(&found.payload).ok();
                Ok(lease.map(|lease| (lease, found.sequence)))
            }
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                _ => Err(WriteError::Silence),
            },
        }
    }

    /// Writes an entry, over a revision if one is given; `None` where that is not the last one.
    async fn write(
        &self,
        key: &str,
        value: &impl Serialize,
        revision: Option<u64>,
    ) -> Result<Option<u64>, WriteError> {
        let json = serde_json::to_vec(value).map_err(|error| {
            WriteError::Fault(BusFault::Aborted(format!("an entry cannot be encoded: {error}")))
        })?;
        let mut headers = HeaderMap::new();
        if let Some(revision) = revision {
            headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, revision.to_string());
        }
        let domain = self.connection.domain.as_deref();
        let subject = bucket_subject(domain, &self.store.name, key);
        let jetstream = &self.connection.jetstream;
        let publish = async {
            jetstream.publish_with_headers(subject, headers, Bytes::from(json)).await?.await
        };
        match self.answer(publish).await? {
            Ok(ack) => Ok(Some(ack.sequence)),
            Err(error) if is_conflict_of(&error) => Ok(None),
            Err(error) if error.kind() == PublishErrorKind::TimedOut => Err(WriteError::Silence),
            Err(error) => Err(WriteError::Fault(fault(&self.connection, &error))),
        }
    }

    async fn answer<T>(&self, request: impl Future<Output = T>) -> Result<T, WriteError> {
        self.connection.answer(REQUEST, request).await.ok_or(WriteError::Silence)
    }
}

/// The client knows the conflict by one of its two numbers only (async-nats 0.51).
fn is_conflict_of(error: &PublishError) -> bool {
    let source = error.source();
    error.kind() == PublishErrorKind::WrongLastSequence
        || source.and_then(|source| source.downcast_ref()).is_some_and(is_conflict)
}

async fn within<T, E: Error + 'static>(
    connection: &Connection,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, BusFault> {
    match timeout(REQUEST, work).await {
        Ok(result) => result.map_err(|error| fault(connection, &error)),
        Err(_) => Err(silence(connection)),
    }
}

/// What is told where the server does not answer.
pub(crate) fn silence(connection: &Connection) -> BusFault {
    let fault = BusFault::Unavailable("NATS: the leases do not answer in time".to_owned());
    connection.status.explain(fault)
}

/// What is told where the bucket cannot be used: what the server says, if it says anything.
pub(crate) fn fault(connection: &Connection, error: &(dyn Error + 'static)) -> BusFault {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(told) = error.downcast_ref() {
            return fault_of(told, "the leases");
        }
        cause = error.source();
    }
    let text = format!("NATS: the leases cannot be read or written: {error}");
    connection.status.explain(BusFault::Unavailable(text))
}
