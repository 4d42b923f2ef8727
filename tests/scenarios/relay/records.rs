//! Whoever writes to topics, and whoever reads them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const LIMIT: Duration = Duration::from_secs(60);

fn config(address: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address);
    config
}

/// Makes topics, with so many partitions.
pub(crate) fn create(address: &str, topics: &[(&str, i32)]) {
    let admin: AdminClient<DefaultClientContext> = config(address).create().unwrap();
    let new = topics
        .iter()
        .map(|(topic, partitions)| NewTopic::new(topic, *partitions, TopicReplication::Fixed(1)));
    let new: Vec<NewTopic<'_>> = new.collect();
    let options = AdminOptions::new();
    let created = std::thread::scope(|scope| {
        let create = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(admin.create_topics(&new, &options))
        };
        scope.spawn(create).join().unwrap()
    });
    created.unwrap().into_iter().for_each(|result| drop(result.unwrap()));
}

/// Writes records of all kinds in transactions, of which some are aborted.
pub(crate) struct Sender {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Sender {
    /// To these topics, which are created with so many partitions.
    pub(crate) fn start(address: &str, topics: &[(&str, i32)]) -> Sender {
        create(address, topics);
        let topics: Vec<(String, i32)> =
            topics.iter().map(|(topic, partitions)| ((*topic).to_owned(), *partitions)).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let mut config = config(address);
        config.set("transactional.id", talon_brokers::unique("sender"));
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || send(&config, &topics, &stop)
        });
        Sender { stop, thread }
    }

    /// How many records were committed.
    pub(crate) fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn send(config: &ClientConfig, topics: &[(String, i32)], stop: &AtomicBool) -> usize {
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(LIMIT).unwrap();
    let (mut round, mut sent) = (0_usize, 0);
    while !stop.load(Ordering::Relaxed) {
        producer.begin_transaction().unwrap();
        for number in 0..60_usize {
            let (topic, partitions) = &topics[number % topics.len()];
            let partition = (number / 2) as i32 % partitions;
            let (key, value) = (format!("k{number}"), format!("{round}/{number}"));
            let headers = OwnedHeaders::new()
                .insert(Header { key: "n", value: Some(&value) })
                .insert(Header { key: "n", value: None::<&[u8]> });
            let mut record: BaseRecord<'_, str, str> =
                BaseRecord::to(topic).partition(partition).headers(headers);
            record.key = (number % 5 != 0).then_some(&*key);
            record.payload = (number % 7 != 0).then_some(&*value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        while producer.in_flight_count() > 0 {
            producer.poll(Duration::from_millis(1));
        }
        if round % 4 == 3 {
            producer.abort_transaction(LIMIT).unwrap();
        } else {
            producer.commit_transaction(LIMIT).unwrap();
            sent += 60;
        }
        round += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    sent
}

/// Key, value, headers and time.
type Whole = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>, Option<i64>);

/// All committed records of a topic, by partition; nothing of one that is not there.
pub(crate) fn read(address: &str, topic: &str) -> BTreeMap<i32, Vec<Whole>> {
    let mut config = config(address);
    config.set("group.id", "reads").set("allow.auto.create.topics", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), LIMIT).unwrap();
    let (mut list, mut ends) = (TopicPartitionList::new(), BTreeMap::new());
    for partition in metadata.topics()[0].partitions() {
        // One that is just being made has no leader yet.
        let watermarks = consumer.fetch_watermarks(topic, partition.id(), LIMIT);
        let Ok((_, end)) = watermarks else { return BTreeMap::new() };
        if end > 0 {
            ends.insert(partition.id(), end);
            list.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
        }
    }
    let mut all: BTreeMap<i32, Vec<Whole>> = BTreeMap::new();
    consumer.assign(&list).unwrap();
    let since = Instant::now();
    loop {
        while let Some(message) = consumer.poll(Duration::from_millis(50)) {
            let message = message.unwrap();
            let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
            let headers = headers.map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec)));
            let bytes = |bytes: &[u8]| bytes.to_vec();
            all.entry(message.partition()).or_default().push((
                message.key().map(bytes),
                message.payload().map(bytes),
                headers.collect(),
                message.timestamp().to_millis(),
            ));
        }
        let position = consumer.position().unwrap();
        let is_read = |(partition, end): (&i32, &i64)| {
            let at = position.find_partition(topic, *partition).map(|element| element.offset());
            matches!(at, Some(Offset::Offset(at)) if at >= *end)
        };
        if ends.iter().all(is_read) {
            return all;
        }
        assert!(since.elapsed() < LIMIT, "`{topic}` cannot be read to its end");
    }
}
