//! Records one by one, where the server or the stream takes no batches.
//!
//! Thousands are on their way at the same time, and still none may be stored behind one that is lost or refused, nor
//! behind the fence of a new owner. So each record says which must be the last of the stream before it
//! (`Nats-Expected-Last-Msg-Id`): a chain, whose first link expects the position message to be the owner's own
//! (`Nats-Expected-Last-Subject-Sequence` with `…-Subject`). If a link is not stored, none behind it is.
//! The ids are of this opening alone, so no memory of ids can take one for another.
//!
//! That the position is expected by each record would not do: with replicas the server refuses every second of them
//! while the first is on its way (10164; 2.11.11 to 2.15.1), and stores a third.
//!
//! Where somebody else writes to the stream too, links break and are sent again, fewer at a time; with one at a time
//! each is a first link, which others cannot break.
//!
//! - nats-server 2.10 does not know `…-Subject`. There a chain begins with a position message.
//! - With replicas, a chain that broke was seen to cost the stream its leader (nats-server 2.15.1). There, from 2.12
//!   on, one record at a time is on its way. Such servers take batches.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::header::{NATS_EXPECTED_LAST_MESSAGE_ID, NATS_MESSAGE_ID};
use async_nats::jetstream;
use talon_runtime::bus::BusFault;

use super::owner::{Owner, refused};
use super::wire::{Message, Wire};
use crate::writer::Answer;

/// The last message of the stream is another one than was expected.
const WRONG_LAST_ID: u64 = 10070;

/// Bytes on their way, at most.
const BYTES: usize = 32 << 20;

/// A message of the same position is on its way inside of a cluster: pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(5);

/// Records on their way, in their order.
pub(super) struct Chain {
    /// Begins all ids.
    opening: String,
    /// Whether a record can expect the position message to be ours.
    guards: bool,
    links: VecDeque<Link>,
    /// How many of them are sent: the first ones.
    sent: usize,
    bytes: usize,
    /// How many may be on their way now, and ever.
    window: usize,
    widest: usize,
    /// Stored in a row since the window was changed.
    stored: usize,
    /// Number of the next id.
    next: u64,
    /// Id of the last record that was sent, if nothing broke since.
    last: Option<String>,
}

struct Link {
    message: Message,
    /// Of the answer that is waited for.
    number: u64,
    answer: Option<Answer>,
}

impl Chain {
    pub(super) fn new(widest: usize, guards: bool) -> Chain {
        Chain {
            opening: format!("{:016x}", rand::random::<u64>()),
            guards,
            links: VecDeque::new(),
            sent: 0,
            bytes: 0,
            window: widest,
            widest,
            stored: 0,
            next: 0,
            last: None,
        }
    }

    /// Sends a record, or will when others are stored.
    pub(super) fn push(
        &mut self,
        message: Message,
        owner: &mut Owner,
        wire: &mut Wire,
    ) -> Result<(), BusFault> {
        self.bytes += message.bytes();
        self.links.push_back(Link { message, number: 0, answer: None });
        self.send(owner, wire)?;
        while let Some((number, answer)) = wire.arrived() {
            self.take(number, answer);
            self.settle(owner, wire)?;
        }
        // Half, so that there is one wait for many.
        if self.links.len() >= self.widest || self.bytes > BYTES {
            self.wait(self.widest / 2, owner, wire)?;
        }
        Ok(())
    }

    /// Waits until at most so many are not stored.
    pub(super) fn wait(
        &mut self,
        at_most: usize,
        owner: &mut Owner,
        wire: &mut Wire,
    ) -> Result<(), BusFault> {
        while self.links.len() > at_most || self.bytes > BYTES {
            self.send(owner, wire)?;
            let (number, answer) = wire.answer()?;
            self.take(number, answer);
            self.settle(owner, wire)?;
        }
        Ok(())
    }

    fn take(&mut self, number: u64, answer: Answer) {
        let link = self.links.iter_mut().take(self.sent).find(|link| link.number == number);
        if let Some(link) = link {
            link.answer = Some(answer);
        }
    }

