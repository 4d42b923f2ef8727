//! Reading a stream, for a relay.
//!
//! The consumer acknowledges nothing and lives in the memory of one server: the positions are kept by the sink.
//! What is lost on the way does not come again, so the numbers that the consumer gives its messages must follow one
//! another, and the source fails where they do not. It is opened anew then, from the last position.
//!
//! A message with positions of a relay is no record and is passed over. That alone is not told as progress: two
//! relays between the same pair of streams would otherwise commit each other's positions for ever.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use async_nats::jetstream::consumer::{
    AckPolicy, Consumer, DeliverPolicy, Info as ConsumerInfo, ReplayPolicy, pull,
};
use async_nats::jetstream::stream::{ConsumerErrorKind, Info, RawMessage};
use futures_util::{FutureExt, StreamExt};
use talon_runtime::bus::{BusFault, Grant};
use talon_runtime::relay::mapping::{Stored, read_message};
use talon_runtime::relay::{Begin, From, Lag, Part, Position, Read, Source};
use tokio::runtime::Handle;
use tokio::time::timeout_at;

use super::place;
use crate::connection::{Connection, TIMEOUT};
use crate::fault::fault_of;
use crate::read::time_of;
use crate::streams::{ask, info};

/// Messages that one request asks for, and bytes if they are of average size.
const BATCH: u64 = 10_000;
const BATCH_BYTES: u64 = 8 << 20;

/// A server that says nothing for twice as long is gone.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// So many messages that are no records, at least, are told as progress.
const WORTH_TELLING: u64 = 1_000;

/// Reads a stream.
pub(super) struct StreamSource {
    runtime: Handle,
    connection: Connection,
    grant: Grant,
    part: Part,
    filters: Vec<String>,
    bus: String,
    reading: Option<Reading>,
}

/// Where it reads.
struct Reading {
    /// When the stream was created, nanoseconds.
    of: u64,
    consumer: Consumer<pull::Config>,
    messages: pull::Stream,
    /// Messages that it gave.
    delivered: u64,
    /// The first sequence that was not read.
    next: u64,
    /// The same, as the engine knows it.
    told: u64,
    /// Everything that is wanted before this one was read.
    passed: u64,
    /// The first sequence of the stream when its loss was told.
    lost_before: u64,
}

impl StreamSource {
    pub(super) fn open(
        connection: Connection,
        stream: &str,
        filters: Vec<String>,
        grant: Grant,
    ) -> Result<StreamSource, BusFault> {
        let part = Part::new(stream, 0);
        let runtime = Handle::current();
        let bus = super::bus_of(stream, 0);
        let mut source =
            StreamSource { runtime, connection, grant, part, filters, bus, reading: None };
        source.look()?;
        Ok(source)
    }

    /// What the server knows of the stream.
    fn look(&mut self) -> Result<Option<Info>, BusFault> {
        let found = self.runtime.block_on(info(&self.connection, &self.part.of))?;
        if let Some(found) = &found {
            self.bus = super::bus_of(&self.part.of, super::created(found));
        }
        Ok(found)
    }

    fn unavailable(&self, why: &dyn std::fmt::Display) -> BusFault {
        let stream = &self.part.of;
        let fault = BusFault::Unavailable(format!("NATS: reading the stream `{stream}`: {why}"));
        self.connection.status.explain(fault)
    }

    /// Where the reading begins, as the server is to be asked for it.
    fn begin(&self, from: From, found: &Info) -> DeliverPolicy {
        let (of, stream) = (super::created(found), &*self.part.of);
        let (first, last) = (found.state.first_sequence, found.state.last_sequence);
        let at = |start_sequence| DeliverPolicy::ByStartSequence { start_sequence };
        let oldest = at(first.max(1));
        match from {
            From::Begin(Begin::Earliest) => oldest,
            From::Begin(Begin::Latest) => at(last + 1),
            From::Begin(Begin::Time(ms)) => {
                DeliverPolicy::ByStartTime { start_time: time_of(ms).into() }
            }
            From::Position(position) if position.of != of || position.next > last + 1 => {
                tracing::warn!(stream, "the stream was made anew; it is read from its beginning");
                oldest
            }
            From::Position(position) if position.next < first => {
                self.tell_loss(position.next, found);
                oldest
            }
            From::Position(position) => at(position.next.max(1)),
        }
    }

