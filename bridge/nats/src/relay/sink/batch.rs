//! Records and their position as one atomic batch.
//!
//! The server keeps the messages of a batch aside until the last one, the position, commits it; that one expects
//! the sequence of the position before, so the batch of an owner that was fenced is nothing. While a batch is
//! being committed the records of the next one are sent.
//!
//! A batch is sent when it is full, or committed: the server gives one up after ten seconds without a message.

use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE,
};
use talon_runtime::bus::BusFault;

use super::kept::Kept;
use super::owner::{Owner, refused};
use super::wire::{Message, Wire};
use crate::writer::Answer;

/// Messages of a batch that the server takes at most are 1,000; the last one is the position.
const MESSAGES: usize = 999;

/// Bytes of a batch: the server writes it to a place of its own first.
const BYTES: usize = 8 << 20;

/// Batches.
#[derive(Default)]
pub(super) struct Batches {
    /// Of the next batch.
    messages: Vec<Message>,
    bytes: usize,
    /// Number of the commit that is not answered, and the positions that it carries.
    awaited: Option<(u64, Kept)>,
}

impl Batches {
    /// Appends a record; gives whether the batch is full.
    pub(super) fn push(&mut self, message: Message) -> bool {
        self.bytes += message.bytes();
        self.messages.push(message);
        self.messages.len() >= MESSAGES || self.bytes >= BYTES
    }

    /// Sends the batch, with these positions.
    pub(super) fn send(
        &mut self,
        kept: Kept,
        owner: &mut Owner,
        wire: &mut Wire,
    ) -> Result<(), BusFault> {
        // A batch may not be begun anew under an id that was used.
        let id = format!("{:032x}", rand::random::<u128>());
        let mut sequence = 0_usize;
        let mut numbered = |mut message: Message| {
            sequence += 1;
            message.headers.insert(NATS_BATCH_ID, id.as_str());
            message.headers.insert(NATS_BATCH_SEQUENCE, sequence.to_string());
            message
        };
        self.bytes = 0;
        for message in self.messages.drain(..) {
            wire.tell(&numbered(message))?;
        }
        self.wait(owner, wire)?;
        let mut last = numbered(owner.message(&kept)?);
        last.headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
        self.awaited = Some((wire.ask(&last)?, kept));
        Ok(())
    }

    /// Waits until the last batch that was sent is stored.
    pub(super) fn wait(&mut self, owner: &mut Owner, wire: &mut Wire) -> Result<(), BusFault> {
        let Some((number, kept)) = self.awaited.take() else { return Ok(()) };
        match wire.answer_to(number)? {
            // The sequence of the last message, which is the position.
            Answer::Stored(sequence) => (owner.fence, owner.kept) = (sequence, kept),
            Answer::Conflict(error) => return Err(owner.conflict(&error, wire)),
            // It was not whole, or the server has forgotten it: nothing of it is stored.
            Answer::Refused(error)
                if matches!(error.error_code().0, 10174..=10177 | 10199 | 10210) =>
            {
                return Err(BusFault::Aborted(format!("NATS: a batch was refused: {error}")));
            }
            answer => return Err(refused(answer, wire)),
        }
        Ok(())
    }
}
