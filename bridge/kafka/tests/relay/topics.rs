//! Topics that are written and read as any client would, and relays between them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_kafka::Kafka;
use talon_runtime::bus::{BusFault, Grant};
use talon_runtime::relay::mapping::{Partitioning, Route, Template};
use talon_runtime::relay::{
    Begin, Echoes, OnError, Pattern, Plan, RelayBus, Selection, SinkSpec, SourceSpec, Status, Task,
    Tasks,
};
use talon_sdk::Clock;

use crate::support::{LIMIT, World, until};

/// All that a record is, but where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Whole {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) ms: Option<i64>,
}

impl Whole {
    pub(crate) fn text(key: &str, value: &str) -> Whole {
        let bytes = |text: &str| Some(text.as_bytes().to_vec());
        Whole {
            key: bytes(key),
            value: bytes(value),
            headers: Vec::new(),
            ms: Some(1_700_000_000_000),
        }
    }
}

/// Topics that keep records whatever their times.
pub(crate) fn create(world: &World, topics: &[&str], partitions: i32) {
    for topic in topics {
        world.create_topic_with(topic, partitions, &[("retention.ms", "-1")]);
    }
}

pub(crate) fn send(producer: &BaseProducer, topic: &str, partition: i32, whole: &Whole) {
    let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(partition);
    (record.key, record.payload) = (whole.key.as_deref(), whole.value.as_deref());
    record.timestamp = whole.ms;
    if !whole.headers.is_empty() {
        let all = whole.headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: value.as_deref() })
        });
        record.headers = Some(all);
    }
    producer.send(record).map_err(|(error, _)| error).unwrap();
}

pub(crate) fn flush(producer: &BaseProducer) {
    until("all is sent", || {
        producer.poll(Duration::from_millis(5));
        producer.in_flight_count() == 0
    });
}

/// All committed records of a topic, by partition.
pub(crate) fn read(world: &World, topic: &str) -> BTreeMap<i32, Vec<Whole>> {
    let mut config = world.config();
    config.set("group.id", format!("{}-reads", world.prefix));
    let consumer: BaseConsumer = config.create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), LIMIT).unwrap();
    let (mut list, mut ends) = (TopicPartitionList::new(), BTreeMap::new());
    for partition in metadata.topics()[0].partitions() {
        let (_, end) = consumer.fetch_watermarks(topic, partition.id(), LIMIT).unwrap();
        if end > 0 {
            ends.insert(partition.id(), end);
            list.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
        }
    }
    let mut all: BTreeMap<i32, Vec<Whole>> = BTreeMap::new();
    if ends.is_empty() {
        return all;
    }
    consumer.assign(&list).unwrap();
    until("all is read", || {
        while let Some(message) = consumer.poll(Duration::from_millis(50)) {
            let message = message.unwrap();
            let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
            let headers =
                headers.map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec))).collect();
            all.entry(message.partition()).or_default().push(Whole {
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                headers,
                ms: message.timestamp().to_millis(),
            });
        }
        let position = consumer.position().unwrap();
        ends.iter().all(|(partition, end)| {
            let at = position.find_partition(topic, *partition).unwrap().offset();
            matches!(at, Offset::Offset(at) if at >= *end)
        })
    });
    all
}

pub(crate) fn count(world: &World, topic: &str) -> usize {
    read(world, topic).values().map(Vec::len).sum()
}

/// A relay of one task.
#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) plan: Plan,
    pub(crate) source: SourceSpec,
    pub(crate) sink: SinkSpec,
}

impl Relay {
    /// From topics to a topic, each record into the partition that it came from.
    pub(crate) fn new(name: &str, from: &str, to: &str) -> Relay {
        let topic = Template::parse(to).unwrap();
        let plan = Plan {
            relay: name.to_owned(),
            task: 0,
            tasks: 1,
            begin: Begin::Earliest,
            route: Route::Topic { topic, key: None, partition: Partitioning::Same },
            values: None,
            echoes: Echoes::Carry,
            errors: OnError::DeadLetter,
            look_every: Duration::from_millis(200),
        };
        let selection = Selection::Topics(vec![Pattern::new(from)]);
        let source = SourceSpec { relay: name.to_owned(), task: 0, selection };
        let sink = SinkSpec {
            relay: name.to_owned(),
            task: 0,
            tasks: Tasks::new(1),
            stream: String::new(),
            subjects: Vec::new(),
            partitions: 3,
            replication: 0,
            dead_letter_keep_ms: 86_400_000,
        };
        Relay { plan, source, sink }
    }

    /// The tasks of a relay in one process, so many.
    pub(crate) fn tasks(&self, count: u32) -> Vec<Relay> {
        let tasks = Tasks::new(count);
        let of = |task: u32| {
            let mut relay = self.clone();
            (relay.plan.tasks, relay.sink.tasks) = (count, tasks.clone());
            (relay.plan.task, relay.source.task, relay.sink.task) = (task, task, task);
            relay
        };
        (0..count).map(of).collect()
    }

    /// Runs it on a thread, as a process of its own, until the grant closes or it fails.
    pub(crate) fn start(&self, world: &World) -> Running {
        self.start_in(world, &Arc::new(world.process()))
    }

    /// The same in a process that goes on.
    pub(crate) fn start_in(&self, world: &World, kafka: &Arc<Kafka>) -> Running {
        let (grant, status) = (Grant::unlimited("relay"), Status::default());
        let (handle, relay) = (world.runtime.handle().clone(), self.clone());
        let kafka = kafka.clone();
        let thread = std::thread::spawn({
            let (grant, status) = (grant.clone(), status.clone());
            move || {
                let _inside = handle.enter();
                let clock = Clock::System;
                let sink = kafka.sink(&relay.sink, &grant)?;
                let source = kafka.source(&relay.source, &grant)?;
                let ends = (source, sink);
                let mut task = Task::open(&relay.plan, ends, &grant, &status, &clock)?;
                task.run(&mut || {})
            }
        });
        Running { grant, status, thread }
    }
}

/// A relay at work.
pub(crate) struct Running {
    grant: Grant,
    pub(crate) status: Status,
    thread: JoinHandle<Result<(), BusFault>>,
}

impl Running {
    pub(crate) fn stop(self) -> Result<(), BusFault> {
        self.grant.close();
        self.thread.join().unwrap()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends it where it stands, as far as a thread can be: nothing more is committed or waited for.
    pub(crate) fn forsake(self) {
        self.grant.finish();
    }
}
