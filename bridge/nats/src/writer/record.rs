//! A record on its way to the server.

use std::time::Duration;

use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID};
use async_nats::{HeaderMap, Subject};
use bytes::Bytes;

/// A record to be published.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) target: Target,
    pub(crate) subject: Subject,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

/// What a record is about, and what it expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A subject that only its owner writes to: of an entity, or of a command's results.
    Owned {
        /// Its hash.
        subject: u64,
        /// The sequence that its last record must have; 0 for none.
        expected: u64,
        life: Life,
    },
    /// The checkpoint with this key, and the revision that must be its last.
    Checkpoint { key: String, expected: Option<u64> },
    /// Something that expects nothing: a dead letter.
    Free,
}

/// How long a record stays the last of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Until a newer one replaces it.
    Lasting,
    /// The server ends it.
    Passing,
    /// After so long the subject is forgotten, by a purge or by the server.
    For(Duration),
}

impl Record {
    /// Sets the sequence that the last record of its subject must have.
    pub(crate) fn expect(&mut self, sequence: u64) {
        if let Target::Owned { expected, .. } = &mut self.target {
            *expected = sequence;
            self.headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, sequence.to_string());
        }
    }

    /// The sequence that the last record of its subject must have, where it expects one.
    pub(crate) fn expected(&self) -> Option<u64> {
        match &self.target {
            Target::Owned { expected, .. } => Some(*expected),
            Target::Checkpoint { expected, .. } => *expected,
            Target::Free => None,
        }
    }

    /// The name by which the server knows a record that it has already.
    pub(crate) fn id(&self) -> Option<&str> {
        self.headers.get(NATS_MESSAGE_ID).map(|id| id.as_str())
    }

    /// The same record under another id, because the server remembers the id of one that is not this
    /// record, or that is gone: the one with this sequence.
    pub(crate) fn renamed(mut self, remembered: u64) -> Record {
        let after = remembered.max(self.expected().unwrap_or(0));
        let id = format!("{}-after-{after}", self.id().unwrap_or_default());
        self.headers.insert(NATS_MESSAGE_ID, id);
        self
    }

    /// The subject under which it is stored: without the detour through a domain.
    pub(crate) fn stored_under(&self) -> &str {
        match (&self.target, self.subject.find("$KV.")) {
            (Target::Checkpoint { .. }, Some(at)) => &self.subject[at..],
            _ => &self.subject,
        }
    }
}
