//! Who writes: the position message of a task, and its sequence, which is the fence.

use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_ROLLUP};
use async_nats::jetstream::message::StreamMessage;
use async_nats::{HeaderMap, jetstream};
use talon_runtime::bus::BusFault;
use talon_runtime::relay::SinkSpec;

use super::super::place;
use super::kept::Kept;
use super::wire::{Message, Wire};
use crate::fault::fault_of;
use crate::writer::Answer;

/// Of which subject the sequence is expected, if it is not the record's own.
const EXPECTED_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";

/// Attempts to take a task over while somebody else writes.
const ATTEMPTS: usize = 5;

/// An owner of a task. Whoever has written the last position message owns it.
pub(super) struct Owner {
    pub(super) stream: String,
    /// Subject of the position message.
    pub(super) subject: String,
    /// Sequence of the last one.
    pub(super) fence: u64,
    /// What it says.
    pub(super) kept: Kept,
    /// Whether older ones are removed by a newer one.
    pub(super) rollup: bool,
}

impl Owner {
    /// Of a task that is not taken over yet.
    pub(super) fn new(prefix: &str, spec: &SinkSpec, task: u32, rollup: bool) -> Owner {
        let (stream, subject) = (spec.stream.clone(), place::position(prefix, spec, task));
        Owner { stream, subject, fence: 0, kept: Kept::default(), rollup }
    }

    /// Takes a task over: from now on nothing of an earlier owner is stored.
    pub(super) fn take_over(&mut self, wire: &mut Wire, atomic: bool) -> Result<(), BusFault> {
        for _ in 0..ATTEMPTS {
            (self.fence, self.kept) = match wire.last_of(&self.stream, &self.subject)? {
                None => (0, Kept::default()),
                Some(raw) => {
                    let unreadable = |error: &dyn std::fmt::Display| {
                        let subject = &self.subject;
                        BusFault::Misconfigured(format!(
                            "NATS: the last message of `{subject}` holds no positions of a relay: {error}"
                        ))
                    };
                    let last = StreamMessage::try_from(raw).map_err(|error| unreadable(&error))?;
                    let mut kept: Kept = serde_json::from_slice(&last.payload)
                        .map_err(|error| unreadable(&error))?;
                    // What stands behind it, before the new one, is not read yet.
                    kept.covers = kept.covers.or(Some(last.sequence));
                    (last.sequence, kept)
                }
            };
            self.kept.atomic = atomic;
            let number = wire.ask(&self.message(&self.kept)?)?;
            match wire.answer_to(number)? {
                Answer::Stored(sequence) => {
                    self.fence = sequence;
                    return Ok(());
                }
                Answer::Conflict(_) => {}
                answer => return Err(refused(answer, wire)),
            }
        }
        Err(BusFault::Aborted("NATS: another process takes the relay over too".to_owned()))
    }

    /// The message with these positions. Expects the last one to be ours.
    pub(super) fn message(&self, kept: &Kept) -> Result<Message, BusFault> {
        let payload = serde_json::to_vec(kept).map_err(|error| {
            BusFault::Misconfigured(format!("NATS: positions of a relay: {error}"))
        })?;
        let mut headers = HeaderMap::new();
        headers.insert(place::POSITION, "1");
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, self.fence.to_string());
        if self.rollup {
            headers.insert(NATS_ROLLUP, "sub");
        }
        Ok(Message { subject: self.subject.clone(), headers, payload: payload.into() })
    }

    /// Lets a record expect that the last position message is ours.
    pub(super) fn guard(&self, headers: &mut HeaderMap) {
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, self.fence.to_string());
        headers.insert(EXPECTED_SUBJECT, self.subject.as_str());
    }

    /// Writes the position message alone.
    pub(super) fn write(&mut self, kept: Kept, wire: &mut Wire) -> Result<(), BusFault> {
        let number = wire.ask(&self.message(&kept)?)?;
        match wire.answer_to(number)? {
            Answer::Stored(sequence) => (self.fence, self.kept) = (sequence, kept),
            Answer::Conflict(error) => return Err(self.conflict(&error, wire)),
            answer => return Err(refused(answer, wire)),
        }
        Ok(())
    }

    /// Fails where the task is another's.
    pub(super) fn look(&self, wire: &Wire) -> Result<(), BusFault> {
        match wire.last_of(&self.stream, &self.subject)? {
            Some(last) if last.sequence == self.fence => Ok(()),
            Some(last) if last.sequence > self.fence => Err(BusFault::Fenced(
                "NATS: another process took this task of the relay over".to_owned(),
            )),
            _ => Err(BusFault::Aborted(
                "NATS: the stream was purged or made anew; it is carried again".to_owned(),
            )),
        }
    }

    /// What a refused expectation means.
    pub(super) fn conflict(&self, error: &jetstream::Error, wire: &Wire) -> BusFault {
        match self.look(wire) {
            Err(fault) => fault,
            // A message of another owner may have been on its way.
            Ok(()) => {
                BusFault::Aborted(format!("NATS: a record of the relay was refused: {error}"))
            }
        }
    }
}

/// What an answer means that stores nothing.
pub(super) fn refused(answer: Answer, wire: &Wire) -> BusFault {
    match answer {
        Answer::Refused(error) | Answer::Conflict(error) => fault_of(&error, "relaying"),
        Answer::Nobody => wire.unavailable("no stream takes the records, or it has no leader"),
        Answer::InProcess | Answer::Unreadable => wire.unavailable("an answer cannot be read"),
        Answer::Stored(_) | Answer::Duplicate { .. } => {
            BusFault::Aborted("NATS: a record of the relay was there already".to_owned())
        }
    }
}
