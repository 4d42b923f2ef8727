//! Records on their way: published without waiting, acknowledged in any order.

use std::pin::pin;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use futures_util::stream::iter;
use futures_util::{FutureExt, StreamExt};
use talon_runtime::bus::{BusFault, Grant, Stall};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::answer::Answer;
use super::doubt::{Doubt, Fate};
use super::in_flight::InFlight;
use super::record::{Record, Target};
use super::sequences::Sequences;
use crate::connection::{Connection, TIMEOUT};
use crate::fault::fault_of;

/// How often the connection is looked at while waiting for acknowledgements.
const POLL: Duration = Duration::from_millis(50);

/// After so long without an acknowledgement, records are published again.
const SILENCE: Duration = Duration::from_secs(3);

/// The same where the server could not take them at that moment.
const PAUSE: Duration = Duration::from_millis(200);

/// How long nobody may be there to take them, as while a stream elects a leader.
const NOBODY: Duration = Duration::from_secs(4);

/// Payloads on their way, at most, in bytes: records may be large.
pub(crate) const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Acknowledgements that have arrived are taken in after so many records.
const RECORDS_PER_POLL: u64 = 256;

/// Looks into a stream at the same time.
const LOOKS: usize = 64;

/// Names of the streams that a pipeline publishes to and may have to look into.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    /// Where records expect the sequences of their subjects.
    pub(crate) owned: String,
    /// Of the checkpoints.
    pub(crate) checkpoints: String,
}

/// Publishes records, and takes their acknowledgements in.
///
/// Each record has a number, which is the last token of its reply subject. A record is kept until it is
/// acknowledged: if the connection is lost, or nothing is acknowledged for a while, all that are kept
/// are published again. Those that the server already has come back as duplicates, or as a conflict with
/// themselves.
pub(crate) struct Pipeline {
    runtime: Handle,
    connection: Connection,
    grant: Grant,
    streams: Streams,
    acks: Subscriber,
    inbox: String,
    max_in_flight: usize,
    in_flight: InFlight,
    /// Numbers of records that are answered, and may be stored or not.
    doubts: Vec<(u64, Doubt)>,
    /// To be published under another id.
    renamed: Vec<Record>,
    /// Losses of the connection that were answered by publishing again.
    losses: u64,
    /// Whether a record is to be published again soon.
    again: bool,
    /// Whether nobody was there to take a record since they were published again.
    nobody: bool,
}

impl Pipeline {
    pub(crate) async fn open(
        connection: Connection,
        streams: Streams,
        max_in_flight: usize,
        grant: Grant,
    ) -> Result<Pipeline, BusFault> {
        let inbox = connection.client.new_inbox();
        let losses = connection.status.losses();
        let acks = connection.client.subscribe(format!("{inbox}.*")).await.map_err(|error| {
            connection.status.explain(BusFault::Unavailable(format!("NATS: {error}")))
        })?;
        Ok(Pipeline {
            runtime: Handle::current(),
            connection,
            grant,
            streams,
            acks,
            inbox,
            max_in_flight,
            in_flight: InFlight::default(),
            doubts: Vec::new(),
            renamed: Vec::new(),
            losses,
            again: false,
            nobody: false,
        })
    }

    /// Publishes a record. Waits only where too many are on their way.
    pub(crate) fn send(
        &mut self,
        record: Record,
        sequences: &mut Sequences,
    ) -> Result<(), BusFault> {
        if self.in_flight.count() >= self.max_in_flight || self.in_flight.bytes() >= MAX_BYTES {
            // Half, so that there is one wait for many records, and the server is kept busy.
            self.collect(self.max_in_flight / 2, MAX_BYTES / 2, sequences)?;
        }
        if self.publish(record)?.is_multiple_of(RECORDS_PER_POLL) {
            self.take_arrived(sequences)?;
        }
        Ok(())
    }

    /// Waits until everything is acknowledged.
    pub(crate) fn collect_all(&mut self, sequences: &mut Sequences) -> Result<(), BusFault> {
        self.collect(0, 0, sequences)
    }

    /// Waits until at most so many records, and bytes of their payloads, are on their way.
    fn collect(
        &mut self,
        at_most: usize,
        at_most_bytes: usize,
        sequences: &mut Sequences,
    ) -> Result<(), BusFault> {
        self.take_arrived(sequences)?;
        let mut stall = Stall::at(self.on_their_way());
        while self.in_flight.count() > at_most || self.in_flight.bytes() > at_most_bytes {
            if self.doubts.is_empty() {
                let next = timeout(POLL, self.acks.next());
                match self.runtime.clone().block_on(next) {
                    Ok(Some(message)) => self.take(&message, sequences)?,
                    Ok(None) => return Err(self.unavailable("the connection is closed")),
                    Err(_) => {}
                }
            } else {
                self.settle_doubts(sequences)?;
            }
            self.take_arrived(sequences)?;
            stall.see(self.on_their_way());
            self.look_after(&mut stall)?;
        }
        Ok(())
    }

    /// As a count to watch.
    fn on_their_way(&self) -> i64 {
        i64::try_from(self.in_flight.count()).unwrap_or(i64::MAX)
    }

