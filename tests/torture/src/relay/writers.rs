//! Whoever writes what is relayed. They take every failure of a broker, and what is there in the end is what was sent.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::runtime::Handle;

use super::odd::{self, ID, Whole};
use super::reading::client;

/// One call of a client.
const PATIENCE: Duration = Duration::from_secs(15);

/// Longest filling of a topic.
const FILLED: Duration = Duration::from_secs(180);

/// Records of a transaction.
const ROUND: usize = 20;

/// What one of them writes to.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) name: String,
    /// How many it has by now.
    pub(super) partitions: Arc<AtomicI32>,
    /// True if each record has a key.
    pub(super) is_keyed: bool,
}

/// Threads that write until they are stopped.
#[derive(Default)]
pub(super) struct Writers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    aborted: Arc<Mutex<HashSet<String>>>,
}

impl Writers {
    /// One that writes in transactions, of which some are aborted, left open for long, or given up.
    pub(super) fn transactions(&mut self, address: &str, topics: &[Topic], seed: u64, rate: f64) {
        let (name, stop) = (talon_brokers::unique("writer"), self.stop.clone());
        let mut config = client(address);
        config
            .set("transactional.id", &name)
            .set("transaction.timeout.ms", "10000")
            .set("linger.ms", "5");
        let (topics, aborted) = (topics.to_vec(), self.aborted.clone());
        let pause = Duration::from_secs_f64(ROUND as f64 / rate);
        self.threads.push(std::thread::spawn(move || {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) {
                // What an earlier one left open ends here.
                let Ok(producer) = config.create::<BaseProducer>() else { continue };
                if producer.init_transactions(PATIENCE).is_err() {
                    continue;
                }
                while !stop.load(Ordering::Relaxed) {
                    round += 1;
                    let mut said = Vec::new();
                    let what = format!("{name}-{round}");
                    match transaction(&producer, &topics, &what, &mut random, &mut said) {
                        Ok(Fate::Committed) => {}
                        Ok(Fate::Aborted) => {
                            aborted.lock().unwrap_or_else(PoisonError::into_inner).extend(said);
                        }
                        Ok(Fate::GivenUp) | Err(_) => break,
                    }
                    std::thread::sleep(pause);
                }
            }
            // Nothing stays open.
            let ended = || config.create::<BaseProducer>()?.init_transactions(PATIENCE);
            while ended().is_err() {
                std::thread::sleep(Duration::from_millis(100));
            }
        }));
    }

    /// One that writes without transactions.
    pub(super) fn plain(&mut self, address: &str, topics: &[Topic], seed: u64, rate: f64) {
        let (name, stop) = (talon_brokers::unique("plain"), self.stop.clone());
        let mut config = client(address);
        config.set("enable.idempotence", "true");
        let topics = topics.to_vec();
        let pause = Duration::from_secs_f64(ROUND as f64 / rate);
        self.threads.push(std::thread::spawn(move || {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) {
                let Ok(producer) = config.create::<BaseProducer>() else { continue };
                while !stop.load(Ordering::Relaxed) {
                    round += 1;
                    let what = format!("{name}-{round}");
                    if put(&producer, &topics, &what, &mut random, &mut Vec::new()).is_err() {
                        break;
                    }
                    std::thread::sleep(pause);
                }
                producer.flush(PATIENCE).ok();
            }
        }));
    }

    /// One that publishes messages to subjects below this one.
    pub(super) fn messages(&mut self, url: &str, below: &str, seed: u64, rate: f64) {
        let (url, below, stop) = (url.to_owned(), below.to_owned(), self.stop.clone());
        let pause = Duration::from_secs_f64(ROUND as f64 / rate);
        let name = talon_brokers::unique("messages");
        let runtime = Handle::current();
        self.threads.push(std::thread::spawn(move || {
            runtime.block_on(publish(&url, &below, (&name, seed, pause), &stop));
        }));
    }

    /// Ends all of them; gives the ids of what was aborted. Blocks.
    pub(super) fn stop(self) -> HashSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().ok();
        }
        std::mem::take(&mut *self.aborted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What became of a transaction.
enum Fate {
    Committed,
    Aborted,
    /// Its writer goes away.
    GivenUp,
}

fn transaction(
    producer: &BaseProducer,
    topics: &[Topic],
    what: &str,
    random: &mut ChaCha8Rng,
    said: &mut Vec<String>,
) -> Result<Fate, KafkaError> {
    producer.begin_transaction()?;
    put(producer, topics, what, random, said)?;
    let fate = random.random_range(0..40);
    if fate < 2 {
        producer.flush(PATIENCE)?;
        // What comes behind it waits.
        std::thread::sleep(Duration::from_millis(random.random_range(200..3_000)));
    }
    match fate {
        0 | 3..10 => producer.abort_transaction(PATIENCE).map(|()| Fate::Aborted),
        10 => Ok(Fate::GivenUp),
        _ => producer.commit_transaction(PATIENCE).map(|()| Fate::Committed),
    }
}

/// Puts a round of records to topics.
fn put(
    producer: &BaseProducer,
    topics: &[Topic],
    what: &str,
    random: &mut ChaCha8Rng,
    said: &mut Vec<String>,
) -> Result<(), KafkaError> {
    for number in 0..ROUND {
        let topic = &topics[random.random_range(0..topics.len())];
        let id = format!("{what}-{number}");
        said.push(id.clone());
        let record = odd::record(random, id, topic.is_keyed, now_ms());
        let partition = random.random_range(0..topic.partitions.load(Ordering::Relaxed));
        send(producer, &topic.name, partition, &record)?;
    }
    Ok(())
}

fn send(
    producer: &BaseProducer,
    topic: &str,
    partition: i32,
    record: &Whole,
) -> Result<(), KafkaError> {
    let mut headers = OwnedHeaders::new();
    for (name, value) in &record.headers {
        headers = headers.insert(Header { key: name, value: value.as_deref() });
    }
    let mut sent: BaseRecord<'_, [u8], [u8]> =
        BaseRecord::to(topic).partition(partition).headers(headers);
    (sent.key, sent.payload) = (record.key.as_deref(), record.value.as_deref());
    sent.timestamp = record.at_ms;
    loop {
        match producer.send(sent) {
            Ok(()) => break,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                sent = back;
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => return Err(error),
        }
    }
    producer.poll(Duration::ZERO);
    Ok(())
}

/// Fills a topic that will not be there for long. Blocks.
pub(super) fn fill(address: &str, topic: &Topic, seed: u64) -> anyhow::Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut config = client(address);
    config.set("enable.idempotence", "true");
    let producer: BaseProducer = config.create()?;
    let topics = std::slice::from_ref(topic);
    put(&producer, topics, &talon_brokers::unique("passing"), &mut random, &mut Vec::new())?;
    // Brokers are away meanwhile, and machines busy.
    let since = Instant::now();
    while let Err(error) = producer.flush(PATIENCE) {
        anyhow::ensure!(since.elapsed() < FILLED, "`{}` cannot be filled: {error}", topic.name);
    }
    Ok(())
}

