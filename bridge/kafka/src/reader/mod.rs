//! Reads partitions to their ends, which the leaders say.
//!
//! The end of a partition is its high watermark, asked for when reading begins, after earlier owners
//! were fenced. What was acknowledged before stands below it; and `init_transactions` returns only when
//! the markers of the owner's last transaction are written, so all of its records are decided by then.
//! A partition is complete when the position of the `read_committed` consumer has reached its end: the
//! position goes over markers and aborted records, and waits at a transaction that is still open.
//! That the client says "end of partition" completes nothing: it says so of what one fetch showed,
//! which may be a follower's end, and again and again while a partition grows.
//!
//! Other connectors write to the topic of the checkpoints too, and their transactions would hold this
//! reader up. There only records of its own are waited for ([`Topic::own`]), as far as they stand
//! behind a transaction that is open at the beginning.
//!
//! What a key has outside its home partition: see [`newest`].

mod ends;
mod home;
mod newest;
mod positions;
mod topic;

use std::collections::BTreeMap;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::bus::{BusFault, Grant, Recovered};

use crate::client::refused;
use crate::fault::fault_of;
use crate::patience::PATIENCE;

pub(crate) use ends::{is_there, offsets, partitions, partitions_of_each};
pub(crate) use home::home;
pub(crate) use newest::Strays;
use newest::{Newest, Spot};
pub(crate) use positions::Ends;
pub(crate) use positions::to_ends;
pub(crate) use topic::Topic;

/// What was found besides the records.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// How many partitions each topic has.
    pub(crate) partitions: Vec<i32>,
    /// Where each partition ended that was not empty: by the place of its topic, and its number.
    pub(crate) ends: Ends,
    pub(crate) strays: Strays,
}

/// Reads topics to their ends.
pub(crate) struct PartitionReader<'a> {
    config: ClientConfig,
    topics: &'a [Topic],
    grant: &'a Grant,
}

/// Called with the place of the topic.
type Each<'a> = dyn FnMut(usize, Recovered<'_>) -> Result<(), BusFault> + 'a;

/// How a pass over the topics ended.
enum Pass {
    Done(Option<Newest>),
    /// A key has a record outside its home: what counts can be said only if all of them are compared.
    Grown,
}

