//! What the server answers to a record.

use std::borrow::Cow;

use async_nats::jetstream;
use async_nats::{Message, StatusCode};
use serde::Deserialize;

use crate::fault::{is_conflict, is_in_process};

/// What the server answers to a record.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is stored now, with this sequence.
    Stored(u64),
    /// The server remembers its id, of a record in this stream with this sequence. Whether that is still
    /// there is another matter.
    Duplicate { stream: String, sequence: u64 },
    /// The last record of its subject is another one than was expected.
    Conflict(jetstream::Error),
    /// The same record is on its way inside of the server.
    InProcess,
    /// Nobody was there to take it, as while a stream elects a leader.
    Nobody,
    /// It is refused for another reason.
    Refused(jetstream::Error),
    /// It cannot be read.
    Unreadable,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(default, borrow)]
    stream: Cow<'a, str>,
    seq: Option<u64>,
    #[serde(default)]
    duplicate: bool,
    error: Option<jetstream::Error>,
}

impl Answer {
    pub(crate) fn of(message: &Message) -> Answer {
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            return Answer::Nobody;
        }
        let Ok(body) = serde_json::from_slice::<Body<'_>>(&message.payload) else {
            return Answer::Unreadable;
        };
        match (body.error, body.seq) {
            (Some(error), _) if is_conflict(&error) => Answer::Conflict(error),
            (Some(error), _) if is_in_process(&error) => Answer::InProcess,
            (Some(error), _) => Answer::Refused(error),
            (None, Some(sequence)) if body.duplicate => {
                Answer::Duplicate { stream: body.stream.into_owned(), sequence }
            }
            (None, Some(sequence)) => Answer::Stored(sequence),
            (None, None) => Answer::Unreadable,
        }
    }
}