async fn publish(
    url: &str,
    below: &str,
    (name, seed, pause): (&str, u64, Duration),
    stop: &AtomicBool,
) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let Ok(client) =
        async_nats::ConnectOptions::new().retry_on_initial_connect().connect(url).await
    else {
        return;
    };
    let jetstream = async_nats::jetstream::new(client);
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        let mut answers = Vec::new();
        for number in 0..ROUND {
            let record =
                odd::record(&mut random, format!("{name}-{round}-{number}"), true, now_ms());
            let mut headers = HeaderMap::new();
            for (name, value) in &record.headers {
                // A server would obey these.
                let is_order = name.starts_with("Nats-");
                let text = value.as_deref().map(String::from_utf8_lossy);
                let parsed = (name.parse::<async_nats::HeaderName>(), text);
                if let (false, (Ok(name), Some(text))) = (is_order, parsed)
                    && let Ok(value) = text.trim().parse::<async_nats::HeaderValue>()
                {
                    headers.append(name, value);
                }
            }
            let subject = format!(
                "{below}.{}.k{}",
                ["a", "b"][random.random_range(0..2)],
                random.random_range(0..6)
            );
            let value = record.value.unwrap_or_default().into();
            if headers.get(ID).is_some()
                && let Ok(answer) = jetstream.publish_with_headers(subject, headers, value).await
            {
                answers.push(answer);
            }
        }
        for answer in answers {
            // What is not acknowledged is there or not, as can be read in the end.
            tokio::time::timeout(Duration::from_secs(2), answer.into_future()).await.ok();
        }
        tokio::time::sleep(pause).await;
    }
}

pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
