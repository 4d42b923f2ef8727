//! The source: decided records of partitions that are assigned by hand.
//!
//! The position of a `read_committed` reader goes over markers and aborted records, and waits at a transaction that
//! is still open; so what [`Source::read`] gives is decided, in order, and complete up to its position.
//! Ends are asked for as one who reads all records, so that a lag counts what stands behind an open transaction.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::bus::BusFault;
use talon_runtime::relay::{Begin, From, Lag, Part, Pattern, Position, Read, Source};

use super::convert;
use crate::client::refused;
use crate::cluster::Cluster;
use crate::fault::fault_of;
use crate::patience::{LOOK, PATIENCE};
use crate::reader::offsets;

/// How often it is looked what was read over that is no record.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The source of one task.
pub(super) struct KafkaSource {
    bus: String,
    /// A client that reads all records, to ask with.
    asker: BaseConsumer,
    consumer: BaseConsumer,
    patterns: Vec<Pattern>,
    /// Topics that no pattern means: those that Talon itself writes while it relays.
    own: Vec<String>,
    reading: BTreeMap<Part, Reading>,
    /// The parts by topic and number, without making a name for each record.
    names: BTreeMap<Arc<str>, BTreeMap<i32, Part>>,
    looked: Instant,
}

/// How far a part was read.
#[derive(Debug, Clone, Copy)]
struct Reading {
    next: i64,
    /// Since when, and the time of the last record.
    since: Instant,
    last_ms: Option<i64>,
}

impl KafkaSource {
    pub(super) fn open(
        cluster: &Cluster,
        group: &str,
        patterns: Vec<Pattern>,
        own: Vec<String>,
        bus: String,
    ) -> Result<KafkaSource, BusFault> {
        let mut config = cluster.config();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            // A position that is not there is looked at, and never skipped by the client.
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "20")
            .set("fetch.queue.backoff.ms", "10")
            .set("queued.max.messages.kbytes", "16384");
        let consumer: BaseConsumer = client(&config)?;
        config.remove("group.id");
        config.set("isolation.level", "read_uncommitted");
        let asker = client(&config)?;
        let (reading, names, looked) = (BTreeMap::new(), BTreeMap::new(), Instant::now());
        Ok(KafkaSource { bus, asker, consumer, patterns, own, reading, names, looked })
    }

    /// The topics that are meant, with how many partitions each has.
    fn topics(&self) -> Result<Vec<(String, usize)>, BusFault> {
        let all = self.asker.fetch_metadata(None, PATIENCE).map_err(|error| fault_of(&error))?;
        let meant = |topic: &str| {
            self.patterns.iter().any(|pattern| match pattern.name() {
                Some(name) => name == topic,
                None => {
                    let is_own = topic.starts_with("__") || self.own.iter().any(|own| own == topic);
                    !is_own && pattern.matches(topic)
                }
            })
        };
        let meant = all.topics().iter().filter(|topic| meant(topic.name()));
        Ok(meant.map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect())
    }

    /// Where the reading of each part begins, which ends were just asked for.
    fn starts(
        &self,
        from: &[(Part, From)],
        begins: &[i64],
        ends: &[i64],
    ) -> Result<Vec<i64>, BusFault> {
        let mut starts = Vec::with_capacity(from.len());
        for ((part, from), (begin, end)) in from.iter().zip(begins.iter().zip(ends)) {
            starts.push(match from {
                From::Position(position) => resumed(part, *position, *begin, *end),
                From::Begin(Begin::Earliest) => *begin,
                From::Begin(Begin::Latest) => *end,
                From::Begin(Begin::Time(ms)) => self.at(part, *ms)?.unwrap_or(*end),
            });
        }
        Ok(starts)
    }

    /// The first record of this time or later.
    fn at(&self, part: &Part, ms: i64) -> Result<Option<i64>, BusFault> {
        let mut times = TopicPartitionList::new();
        times
            .add_partition_offset(&part.of, part.number, Offset::Offset(ms))
            .map_err(|error| fault_of(&error))?;
        let found = self.asker.offsets_for_times(times, PATIENCE);
        let found = found.map_err(|error| fault_of(&error))?;
        match found.find_partition(&part.of, part.number).map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => Ok(Some(offset)),
            _ => Ok(None),
        }
    }

    /// Positions that went over what is no record.
    fn passed(&mut self) -> Result<Vec<(Part, Position)>, BusFault> {
        let positions = self.consumer.position().map_err(|error| fault_of(&error))?;
        let mut passed = Vec::new();
        for element in positions.elements() {
            let Offset::Offset(next) = element.offset() else { continue };
            let part =
                self.names.get(element.topic()).and_then(|all| all.get(&element.partition()));
            let Some((part, reading)) =
                part.and_then(|part| self.reading.get_mut(part).map(|r| (part, r)))
            else {
                continue;
            };
            if next > reading.next {
                reading.next = next;
                passed.push((part.clone(), position(next)));
            }
        }
        Ok(passed)
    }
}

/// Where a part goes on that was carried so far.
fn resumed(part: &Part, position: Position, begin: i64, end: i64) -> i64 {
    let next = i64::try_from(position.next).unwrap_or(i64::MAX);
    if next > end {
        tracing::warn!(%part, next, end, "the partition ends before where it was carried to: the topic was made anew; it is carried from its beginning");
        begin
    } else if next < begin {
        tracing::warn!(%part, next, begin, lost = begin - next, "records were deleted before they were carried; it goes on with the oldest that is left");
        begin
    } else {
        next
    }
}

