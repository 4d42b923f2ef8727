//! Reading commands: a consumer that is assigned all partitions, from what the earlier owner committed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::bus::{Arrival, BusFault, LaneReader, Position};

use crate::client::{reads_committed, refused};
use crate::coordinator::committed;
use crate::fault::fault_of;
use crate::lane::settled::SettledOffsets;
use crate::patience::PATIENCE;
use crate::reader::{offsets, partitions};

/// How often the ends of the partitions, and how many there are, are asked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// One such look, at most: commands wait meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// What is settled in each partition, shared with the log.
pub(crate) type Settled = Arc<Mutex<BTreeMap<i32, SettledOffsets>>>;

/// Reads the commands of a lane that was taken over.
pub(crate) struct KafkaReader {
    consumer: Arc<BaseConsumer>,
    /// Asks for ends and numbers of partitions, on a connection of its own: a broker answers in order, and
    /// on that of the consumer a fetch waits for half a second. It reads uncommitted records, so its ends
    /// are the high watermarks: what a sender has not committed yet lies ahead, too.
    asker: BaseConsumer,
    topic: String,
    settled: Settled,
    /// Where each partition is read to.
    read: BTreeMap<i32, Reading>,
    looked: Instant,
}

/// How far a partition is read.
#[derive(Debug, Clone, Copy)]
struct Reading {
    position: i64,
    /// Its end as the leader last said.
    end: i64,
    /// The client says that it has seen the end. That can be a follower's.
    seems_whole: bool,
}

impl Reading {
    fn is_whole(self) -> bool {
        self.seems_whole && self.position >= self.end
    }
}

impl KafkaReader {
    /// Begins behind what `group` has committed. Earlier transactions of the lane must be decided.
    pub(crate) fn open(
        config: &ClientConfig,
        group: &str,
        topic: &str,
    ) -> Result<KafkaReader, BusFault> {
        let mut config = reads_committed(config, group);
        // What waits here waits twice: the scheduler has its own queue.
        config.set("queued.max.messages.kbytes", "16384");
        let consumer: BaseConsumer<DefaultConsumerContext> =
            config.create().map_err(|error| refused(&config, &error))?;
        config.set("isolation.level", "read_uncommitted");
        config.remove("group.id");
        let asker: BaseConsumer = config.create().map_err(|error| refused(&config, &error))?;
        let count = partitions(&asker, &[topic], PATIENCE)?[0];
        let ends = ends(&asker, topic, count, PATIENCE)?;
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_range(topic, 0, count - 1);
        let committed = committed(&consumer, &wanted)?;
        let (mut all, mut read) = (BTreeMap::new(), BTreeMap::new());
        let mut assignment = TopicPartitionList::new();
        for element in committed.elements() {
            element.error().map_err(|error| fault_of(&error))?;
            let partition = element.partition();
            let end = usize::try_from(partition).ok().and_then(|at| ends.get(at));
            let end = end.copied().unwrap_or_default();
            let (settled, start, position) = match element.offset() {
                Offset::Offset(offset) => {
                    (SettledOffsets::of(offset, element.metadata()), Offset::Offset(offset), offset)
                }
                _ => (SettledOffsets::unplaced(end), Offset::Beginning, 0),
            };
            all.insert(partition, settled);
            read.insert(partition, Reading { position, end, seems_whole: false });
            assignment
                .add_partition_offset(topic, partition, start)
                .map_err(|error| fault_of(&error))?;
        }
        consumer.assign(&assignment).map_err(|error| fault_of(&error))?;
        Ok(KafkaReader {
            consumer: Arc::new(consumer),
            asker,
            topic: topic.to_owned(),
            settled: Arc::new(Mutex::new(all)),
            read,
            looked: Instant::now(),
        })
    }

    /// What is settled, as the log commits it.
    pub(crate) fn settled(&self) -> Settled {
        self.settled.clone()
    }

    /// The consumer, whose group the log commits offsets for.
    pub(crate) fn consumer(&self) -> Arc<BaseConsumer> {
        self.consumer.clone()
    }

    /// Asks for the ends of the partitions, and whether there are new ones.
    fn look(&mut self) -> Result<(), BusFault> {
        self.looked = Instant::now();
        // It reads nothing; what it has to say of the broker, the consumer says too.
        while self.asker.poll(Duration::ZERO).is_some() {}
        let count = match partitions(&self.asker, &[&self.topic], LOOK) {
            Ok(count) => count[0],
            Err(fault @ BusFault::Aborted(_)) => return Err(fault),
            // A broker that does not answer is noticed where something is written.
            Err(_) => return Ok(()),
        };
        if usize::try_from(count) != Ok(self.read.len()) {
            return Err(BusFault::Aborted(
                "the topic of commands has another number of partitions".to_owned(),
            ));
        }
        if let Ok(ends) = ends(&self.asker, &self.topic, count, LOOK) {
            for (reading, end) in self.read.values_mut().zip(ends) {
                reading.end = end;
            }
        }
        Ok(())
    }

    /// Looks which partitions are read to their ends. The position also goes over what is no command.
    fn look_at_positions(&mut self) -> Result<(), BusFault> {
        let positions = self.consumer.position().map_err(|error| fault_of(&error))?;
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        for element in positions.elements() {
            let Some(reading) = self.read.get_mut(&element.partition()) else { continue };
            if let Offset::Offset(position) = element.offset() {
                reading.position = reading.position.max(position);
            }
            if reading.is_whole() {
                settled.entry(element.partition()).or_default().at_end();
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
                self.look_at_positions()?;
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.consumer.poll(left) {
                Some(Ok(message)) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    if let Some(reading) = self.read.get_mut(&partition) {
                        (reading.position, reading.seems_whole) = (offset + 1, false);
                    }
                    let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
                    let settled = settled.entry(partition).or_default();
                    if settled.read(offset) {
                        return Ok(Some(arrival(&message)));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    if let Some(reading) = self.read.get_mut(&partition) {
                        reading.seems_whole = true;
                    }
                    self.look_at_positions()?;
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

    fn look_ahead(&mut self) -> Result<(), BusFault> {
        if self.looked.elapsed() > LOOK_EVERY { self.look() } else { Ok(()) }
    }

    fn is_ordered(&self) -> bool {
        self.read.len() == 1
    }

    fn behind(&self) -> Option<u64> {
        let open = self.read.values().filter(|reading| !reading.is_whole());
        // At least one is not at its end, whatever was asked last.
        let behind: i64 = open.map(|reading| (reading.end - reading.position).max(1)).sum();
        u64::try_from(behind).ok()
    }
}

/// The ends of all partitions of a topic.
fn ends(
    asker: &BaseConsumer,
    topic: &str,
    count: i32,
    patience: Duration,
) -> Result<Vec<i64>, BusFault> {
    let all: Vec<(&str, i32)> = (0..count).map(|partition| (topic, partition)).collect();
    offsets(asker, &all, Offset::End, patience)
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