    /// Says that messages are gone before they were read. In a stream that keeps the newest of each subject alone
    /// that is how it works, and no loss.
    fn tell_loss(&self, next: u64, found: &Info) {
        if found.config.max_messages_per_subject <= 0 {
            tracing::warn!(
                stream = &*self.part.of,
                from = next,
                until = found.state.first_sequence,
                "messages were deleted or ended before they were carried; what is left is carried"
            );
        }
    }

    fn start(&self, policy: DeliverPolicy, found: &Info) -> Result<Reading, BusFault> {
        let config = pull::Config {
            deliver_policy: policy,
            ack_policy: AckPolicy::None,
            replay_policy: ReplayPolicy::Instant,
            filter_subjects: self.filters.clone(),
            inactive_threshold: TIMEOUT * 6,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let stream = &*self.part.of;
        let average = found.state.bytes / found.state.messages.max(1);
        let batch = (BATCH_BYTES / average.max(1)).clamp(1, BATCH) as usize;
        self.runtime.block_on(async {
            let made = self.connection.jetstream.create_consumer_on_stream(config, stream).await;
            let consumer = made.map_err(|error| match error.kind() {
                ConsumerErrorKind::JetStream(error) => {
                    fault_of(&error, &format!("reading the stream `{stream}`"))
                }
                kind => self.unavailable(&kind),
            })?;
            let messages = consumer
                .stream()
                .max_messages_per_batch(batch)
                .expires(HEARTBEAT * 6)
                .heartbeat(HEARTBEAT)
                .messages()
                .await
                .map_err(|error| self.unavailable(&error))?;
            let next = match policy {
                DeliverPolicy::ByStartSequence { start_sequence } => start_sequence,
                _ => consumer.cached_info().delivered.stream_sequence + 1,
            };
            let of = super::created(found);
            let (told, passed, lost_before) = (next, next, next);
            Ok(Reading { of, consumer, messages, delivered: 0, next, told, passed, lost_before })
        })
    }

    /// The next message, if one comes until then.
    fn next(&mut self, until: Option<Instant>) -> Result<Option<jetstream::Message>, BusFault> {
        let Some(reading) = &mut self.reading else { return Ok(None) };
        let next = match (reading.messages.next().now_or_never(), until) {
            (Some(next), _) => Ok(next),
            (None, None) => return Ok(None),
            (None, Some(until)) => {
                let next = timeout_at(until.into(), reading.messages.next());
                self.runtime.block_on(async { next.await })
            }
        };
        match next {
            Err(_) => Ok(None),
            Ok(Some(Ok(message))) => Ok(Some(message)),
            Ok(Some(Err(error))) => Err(self.unavailable(&error)),
            Ok(None) => Err(self.unavailable(&"the connection is closed")),
        }
    }

    /// Takes a message in, whose record is given, if it is one.
    fn take(&mut self, message: jetstream::Message) -> Result<Option<Stored>, BusFault> {
        let info = message.info().map_err(|error| self.unavailable(&error))?;
        let (number, sequence) = (info.consumer_sequence, info.stream_sequence);
        let taken_ms = info.published.unix_timestamp_nanos() / 1_000_000;
        let Some(reading) = &mut self.reading else { return Ok(None) };
        reading.delivered += 1;
        if number != reading.delivered {
            return Err(self.unavailable(&"messages were lost on the way"));
        }
        reading.next = sequence + 1;
        let position = Position { next: reading.next, of: reading.of };
        let message = message.message;
        let headers = message.headers.unwrap_or_default();
        if headers.get(place::POSITION).is_some() {
            return Ok(None);
        }
        reading.told = reading.next;
        Ok(Some(Stored {
            part: self.part.clone(),
            position,
            subject: message.subject.into_string(),
            headers: super::pairs(&headers),
            payload: message.payload,
            taken_ms: i64::try_from(taken_ms).unwrap_or_default(),
        }))
    }

    /// When the oldest message that was not read was taken, milliseconds since 1970 UTC.
    fn oldest_ms(&self, next: u64) -> Result<Option<i64>, BusFault> {
        let all = [">".to_owned()];
        let filters = if self.filters.is_empty() { &all[..] } else { &self.filters };
        let mut oldest = None;
        for filter in filters {
            let asked = NextOf { seq: next, next_by_subj: filter };
            let what = format!("stream `{}`", self.part.of);
            let subject = format!("STREAM.MSG.GET.{}", self.part.of);
            let found: Option<Found> =
                self.runtime.block_on(ask(&self.connection, subject, &asked, &what))?;
            if let Some(Found { message }) = found {
                let ms = message.time.unix_timestamp_nanos() / 1_000_000;
                let ms = i64::try_from(ms).unwrap_or_default();
                oldest = Some(oldest.map_or(ms, |oldest: i64| oldest.min(ms)));
            }
        }
        Ok(oldest)
    }
}

impl Source for StreamSource {
    fn bus(&self) -> &str {
        &self.bus
    }