impl<'a> PartitionReader<'a> {
    /// `group` is never joined, but the broker asks for the right to read with it.
    pub(crate) fn new(
        config: &ClientConfig,
        group: &str,
        topics: &'a [Topic],
        grant: &'a Grant,
    ) -> PartitionReader<'a> {
        let mut config = config.clone();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            // An end that has been reached is told at once instead of after half a second.
            .set("fetch.wait.max.ms", "5")
            .set("fetch.error.backoff.ms", "50")
            .set("fetch.message.max.bytes", "8388608")
            .set("queued.min.messages", "1000000")
            // The index is filled more slowly than the client fetches. With the default of a second, the
            // client stops for longer than its full queue lasts (tests/bench, `recovery`).
            .set("fetch.queue.backoff.ms", "10");
        PartitionReader { config, topics, grant }
    }

    /// Reads them, oldest first in each partition. An error of `each`, and the end of the grant, end it.
    ///
    /// # Errors
    /// [`BusFault::Revoked`]; where a topic is not there or a right is missing; after ten seconds without
    /// progress.
    pub(crate) fn read(&self, each: &mut Each<'_>) -> Result<Read, BusFault> {
        let asker = self.asker()?;
        let names: Vec<&str> = self.topics.iter().map(|topic| topic.name.as_str()).collect();
        let counts = partitions(&asker, &names, PATIENCE)?;
        let spans = self.spans(&asker, &counts)?;
        self.grant.may_begin()?;
        let mut strays = Strays::default();
        if !spans.is_empty() {
            let consumer = self.client("read_committed")?;
            let ends = self.ends(&consumer, &spans)?;
            let mut newest = None;
            loop {
                match self.pass(&consumer, &spans, ends.clone(), &counts, newest, each)? {
                    Pass::Done(found) => {
                        strays = found.map(Newest::into_strays).unwrap_or_default();
                        break;
                    }
                    Pass::Grown => newest = Some(Newest::default()),
                }
            }
            // A consumer takes 100 ms to close (rdkafka 0.39 polls for as long while it is dropped).
            std::thread::spawn(move || drop(consumer));
        }
        if strays.len() > 0 {
            tracing::warn!(
                connector = self.grant.shard(),
                keys = strays.len(),
                "partitions were added to a topic: keys have old records outside the partition that they belong to; the newest counts"
            );
        }
        let ends = spans.iter().map(|span| (span.place(), span.end)).collect();
        Ok(Read { partitions: counts, ends, strays })
    }

    /// A consumer that only asks. Without a group, it is closed at once.
    fn asker(&self) -> Result<BaseConsumer, BusFault> {
        let mut config = self.config.clone();
        config.remove("group.id");
        config.set("isolation.level", "read_uncommitted");
        config.create().map_err(|error| refused(&config, &error))
    }

    fn client(&self, isolation: &str) -> Result<BaseConsumer, BusFault> {
        let mut config = self.config.clone();
        config.set("isolation.level", isolation);
        config.create().map_err(|error| refused(&config, &error))
    }

    /// Partitions that are not empty: topic and number, beginning and end.
    fn spans(&self, asker: &BaseConsumer, counts: &[i32]) -> Result<Vec<Span>, BusFault> {
        let each = |(topic, count): (usize, &i32)| (0..*count).map(move |number| (topic, number));
        let places: Vec<(usize, i32)> = counts.iter().enumerate().flat_map(each).collect();
        let all: Vec<(&str, i32)> =
            places.iter().map(|(topic, number)| (self.name(*topic), *number)).collect();
        // The ends last: what comes in between may be read, and need not be.
        let begins = offsets(asker, &all, Offset::Beginning, PATIENCE)?;
        let ends = offsets(asker, &all, Offset::End, PATIENCE)?;
        let spans = places.into_iter().zip(begins.into_iter().zip(ends));
        let spans = spans.map(|((topic, number), (begin, end))| Span { topic, number, begin, end });
        Ok(spans.filter(|span| span.begin < span.end).collect())
    }

    fn name(&self, topic: usize) -> &str {
        &self.topics[topic].name
    }

    /// What each partition is to be read to.
    fn ends(&self, consumer: &BaseConsumer, spans: &[Span]) -> Result<Ends, BusFault> {
        let mut ends: Ends = spans.iter().map(|span| (span.place(), span.end)).collect();
        let shared: Vec<&Span> =
            spans.iter().filter(|span| self.topics[span.topic].own.is_some()).collect();
        let all: Vec<(&str, i32)> =
            shared.iter().map(|span| (self.name(span.topic), span.number)).collect();
        let stable = offsets(consumer, &all, Offset::End, PATIENCE)?;
        let open = shared.into_iter().zip(stable);
        let open: Vec<(&Span, i64)> = open.filter(|(span, stable)| *stable < span.end).collect();
        if !open.is_empty() {
            for (span, end) in self.own(&open)? {
                ends.insert(span.place(), end);
            }
        }
        Ok(ends)
    }

    /// Of partitions in which a transaction is open: where the last record of this shard ends that stands
    /// behind the last stable offset, or else that offset.
    fn own<'s>(&self, open: &[(&'s Span, i64)]) -> Result<Vec<(&'s Span, i64)>, BusFault> {
        let consumer = self.client("read_uncommitted")?;
        let starts = open.iter().map(|(span, stable)| (*span, *stable));
        self.assign(&consumer, starts)?;
        let mut own: BTreeMap<(usize, i32), i64> = BTreeMap::new();
        let ends = open.iter().map(|(span, _)| (span.place(), span.end)).collect();
        to_ends(self.topics, self.grant, &consumer, ends, &mut |topic, message| {
            let begins = self.topics[topic].own.as_deref().unwrap_or_default();
            if message.key().is_some_and(|key| key.starts_with(begins.as_bytes())) {
                own.insert((topic, message.partition()), message.offset() + 1);
            }
            Ok(true)
        })?;
        let end = |(span, stable): &(&'s Span, i64)| {
            (*span, own.get(&span.place()).copied().unwrap_or(*stable))
        };
        Ok(open.iter().map(end).collect())
    }

    fn assign<'s>(
        &self,
        consumer: &BaseConsumer,
        starts: impl Iterator<Item = (&'s Span, i64)>,
    ) -> Result<(), BusFault> {
        let mut assignment = TopicPartitionList::new();
        for (span, start) in starts {
            let (topic, start) = (self.name(span.topic), Offset::Offset(start));
            let added = assignment.add_partition_offset(topic, span.number, start);
            added.map_err(|error| fault_of(&error))?;
        }
        consumer.assign(&assignment).map_err(|error| fault_of(&error))
    }

    /// Reads all from the beginning.
    fn pass(
        &self,
        consumer: &BaseConsumer,
        spans: &[Span],
        ends: Ends,
        counts: &[i32],
        mut newest: Option<Newest>,
        each: &mut Each<'_>,
    ) -> Result<Pass, BusFault> {
        consumer.unassign().map_err(|error| fault_of(&error))?;
        self.assign(consumer, spans.iter().map(|span| (span, span.begin)))?;
        let whole = to_ends(self.topics, self.grant, consumer, ends, &mut |topic, message| {
            // A key that is no text is no event of ours.
            let Some(key) = message.key().and_then(|key| std::str::from_utf8(key).ok()) else {
                return Ok(true);
            };
            if self.topics[topic].by_key && counts[topic] > 1 {
                let (home, partition) = (home(key.as_bytes(), counts[topic]), message.partition());
                let ms = message.timestamp().to_millis().unwrap_or_default();
                match &mut newest {
                    None if home != partition => return Ok(false),
                    None => {}
                    Some(newest) => {
                        let living = message.payload().is_some();
                        if !newest.take(key.as_bytes(), living, Spot { topic, partition, home, ms })
                        {
                            return Ok(true);
                        }
                    }
                }
            }
            let event_id = message.headers().and_then(|headers| {
                headers.iter().find(|header| header.key == "talon-event-id")?.value
            });
            let at_ms = message.timestamp().to_millis().unwrap_or(0);
            each(topic, Recovered { key, value: message.payload(), event_id, at_ms })?;
            Ok(true)
        })?;
        Ok(if whole { Pass::Done(newest) } else { Pass::Grown })
    }
}

/// A partition that is not empty.
#[derive(Debug, Clone, Copy)]
struct Span {
    topic: usize,
    number: i32,
    begin: i64,
    end: i64,
}

impl Span {
    fn place(&self) -> (usize, i32) {
        (self.topic, self.number)
    }
}
