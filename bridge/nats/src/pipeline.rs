//! Records on their way: published without waiting, acknowledged in any order.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::{Duration, Instant};

use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID};
use async_nats::jetstream;
use async_nats::{HeaderMap, Message, StatusCode, Subject, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use serde::Deserialize;
use talon_runtime::bus::{BusFault, Grant};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::PATIENCE;
use crate::book::{Book, Target};
use crate::connection::Connection;
use crate::fault::{fault_of, is_conflict};

/// How often the connection is looked at while waiting for acknowledgements.
const GLANCE: Duration = Duration::from_millis(50);

/// After so long without an acknowledgement, records are published again.
const SILENCE: Duration = Duration::from_secs(3);

/// The same where nobody was there to take them, as while a stream elects a leader; and for how long.
const REFUSED_PAUSE: Duration = Duration::from_millis(200);
const REFUSED: Duration = Duration::from_secs(4);

/// Payloads on their way, at most, in bytes: records may be large.
pub(crate) const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Acknowledgements that have arrived are taken in after so many records.
const RECORDS_PER_POLL: u64 = 256;

/// A record to be published.
#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) target: Target,
    pub(crate) subject: Subject,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

/// Publishes records, and takes their acknowledgements in.
///
/// Each record has a number, which is the last token of its reply subject. A record is kept until it is
/// acknowledged: if the connection is lost, or nothing is acknowledged for a while, all that are kept
/// are published again. Those that the server already has come back as a conflict with themselves.
pub(crate) struct Pipeline {
    runtime: Handle,
    connection: Connection,
    grant: Grant,
    /// Name of the stream where records expect sequences, and of that of the checkpoints.
    streams: (String, String),
    acks: Subscriber,
    inbox: String,
    max_in_flight: usize,
    /// Number of the first in `sent`.
    first: u64,
    sent: VecDeque<Option<Record>>,
    in_flight: usize,
    /// Bytes of their payloads.
    bytes: usize,
    /// Losses of the connection that were answered by publishing again.
    losses: u64,
    /// Whether nobody was there to take a record since they were published again.
    refused: bool,
}

impl Record {
    /// The sequence that the last record of its subject must have.
    fn expected(&self) -> u64 {
        let header = self.headers.get(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE);
        header.and_then(|sequence| sequence.as_str().parse().ok()).unwrap_or(0)
    }

    /// The subject under which it is stored: without the detour through a domain.
    fn stored_under(&self) -> &str {
        match (&self.target, self.subject.find("$KV.")) {
            (Target::Checkpoint(_), Some(at)) => &self.subject[at..],
            _ => &self.subject,
        }
    }
}

/// What the server answers to a record.
#[derive(Deserialize)]
struct Ack {
    seq: Option<u64>,
    #[serde(default)]
    duplicate: bool,
    error: Option<jetstream::Error>,
}

impl Pipeline {
    pub(crate) async fn open(
        connection: Connection,
        streams: (String, String),
        max_in_flight: usize,
        grant: Grant,
    ) -> Result<Pipeline, BusFault> {
        let inbox = connection.client.new_inbox();
        let losses = connection.watch.losses();
        let acks = connection.client.subscribe(format!("{inbox}.*")).await.map_err(|error| {
            connection.watch.explain(BusFault::Unavailable(format!("NATS: {error}")))
        })?;
        Ok(Pipeline {
            runtime: Handle::current(),
            connection,
            grant,
            streams,
            acks,
            inbox,
            max_in_flight,
            first: 0,
            sent: VecDeque::new(),
            in_flight: 0,
            bytes: 0,
            losses,
            refused: false,
        })
    }

    /// Publishes a record. Waits only where too many are on their way.
    pub(crate) fn send(&mut self, record: Record, book: &mut Book) -> Result<(), BusFault> {
        if self.in_flight >= self.max_in_flight || self.bytes >= MAX_BYTES {
            // Half, so that there is one wait for many records, and the server is kept busy.
            self.collect(self.max_in_flight / 2, MAX_BYTES / 2, book)?;
        }
        let number = self.first + self.sent.len() as u64;
        self.put_on_the_wire(number, &record)?;
        self.in_flight += 1;
        self.bytes += record.payload.len();
        self.sent.push_back(Some(record));
        if number.is_multiple_of(RECORDS_PER_POLL) {
            self.take_arrived(book)?;
        }
        Ok(())
    }

    /// Waits until everything is acknowledged.
    pub(crate) fn collect_all(&mut self, book: &mut Book) -> Result<(), BusFault> {
        self.collect(0, 0, book)
    }

    /// Waits until at most so many records, and bytes of their payloads, are on their way.
    fn collect(
        &mut self,
        at_most: usize,
        at_most_bytes: usize,
        book: &mut Book,
    ) -> Result<(), BusFault> {
        self.take_arrived(book)?;
        let mut stall = Stall::new(self.in_flight);
        while self.in_flight > at_most || self.bytes > at_most_bytes {
            let next = timeout(GLANCE, self.acks.next());
            match self.runtime.clone().block_on(next) {
                Ok(Some(message)) => {
                    self.take(&message, book)?;
                    self.take_arrived(book)?;
                }
                Ok(None) => return Err(self.unavailable("the connection is closed")),
                Err(_) => {}
            }
            stall.look(self.in_flight);
            self.look_after(&mut stall)?;
        }
        Ok(())
    }

    /// While waiting: publishes again what may be lost, or gives up.
    fn look_after(&mut self, stall: &mut Stall) -> Result<(), BusFault> {
        self.grant.may_finish()?;
        if stall.since.elapsed() > PATIENCE {
            return Err(self.unavailable("records are not acknowledged"));
        }
        if self.refused && stall.since.elapsed() > REFUSED {
            return Err(self.unavailable("no stream takes the records, or it has no leader"));
        }
        let losses = self.connection.watch.losses();
        let lost = losses != self.losses;
        // A leader that is gone takes what it has not stored with it, without a word.
        let pause = if self.refused { REFUSED_PAUSE } else { SILENCE };
        if self.connection.is_up() && (lost || stall.again.elapsed() > pause) {
            self.losses = losses;
            self.refused = false;
            stall.again = Instant::now();
            tracing::debug!(records = self.in_flight, lost, "published again");
            for place in 0..self.sent.len() {
                if let Some(record) = &self.sent[place] {
                    self.put_on_the_wire(self.first + place as u64, record)?;
                }
            }
        }
        Ok(())
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
            None => match self.runtime.block_on(timeout(PATIENCE, sending)) {
                Ok(sent) => sent,
                Err(_) => return Err(self.unavailable("the client's buffer stays full")),
            },
        };
        sent.map_err(|error| match error.kind() {
            async_nats::client::PublishErrorKind::MaxPayloadExceeded => {
                BusFault::TooLarge("NATS: the record is larger than `max_payload`".to_owned())
            }
            _ => self.unavailable(&error.to_string()),
        })
    }

    fn take_arrived(&mut self, book: &mut Book) -> Result<(), BusFault> {
        while let Some(Some(message)) = self.acks.next().now_or_never() {
            self.take(&message, book)?;
        }
        Ok(())
    }

    fn take(&mut self, message: &Message, book: &mut Book) -> Result<(), BusFault> {
        let number =
            message.subject.get(self.inbox.len() + 1..).and_then(|n| n.parse::<u64>().ok());
        let place = number
            .and_then(|number| number.checked_sub(self.first))
            .and_then(|place| usize::try_from(place).ok());
        // A second answer, to a record that was published twice.
        let Some(slot) = place.and_then(|place| self.sent.get_mut(place)) else { return Ok(()) };
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            // It stays on its way.
            self.refused = true;
            return Ok(());
        }
        let Some(record) = slot.take() else { return Ok(()) };
        self.in_flight -= 1;
        self.bytes -= record.payload.len();
        while let Some(None) = self.sent.front() {
            self.sent.pop_front();
            self.first += 1;
        }
        let ack: Ack = serde_json::from_slice(&message.payload)
            .map_err(|_| self.unavailable("an acknowledgement cannot be read"))?;
        match (ack.error, ack.seq) {
            (Some(error), _) => match self.stored_before(&error, &record)? {
                Some(sequence) => {
                    book.acknowledge(record, sequence, false);
                    Ok(())
                }
                None => Err(fault_of(&error, "publishing")),
            },
            (None, Some(sequence)) => match book.acknowledge(record, sequence, ack.duplicate) {
                Some(again) => self.send(again, book),
                None => Ok(()),
            },
            (None, None) => Err(self.unavailable("an acknowledgement has no sequence")),
        }
    }

    /// Whether a conflict is with the record itself: it was stored, but the acknowledgement was lost, or
    /// another process made the same event of the same past. Servers look at the expected sequence
    /// before they look for duplicates (2.15), so neither comes back as a duplicate.
    fn stored_before(
        &self,
        error: &jetstream::Error,
        record: &Record,
    ) -> Result<Option<u64>, BusFault> {
        let stream = match &record.target {
            Target::Feed { .. } => &self.streams.0,
            Target::Checkpoint(_) => &self.streams.1,
            Target::Free => return Ok(None),
        };
        if !is_conflict(error) {
            return Ok(None);
        }
        let stored = self.runtime.block_on(async {
            let stream = self.connection.jetstream.get_stream_no_info(stream).await?;
            let subject = record.stored_under();
            Ok::<_, async_nats::Error>(stream.get_last_raw_message_by_subject(subject).await?)
        });
        let Ok(stored) = stored else { return Ok(None) };
        let same = stored.headers.get(NATS_MESSAGE_ID) == record.headers.get(NATS_MESSAGE_ID);
        Ok((same && stored.sequence > record.expected()).then_some(stored.sequence))
    }

    fn unavailable(&self, what: &str) -> BusFault {
        self.connection.watch.explain(BusFault::Unavailable(format!("NATS: {what}")))
    }
}

/// Time without progress.
struct Stall {
    since: Instant,
    again: Instant,
    in_flight: usize,
}

impl Stall {
    fn new(in_flight: usize) -> Stall {
        Stall { since: Instant::now(), again: Instant::now(), in_flight }
    }

    fn look(&mut self, in_flight: usize) {
        if in_flight < self.in_flight {
            *self = Stall::new(in_flight);
        }
    }
}