    fn parts(&mut self) -> Result<Vec<Part>, BusFault> {
        Ok(self.look()?.map(|_| self.part.clone()).into_iter().collect())
    }

    fn assign(&mut self, from: &[(Part, From)]) -> Result<Vec<(Part, Position)>, BusFault> {
        let Some((_, from)) = from.iter().find(|(part, _)| *part == self.part) else {
            return Ok(Vec::new());
        };
        self.grant.may_begin()?;
        let found = self.look()?.ok_or_else(|| self.unavailable(&"it is gone"))?;
        let policy = self.begin(*from, &found);
        let reading = self.start(policy, &found)?;
        let position = Position { next: reading.next, of: reading.of };
        self.reading = Some(reading);
        Ok(vec![(self.part.clone(), position)])
    }

    fn drop_parts(&mut self, parts: &[Part]) -> Result<(), BusFault> {
        if parts.contains(&self.part) {
            self.reading = None;
        }
        Ok(())
    }

    fn read(&mut self, records: usize, bytes: usize, patience: Duration) -> Result<Read, BusFault> {
        let until = Instant::now() + patience;
        let mut read = Read::default();
        let mut size = 0;
        if self.reading.is_none() {
            self.runtime.block_on(tokio::time::sleep_until(until.into()));
        }
        while read.records.len() < records && size < bytes {
            let wait = read.records.is_empty().then_some(until);
            let Some(message) = self.next(wait)? else { break };
            if let Some(stored) = self.take(message)? {
                let record = read_message(stored);
                size += record.size();
                read.records.push(record);
            }
        }
        if let Some(reading) = &mut self.reading {
            let next = reading.next.max(reading.passed);
            if next >= reading.told + WORTH_TELLING {
                (reading.told, reading.next) = (next, next);
                let position = Position { next, of: reading.of };
                read.passed.push((self.part.clone(), position));
            }
        }
        Ok(read)
    }

    fn lag(&mut self) -> Result<BTreeMap<Part, Lag>, BusFault> {
        if self.reading.is_none() {
            return Ok(BTreeMap::new());
        }
        let found = self.look()?.ok_or_else(|| self.unavailable(&"it is gone"))?;
        let Some(reading) = &mut self.reading else { return Ok(BTreeMap::new()) };
        if super::created(&found) != reading.of {
            return Err(self.unavailable(&"it was made anew"));
        }
        // Behind the look at the stream: what it had then is pending here, or was delivered.
        let known = self.runtime.block_on(async { reading.consumer.info().await.cloned() });
        let ConsumerInfo { num_pending, delivered, .. } = match known {
            Ok(known) => known,
            Err(error) => return Err(self.unavailable(&error)),
        };
        let waiting = delivered.consumer_sequence.saturating_sub(reading.delivered);
        let records = num_pending + waiting;
        let (next, lost_before) = (reading.next, reading.lost_before);
        if records == 0 {
            reading.passed = reading.passed.max(found.state.last_sequence + 1);
        }
        let first = found.state.first_sequence;
        reading.lost_before = lost_before.max(first);
        let has_lost = records > 0 && waiting == 0 && first > next.max(lost_before);
        if has_lost {
            self.tell_loss(next, &found);
        }
        let oldest = if records == 0 { None } else { self.oldest_ms(next)? };
        let oldest_ms = oldest.map_or(0, |ms| super::now_ms().saturating_sub(ms).max(0));
        let lag = Lag { records, oldest_ms: u64::try_from(oldest_ms).unwrap_or_default() };
        Ok(BTreeMap::from([(self.part.clone(), lag)]))
    }
}

impl Drop for StreamSource {
    fn drop(&mut self) {
        let Some(reading) = self.reading.take() else { return };
        let name = reading.consumer.cached_info().name.clone();
        let (jetstream, stream) = (self.connection.jetstream.clone(), self.part.of.to_string());
        // It would vanish by itself.
        self.runtime.spawn(async move {
            let deleted = jetstream.delete_consumer_from_stream(&name, &stream).await;
            deleted.map_err(|error| tracing::debug!("consumer {name}: {error}"))
        });
    }
}

#[derive(serde::Serialize)]
struct NextOf<'a> {
    seq: u64,
    next_by_subj: &'a str,
}

#[derive(serde::Deserialize)]
struct Found {
    message: RawMessage,
}
