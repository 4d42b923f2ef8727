//! A bounded look at a topic.
//!
//! Records are read backwards from the end, in passes that grow: what stands last is found by the first, small one.
//! A pass that the bounds cut off is thrown away, because a partition is read forwards: what it has found is older
//! than what it has not come to.
//!
//! Each pass has a consumer of its own: what an earlier assignment of the same one left in its queue, such as that a
//! partition has ended, is told in the next one, which would then end before it has read anything.

use std::collections::BTreeMap;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::time::Duration;
use talon_runtime::bus::{BusFault, Found, Look, Looked, Position, Which};

use crate::client::{reads_committed, refused};
use crate::fault::fault_of;
use crate::patience::PATIENCE;
use crate::reader::{home, offsets, partitions};

/// One wait for records.
const WAIT: Duration = Duration::from_millis(50);

/// How much more each pass reads than the one before.
const GROWTH: i64 = 8;

/// Looks at a topic. `group` is never joined, but the broker asks for the right to read with it.
pub(crate) fn look(config: &ClientConfig, group: &str, look: &Look) -> Result<Looked, BusFault> {
    let mut config = reads_committed(config, group);
    config
        .set("fetch.wait.max.ms", "20")
        // What is fetched beyond the end of a pass is thrown away.
        .set("queued.min.messages", "2000")
        .set("queued.max.messages.kbytes", "8192");
    let asker = consumer(&config)?;
    let mut reading = Reading { config: &config, asker: &asker, look, found: Vec::new(), read: 0 };
    let seen = reading.run();
    let Reading { found, read, .. } = reading;
    let (is_there, is_complete) = seen?;
    let looked = Looked { records: found, is_there, is_complete, read };
    Ok(looked.newest_first(look.most))
}

fn consumer(config: &ClientConfig) -> Result<Closing, BusFault> {
    let made = config.create().map_err(|error| refused(config, &error))?;
    Ok(Closing(Some(made)))
}

/// A consumer that is closed elsewhere, which takes 100 ms.
struct Closing(Option<BaseConsumer>);

impl Closing {
    fn get(&self) -> Result<&BaseConsumer, BusFault> {
        let gone = || BusFault::Unavailable("Kafka: the consumer is closed".to_owned());
        self.0.as_ref().ok_or_else(gone)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let consumer = self.0.take();
        std::thread::spawn(move || drop(consumer));
    }
}

/// Part of a partition.
#[derive(Debug, Clone, Copy)]
struct Span {
    partition: i32,
    begin: i64,
    /// The offset behind it.
    end: i64,
}

struct Reading<'a> {
    config: &'a ClientConfig,
    /// Asks, and reads nothing.
    asker: &'a Closing,
    look: &'a Look,
    found: Vec<Found>,
    read: u64,
}