    /// While waiting: publishes again what may be lost, or gives up.
    fn look_after(&mut self, stall: &mut Stall) -> Result<(), BusFault> {
        self.grant.may_finish()?;
        if stall.time() > TIMEOUT {
            return Err(self.unavailable("records are not acknowledged"));
        }
        if self.nobody && stall.time() > NOBODY {
            return Err(self.unavailable("no stream takes the records, or it has no leader"));
        }
        let losses = self.connection.status.losses();
        let lost = losses != self.losses;
        // A leader that is gone takes what it has not stored with it, without a word.
        let pause = if self.again { PAUSE } else { SILENCE };
        if self.connection.is_up() && (lost || stall.since_attempt() > pause) {
            self.losses = losses;
            (self.again, self.nobody) = (false, false);
            stall.attempted();
            tracing::debug!(records = self.in_flight.count(), lost, "published again");
            for (number, record) in self.in_flight.iter() {
                self.put_on_the_wire(number, record)?;
            }
        }
        Ok(())
    }

    /// Publishes a record, and gives its number.
    fn publish(&mut self, record: Record) -> Result<u64, BusFault> {
        let number = self.in_flight.next();
        self.put_on_the_wire(number, &record)?;
        self.in_flight.push(record);
        Ok(number)
    }

    /// Hands a record to the client, which waits only if its buffer is full.
    fn put_on_the_wire(&self, number: u64, record: &Record) -> Result<(), BusFault> {
        let reply = format!("{}.{number}", self.inbox);
        let mut sending = pin!(self.connection.client.publish_with_reply_and_headers(
            record.subject.clone(),
            reply,
            record.headers.clone(),
            record.payload.clone(),
        ));
        let sent = match sending.as_mut().now_or_never() {
            Some(sent) => sent,
            None => match self.runtime.block_on(timeout(TIMEOUT, sending)) {
                Ok(sent) => sent,
                Err(_) => return Err(self.unavailable("the client's buffer stays full")),
            },
        };
        sent.map_err(|error| match error.kind() {
            // It was small enough when it was appended.
            async_nats::client::PublishErrorKind::MaxPayloadExceeded => BusFault::Aborted(
                "NATS: `max_payload` of the server was lowered; the shard is opened anew"
                    .to_owned(),
            ),
            _ => self.unavailable(&error.to_string()),
        })
    }

    /// Takes in what has arrived, and publishes anew what needs another id.
    fn take_arrived(&mut self, sequences: &mut Sequences) -> Result<(), BusFault> {
        while let Some(Some(message)) = self.acks.next().now_or_never() {
            self.take(&message, sequences)?;
        }
        for record in std::mem::take(&mut self.renamed) {
            self.publish(record)?;
        }
        Ok(())
    }

    fn take(&mut self, message: &Message, sequences: &mut Sequences) -> Result<(), BusFault> {
        let number =
            message.subject.get(self.inbox.len() + 1..).and_then(|n| n.parse::<u64>().ok());
        let Some(number) = number else { return Ok(()) };
        // None for a second answer, to a record that was published twice.
        let Some(record) = self.in_flight.get(number) else { return Ok(()) };
        match Answer::of(message) {
            Answer::Stored(sequence) => {
                sequences.stored(record, sequence)?;
                self.in_flight.release(number);
            }
            Answer::Duplicate { sequence, .. } if sequences.is_another(record, sequence) => {
                self.rename(number, sequence);
            }
            Answer::Duplicate { stream, sequence } => {
                self.doubts.push((number, Doubt::Duplicate { stream, sequence }));
            }
            Answer::Conflict(error) => {
                let stream = match record.target {
                    Target::Owned { .. } => self.streams.owned.clone(),
                    Target::Checkpoint { .. } => self.streams.checkpoints.clone(),
                    Target::Free => return Err(fault_of(&error, "publishing")),
                };
                self.doubts.push((number, Doubt::Conflict { stream, error }));
            }
            // They stay on their way.
            Answer::InProcess => self.again = true,
            Answer::Nobody => (self.again, self.nobody) = (true, true),
            Answer::Refused(error) => return Err(fault_of(&error, "publishing")),
            Answer::Unreadable => {
                return Err(self.unavailable("an acknowledgement cannot be read"));
            }
        }
        Ok(())
    }

    /// Looks into the streams for records whose answers do not tell whether they are stored.
    fn settle_doubts(&mut self, sequences: &mut Sequences) -> Result<(), BusFault> {
        let doubts = std::mem::take(&mut self.doubts);
        let jetstream = &self.connection.jetstream;
        let looks = doubts.into_iter().filter_map(|(number, doubt)| {
            let record = self.in_flight.get(number)?;
            Some(async move { (number, doubt.settle(jetstream, record).await) })
        });
        let fates: Vec<(u64, Fate)> =
            self.runtime.block_on(iter(looks).buffer_unordered(LOOKS).collect());
        for (number, fate) in fates {
            match (fate, self.in_flight.get(number)) {
                // Settled by another answer.
                (_, None) => {}
                (Fate::Stored(sequence), Some(record)) => {
                    sequences.stored_before(record, sequence);
                    self.in_flight.release(number);
                }
                (Fate::Forgotten(sequence), Some(_)) => self.rename(number, sequence),
                (Fate::Conflict(error), Some(_)) => return Err(fault_of(&error, "publishing")),
                (Fate::Open, Some(_)) => self.again = true,
            }
        }
        Ok(())
    }

    /// The server remembers the record's id, but the record is not stored. It gets another number too:
    /// late answers to the old one are not about it.
    fn rename(&mut self, number: u64, remembered: u64) {
        self.renamed
            .extend(self.in_flight.release(number).map(|record| record.renamed(remembered)));
    }

    fn unavailable(&self, what: &str) -> BusFault {
        self.connection.status.explain(BusFault::Unavailable(format!("NATS: {what}")))
    }
}