fn position(next: i64) -> Position {
    Position { next: u64::try_from(next).unwrap_or_default(), of: 0 }
}

fn client(config: &ClientConfig) -> Result<BaseConsumer, BusFault> {
    config.create().map_err(|error| refused(config, &error))
}

impl Source for KafkaSource {
    fn bus(&self) -> &str {
        &self.bus
    }

    fn parts(&mut self) -> Result<Vec<Part>, BusFault> {
        let mut parts = Vec::new();
        for (topic, count) in self.topics()? {
            let name: Arc<str> = topic.into();
            let count = i32::try_from(count).unwrap_or(i32::MAX);
            parts.extend((0..count).map(|number| Part { of: name.clone(), number }));
        }
        Ok(parts)
    }

    fn assign(&mut self, from: &[(Part, From)]) -> Result<Vec<(Part, Position)>, BusFault> {
        let again: Vec<Part> = from
            .iter()
            .map(|(part, _)| part.clone())
            .filter(|part| self.reading.contains_key(part))
            .collect();
        self.drop_parts(&again)?;
        let places: Vec<(&str, i32)> =
            from.iter().map(|(part, _)| (&*part.of, part.number)).collect();
        let begins = offsets(&self.asker, &places, Offset::Beginning, PATIENCE)?;
        let ends = offsets(&self.asker, &places, Offset::End, PATIENCE)?;
        let starts = self.starts(from, &begins, &ends)?;
        let mut list = TopicPartitionList::with_capacity(from.len());
        for ((topic, number), start) in places.iter().zip(&starts) {
            list.add_partition_offset(topic, *number, Offset::Offset(*start))
                .map_err(|error| fault_of(&error))?;
        }
        self.consumer.incremental_assign(&list).map_err(|error| fault_of(&error))?;
        let mut assigned = Vec::with_capacity(from.len());
        for ((part, _), start) in from.iter().zip(starts) {
            let reading = Reading { next: start, since: Instant::now(), last_ms: None };
            self.reading.insert(part.clone(), reading);
            self.names.entry(part.of.clone()).or_default().insert(part.number, part.clone());
            assigned.push((part.clone(), position(start)));
        }
        Ok(assigned)
    }

    fn drop_parts(&mut self, parts: &[Part]) -> Result<(), BusFault> {
        let mut list = TopicPartitionList::new();
        for part in parts {
            if self.reading.remove(part).is_some() {
                list.add_partition(&part.of, part.number);
            }
            if let Some(all) = self.names.get_mut(&part.of) {
                all.remove(&part.number);
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.consumer.incremental_unassign(&list).map_err(|error| fault_of(&error))
    }

    fn read(&mut self, records: usize, bytes: usize, patience: Duration) -> Result<Read, BusFault> {
        let (mut read, mut size) = (Read::default(), 0);
        let until = Instant::now() + patience;
        while read.records.len() < records && size < bytes {
            let left = if read.records.is_empty() {
                until.saturating_duration_since(Instant::now())
            } else {
                Duration::ZERO
            };
            match self.consumer.poll(left) {
                None => break,
                Some(Ok(message)) => {
                    let part = self
                        .names
                        .get(message.topic())
                        .and_then(|all| all.get(&message.partition()));
                    // One of a part that was dropped can still be in the client's queue.
                    let Some(part) = part else { continue };
                    let record = convert::record(&message, part);
                    if let Some(reading) = self.reading.get_mut(part) {
                        // One that was fetched before the part was begun anew.
                        if message.offset() < reading.next {
                            continue;
                        }
                        (reading.next, reading.last_ms) =
                            (message.offset() + 1, record.timestamp_ms);
                    }
                    size += record.size();
                    read.records.push(record);
                }
                Some(Err(error)) if is_out_of_range(&error) => {
                    return Err(BusFault::Aborted(
                        "Kafka: a partition has not the offset that is read next: records were deleted, or the topic was made anew".to_owned(),
                    ));
                }
                Some(Err(error)) => match fault_of(&error) {
                    // The client goes on by itself.
                    BusFault::Unavailable(_) => break,
                    fault => return Err(fault),
                },
            }
        }
        if self.looked.elapsed() > LOOK_EVERY {
            self.looked = Instant::now();
            read.passed = self.passed()?;
        }
        Ok(read)
    }

    fn lag(&mut self) -> Result<BTreeMap<Part, Lag>, BusFault> {
        let parts: Vec<Part> = self.reading.keys().cloned().collect();
        let places: Vec<(&str, i32)> = parts.iter().map(|part| (&*part.of, part.number)).collect();
        let ends = offsets(&self.asker, &places, Offset::End, LOOK)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let lag = |(part, end): (Part, i64)| {
            let reading = self.reading.get(&part)?;
            let records = u64::try_from(end - reading.next).unwrap_or_default();
            let oldest_ms = match (records, reading.last_ms) {
                (0, _) => 0,
                (_, None) => reading.since.elapsed().as_millis(),
                (_, Some(last)) => now.saturating_sub(u128::try_from(last).unwrap_or_default()),
            };
            Some((part, Lag { records, oldest_ms: u64::try_from(oldest_ms).unwrap_or(u64::MAX) }))
        };
        Ok(parts.into_iter().zip(ends).filter_map(lag).collect())
    }
}

fn is_out_of_range(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(error.rdkafka_error_code(), Some(Code::OffsetOutOfRange | Code::AutoOffsetReset))
}