    /// Sends what may be sent.
    fn send(&mut self, owner: &mut Owner, wire: &mut Wire) -> Result<(), BusFault> {
        while self.sent < self.links.len().min(self.window) {
            let is_first = self.sent == 0 && (self.guards || self.window == 1);
            let before = self.last.take().filter(|_| !is_first);
            let before = match before {
                None if !self.guards => {
                    let id = self.id();
                    self.begin(&id, owner, wire)?;
                    Some(id)
                }
                before => before,
            };
            let id = self.id();
            let link = &mut self.links[self.sent];
            let mut message = link.message.clone();
            match before {
                Some(before) => {
                    message.headers.insert(NATS_EXPECTED_LAST_MESSAGE_ID, before.as_str());
                }
                None => owner.guard(&mut message.headers),
            }
            if self.widest > 1 {
                message.headers.insert(NATS_MESSAGE_ID, id.as_str());
                self.last = Some(id);
            }
            link.number = wire.ask(&message)?;
            link.answer = None;
            self.sent += 1;
        }
        Ok(())
    }

    /// Begins a chain with a position message that says what the last one says. Nothing is on its way.
    fn begin(&self, id: &str, owner: &mut Owner, wire: &mut Wire) -> Result<(), BusFault> {
        let mut kept = owner.kept.clone();
        kept.covers = kept.covers.or(Some(owner.fence));
        let mut message = owner.message(&kept)?;
        message.headers.insert(NATS_MESSAGE_ID, id);
        let number = wire.ask(&message)?;
        match wire.answer_to(number)? {
            Answer::Stored(sequence) => (owner.fence, owner.kept) = (sequence, kept),
            Answer::Conflict(error) => return Err(owner.conflict(&error, wire)),
            answer => return Err(refused(answer, wire)),
        }
        Ok(())
    }

    fn id(&mut self) -> String {
        self.next += 1;
        format!("{}-{}", self.opening, self.next)
    }

    /// Takes in what is answered, in order.
    fn settle(&mut self, owner: &mut Owner, wire: &mut Wire) -> Result<(), BusFault> {
        while self.sent > 0 {
            match self.links.front_mut().and_then(|link| link.answer.take()) {
                None => break,
                Some(Answer::Stored(_)) => {
                    self.sent -= 1;
                    if let Some(link) = self.links.pop_front() {
                        self.bytes -= link.message.bytes();
                    }
                    self.stored += 1;
                    if self.stored > self.window {
                        (self.stored, self.window) = (0, (self.window * 2).min(self.widest));
                    }
                }
                Some(answer) => self.broken(answer, owner, wire)?,
            }
        }
        Ok(())
    }

    /// The first link is not stored, so none is. They are sent again, if the task is still ours.
    fn broken(
        &mut self,
        answer: Answer,
        owner: &mut Owner,
        wire: &mut Wire,
    ) -> Result<(), BusFault> {
        let error = match answer {
            Answer::Conflict(error) | Answer::Refused(error)
                if crate::fault::is_conflict(&error) || is_wrong_id(&error) =>
            {
                error
            }
            answer => return Err(refused(answer, wire)),
        };
        // None is on its way any more when the last is answered.
        while self.links.iter().take(self.sent).skip(1).any(|link| link.answer.is_none()) {
            let (number, answer) = wire.answer()?;
            self.take(number, answer);
        }
        let mut behind = self.links.iter().take(self.sent).skip(1);
        if behind.any(|link| matches!(link.answer, Some(Answer::Stored(_)))) {
            return Err(BusFault::Aborted(
                "NATS: a record was stored behind one that was refused".to_owned(),
            ));
        }
        owner.look(wire)?;
        if !is_wrong_id(&error) {
            wire.runtime.block_on(async { tokio::time::sleep(PAUSE).await });
        }
        tracing::trace!(records = self.sent, "sent again: {error}");
        (self.sent, self.last, self.stored) = (0, None, 0);
        self.window = (self.window / 2).max(1);
        self.send(owner, wire)
    }
}

fn is_wrong_id(error: &jetstream::Error) -> bool {
    error.error_code().0 == WRONG_LAST_ID
}
