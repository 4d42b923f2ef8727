//! Reading commands: a consumer that is assigned all partitions, from what the earlier owner committed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::bus::{Arrival, BusFault, LaneReader, Position};

use crate::PATIENCE;
use crate::client::refused;
use crate::fault::fault_of;
use crate::lane::window::Window;

/// How often the ends of the partitions, and how many there are, are asked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// One such look, at most: commands wait meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// The windows of all partitions, shared with the log.
pub(crate) type Windows = Arc<Mutex<BTreeMap<i32, Window>>>;

pub(crate) struct KafkaReader {
    consumer: Arc<BaseConsumer>,
    /// Asks for ends and numbers of partitions, on a connection of its own: a broker answers in order, and
    /// on that of the consumer a fetch waits for half a second.
    looker: BaseConsumer,
    topic: String,
    windows: Windows,
    partitions: usize,
    /// Partitions that are read to their ends.
    at_end: BTreeSet<i32>,
    /// Where each partition is read to, and its end as last asked.
    read: BTreeMap<i32, (i64, i64)>,
    looked: Instant,
}

impl KafkaReader {
    /// Begins behind what `group` has committed. Earlier transactions of the lane must be decided.
    pub(crate) fn open(
        config: &ClientConfig,
        group: &str,
        topic: &str,
    ) -> Result<KafkaReader, BusFault> {
        let mut config = config.clone();
        config
            .set("group.id", group)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            // What waits here waits twice: the desk has its own queue.
            .set("queued.max.messages.kbytes", "16384");
        let consumer: BaseConsumer<DefaultConsumerContext> =
            config.create().map_err(|error| refused(&config, &error))?;
        let looker = config.create().map_err(|error| refused(&config, &error))?;
        let partitions = partitions(&consumer, topic, PATIENCE)?;
        let mut wanted = TopicPartitionList::new();
        for partition in &partitions {
            wanted.add_partition(topic, *partition);
        }
        let committed =
            consumer.committed_offsets(wanted, PATIENCE).map_err(|error| fault_of(&error))?;
        let mut windows = BTreeMap::new();
        let mut assignment = TopicPartitionList::new();
        for element in committed.elements() {
            element.error().map_err(|error| fault_of(&error))?;
            let partition = element.partition();
            let (window, start) = match element.offset() {
                Offset::Offset(offset) => {
                    (Window::of(offset, element.metadata()), Offset::Offset(offset))
                }
                _ => {
                    let ends = consumer.fetch_watermarks(topic, partition, PATIENCE);
                    let (_, end) = ends.map_err(|error| fault_of(&error))?;
                    (Window::unplaced(end), Offset::Beginning)
                }
            };
            windows.insert(partition, window);
            assignment
                .add_partition_offset(topic, partition, start)
                .map_err(|error| fault_of(&error))?;
        }
        consumer.assign(&assignment).map_err(|error| fault_of(&error))?;
        Ok(KafkaReader {
            consumer: Arc::new(consumer),
            looker,
            topic: topic.to_owned(),
            windows: Arc::new(Mutex::new(windows)),
            partitions: partitions.len(),
            at_end: BTreeSet::new(),
            read: BTreeMap::new(),
            looked: Instant::now(),
        })
    }

    pub(crate) fn windows(&self) -> Windows {
        self.windows.clone()
    }

    /// The consumer, whose group the log commits offsets for.
    pub(crate) fn consumer(&self) -> Arc<BaseConsumer> {
        self.consumer.clone()
    }

    /// Asks for the ends of partitions that are not read to their ends, and whether there are new ones.
    fn look(&mut self) -> Result<(), BusFault> {
        self.looked = Instant::now();
        // It reads nothing; what it has to say of the broker, the consumer says too.
        while self.looker.poll(Duration::ZERO).is_some() {}
        // A broker that does not answer is noticed where something is written.
        let Ok(now) = partitions(&self.looker, &self.topic, LOOK) else { return Ok(()) };
        if now.len() != self.partitions {
            return Err(BusFault::Aborted(
                "the topic of commands has another number of partitions".to_owned(),
            ));
        }
        for partition in now.into_iter().filter(|partition| !self.at_end.contains(partition)) {
            if let Ok((_, end)) = self.looker.fetch_watermarks(&self.topic, partition, LOOK) {
                self.read.entry(partition).or_default().1 = end;
            }
        }
        Ok(())
    }
}

impl LaneReader for KafkaReader {
    fn next(&mut self, patience: Duration) -> Result<Option<Arrival>, BusFault> {
        let until = Instant::now() + patience;
        loop {
            if self.looked.elapsed() > LOOK_EVERY {
                self.look()?;
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.consumer.poll(left) {
                Some(Ok(message)) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    self.at_end.remove(&partition);
                    self.read.entry(partition).or_default().0 = offset + 1;
                    let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
                    let window = windows.entry(partition).or_default();
                    if window.read(offset) {
                        return Ok(Some(arrival(&message)));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.at_end.insert(partition);
                    let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
                    windows.entry(partition).or_default().at_end();
                }
                Some(Err(error)) => match fault_of(&error) {
                    // The client goes on by itself.
                    BusFault::Unavailable(_) => {}
                    fault => return Err(fault),
                },
                None => return Ok(None),
            }
        }
    }

    fn is_ordered(&self) -> bool {
        self.partitions == 1
    }

    fn behind(&self) -> Option<u64> {
        if self.at_end.len() == self.partitions {
            return Some(0);
        }
        let open = self.read.iter().filter(|(partition, _)| !self.at_end.contains(partition));
        let behind: i64 = open.map(|(_, (read, end))| (end - read).max(0)).sum();
        // At least one is not at its end, whatever was asked last.
        u64::try_from(behind.max(1)).ok()
    }
}

fn partitions(
    consumer: &BaseConsumer,
    topic: &str,
    patience: Duration,
) -> Result<Vec<i32>, BusFault> {
    let metadata =
        consumer.fetch_metadata(Some(topic), patience).map_err(|error| fault_of(&error))?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    Ok(found.map(|topic| topic.partitions().iter().map(|p| p.id()).collect()).unwrap_or_default())
}

fn arrival(message: &BorrowedMessage<'_>) -> Arrival {
    let header = |name: &str| {
        let headers = message.headers()?;
        headers.iter().find(|header| header.key == name)?.value
    };
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
    Arrival {
        position: Position { partition: message.partition(), offset: message.offset() },
        key: message.key().and_then(text),
        value: message.payload().unwrap_or_default().to_vec(),
        rekeyed: header("talon-rekeyed").is_some(),
        traceparent: header("traceparent").and_then(text),
        at_ms: message.timestamp().to_millis().unwrap_or(0),
    }
}