impl Reading<'_> {
    /// Whether the topic is there, and whether everything that could be found was.
    fn run(&mut self) -> Result<(bool, bool), BusFault> {
        let patience = self.look.left().min(PATIENCE);
        let count = match partitions(self.asker.get()?, &[&self.look.topic], patience) {
            Ok(counts) => counts.first().copied().unwrap_or(0),
            // It is not there.
            Err(BusFault::Aborted(_)) => return Ok((false, true)),
            Err(fault) => return Err(fault),
        };
        let is_complete = match &self.look.which {
            Which::At(Position { partition, .. }) if *partition >= count => true,
            Which::At(Position { partition, offset }) => {
                let span = Span { partition: *partition, begin: *offset, end: offset + 1 };
                let spans = self.spans(&[*partition])?;
                let is_kept = spans.iter().any(|all| all.begin <= *offset && *offset < all.end);
                !is_kept || self.pass(&[span])?
            }
            Which::Newest => {
                let spans = self.spans(&(0..count).collect::<Vec<_>>())?;
                self.backwards(spans)?
            }
            Which::OfKey(key) => {
                let home = home(key.as_bytes(), count);
                let spans = self.spans(&[home])?;
                let mut is_complete = self.backwards(spans)?;
                // It stood elsewhere before partitions were added.
                if is_complete && self.found.is_empty() && count > 1 {
                    let others: Vec<i32> = (0..count).filter(|other| *other != home).collect();
                    let spans = self.spans(&others)?;
                    is_complete = self.backwards(spans)?;
                }
                is_complete
            }
        };
        Ok((true, is_complete))
    }

    /// From where to where partitions hold committed records.
    fn spans(&self, partitions: &[i32]) -> Result<Vec<Span>, BusFault> {
        let patience = self.look.left().min(PATIENCE);
        let topic = self.look.topic.as_str();
        let all: Vec<(&str, i32)> = partitions.iter().map(|number| (topic, *number)).collect();
        let begins = offsets(self.asker.get()?, &all, Offset::Beginning, patience)?;
        let ends = offsets(self.asker.get()?, &all, Offset::End, patience)?;
        let span = |((_, partition), (begin, end)): (&(&str, i32), (i64, i64))| Span {
            partition: *partition,
            begin,
            end,
        };
        Ok(all.iter().zip(begins.into_iter().zip(ends)).map(span).collect())
    }

    /// Reads backwards until enough is found, all is read, or a bound is met. Whether one of the former two.
    fn backwards(&mut self, mut spans: Vec<Span>) -> Result<bool, BusFault> {
        let mut step = i64::try_from(self.look.most).unwrap_or(i64::MAX).max(1);
        loop {
            spans.retain(|span| span.begin < span.end);
            if spans.is_empty() || self.found.len() >= self.look.most {
                return Ok(true);
            }
            let left = self.look.records.saturating_sub(self.read) / spans.len() as u64;
            let each = step.min(i64::try_from(left).unwrap_or(i64::MAX));
            if each == 0 {
                return Ok(false);
            }
            let last = |span: &Span| Span { begin: span.begin.max(span.end - each), ..*span };
            let pass: Vec<Span> = spans.iter().map(last).collect();
            if !self.pass(&pass)? {
                return Ok(false);
            }
            for (span, read) in spans.iter_mut().zip(pass) {
                span.end = read.begin;
            }
            step = step.saturating_mul(GROWTH);
        }
    }

    /// Reads these parts, and keeps what is looked for if all of them were read. Whether they were.
    fn pass(&mut self, spans: &[Span]) -> Result<bool, BusFault> {
        let mut assignment = TopicPartitionList::new();
        for span in spans {
            let start = Offset::Offset(span.begin);
            let added = assignment.add_partition_offset(&self.look.topic, span.partition, start);
            added.map_err(|error| fault_of(&error))?;
        }
        let closing = consumer(self.config)?;
        let consumer = closing.get()?;
        consumer.assign(&assignment).map_err(|error| fault_of(&error))?;
        let mut open: BTreeMap<i32, i64> =
            spans.iter().map(|span| (span.partition, span.end)).collect();
        let (mut found, mut bytes) = (Vec::new(), 0);
        while !open.is_empty() {
            if self.look.left().is_zero() || bytes > self.look.bytes {
                return Ok(false);
            }
            match consumer.poll(WAIT) {
                Some(Ok(message)) => {
                    let partition = message.partition();
                    let Some(end) = open.get(&partition).copied() else { continue };
                    if message.offset() < end {
                        self.read += 1;
                        bytes += message.payload_len();
                        found.extend(self.wanted(&message));
                    }
                    if message.offset() + 1 >= end {
                        open.remove(&partition);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                }
                Some(Err(error)) => match fault_of(&error) {
                    // The client tries again.
                    BusFault::Unavailable(_) => {}
                    fault => return Err(fault),
                },
                None => {}
            }
        }
        self.found.extend(found);
        Ok(true)
    }

    fn wanted(&self, message: &BorrowedMessage<'_>) -> Option<Found> {
        let key = message.key().and_then(|key| std::str::from_utf8(key).ok());
        if let Which::OfKey(wanted) = &self.look.which
            && key != Some(wanted)
        {
            return None;
        }
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        let header = |header: rdkafka::message::Header<'_, &[u8]>| {
            (header.key.to_owned(), header.value.unwrap_or_default().to_vec())
        };
        let (partition, offset) = (message.partition(), message.offset());
        Some(Found {
            key: key.map(str::to_owned),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.map(header).collect(),
            at_ms: message.timestamp().to_millis().unwrap_or(0),
            position: Position { partition, offset },
            stands: format!("topic {}, partition {partition}, offset {offset}", self.look.topic),
        })
    }
}
