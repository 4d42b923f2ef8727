//! Commands: from the topic to the request at the upstream, and how many a second.
//!
//! `talon run` as a process of its own, a real Kafka, and an upstream that does nothing but note when
//! a request came and answer after a while. The limit is a loop that polls a consumer and writes the
//! same request to a connection that stands.

mod upstream;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::bare::PATIENCE;
use crate::cluster::{Cluster, Real};
use crate::program::{Program, five_feeds};
use upstream::Upstream;

/// From a command on its topic to the request at the upstream, against a bare consumer
#[derive(Args)]
pub(crate) struct Commands {
    /// Commands for each latency figure, one at a time
    #[arg(long, default_value_t = 500)]
    one_by_one: u32,
    /// Commands for the figure of throughput
    #[arg(long, default_value_t = 5_000)]
    together: u32,
    /// How long the upstream takes for that
    #[arg(long, default_value_t = 100)]
    delay_ms: u64,
}

/// A type of command and how it is asked for.
struct Kind {
    name: &'static str,
    what: &'static str,
    command: fn(u32, u32) -> String,
}

const KINDS: [Kind; 2] = [
    Kind {
        name: "PatchCall",
        what: "repeat-safe",
        command: |run, id| {
            format!(
                r#"{{"id": "p{run}-{id}", "type": "PatchCall", "params": {{"call_id": {id}, "arrival_due_at": "2026-02-01T10:00:00Z"}}}}"#
            )
        },
    },
    Kind {
        name: "CloseCall",
        what: "with a look and an intent",
        command: |run, id| {
            format!(
                r#"{{"id": "c{run}-{id}", "type": "CloseCall", "params": {{"call_id": {id}}}}}"#
            )
        },
    },
];

impl Commands {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let cluster = Cluster::real(Real::Kafka)?;
        let upstream = Upstream::start()?;
        let prefix = format!("bench{}", std::process::id());
        let topic = format!("{prefix}.bench.commands");
        let mut program = Program::run(&prefix, &cluster.setting(), &five_feeds(&upstream.url()))?;
        program.ready()?;
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", cluster.servers())
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "0")
            .create()?;
        let put = |key: u32, command: &str| -> anyhow::Result<()> {
            let key = key.to_string();
            let record = BaseRecord::to(&topic).key(&key).payload(command);
            producer.send(record).map_err(|(error, _)| error)?;
            producer.poll(Duration::ZERO);
            Ok(())
        };

        println!("\nfrom produce to the request at the upstream, one at a time, ms");
        let bare = Bare::start(&cluster, &topic, &upstream)?;
        let limit = latencies(&upstream, &put, self.one_by_one, 0, &KINDS[0], true)?;
        bare.stop()?;
        println!("  {:40} {}", "limit: a bare consumer and a connection", figures(&limit));
        for (run, kind) in KINDS.iter().enumerate() {
            let run = u32::try_from(run)? + 1;
            let taken = latencies(&upstream, &put, self.one_by_one, run, kind, false)?;
            let name = format!("{} ({})", kind.name, kind.what);
            println!("  {name:40} {}", figures(&taken));
        }

        println!("\ncommands a second, upstream takes {} ms, 64 in flight", self.delay_ms);
        upstream.delay(Duration::from_millis(self.delay_ms));
        let limit = 64.0 / (self.delay_ms as f64 / 1_000.0);
        println!("  {:40} {limit:.0}", "limit: 64 / delay");
        for (run, kind) in KINDS.iter().enumerate() {
            upstream.forget();
            let run = u32::try_from(run)? + 10;
            let started = Instant::now();
            for id in 0..self.together {
                put(id, &(kind.command)(run, id))?;
                // Into the producer's queue no faster than it empties.
                if id % 1_000 == 0 {
                    producer.flush(PATIENCE)?;
                }
            }
            producer.flush(PATIENCE)?;
            upstream.wait(self.together as usize, Duration::from_secs(120))?;
            let rate = f64::from(self.together) / started.elapsed().as_secs_f64();
            let name = format!("{} ({})", kind.name, kind.what);
            println!("  {name:40} {rate:.0}  ({:.2} of the limit)", rate / limit);
        }
        program.stop()
    }
}

/// Puts one command after another, each when the one before has arrived.
fn latencies(
    upstream: &Upstream,
    put: &impl Fn(u32, &str) -> anyhow::Result<()>,
    count: u32,
    run: u32,
    kind: &Kind,
    bare: bool,
) -> anyhow::Result<Vec<Duration>> {
    upstream.forget();
    let mut taken = Vec::new();
    for id in 0..count {
        let started = Instant::now();
        // The program must not take what is meant for the bare loop: a type that it refuses.
        let command = (kind.command)(run, id);
        let command = if bare { command.replace("PatchCall", "Bare") } else { command };
        put(id, &command)?;
        let arrived = upstream.wait_for(id, Duration::from_secs(20))?;
        taken.push(arrived.saturating_duration_since(started));
        // Until the outcome of this one is committed, and not in step with anybody's poll.
        std::thread::sleep(Duration::from_micros(40_000 + u64::from(id % 7) * 900));
    }
    taken.sort();
    Ok(taken)
}

fn figures(sorted: &[Duration]) -> String {
    let at = |part: f64| {
        let place = ((sorted.len() - 1) as f64 * part) as usize;
        sorted[place].as_secs_f64() * 1_000.0
    };
    format!("p50 {:6.2}   p99 {:6.2}", at(0.5), at(0.99))
}

/// Polls a consumer and writes a request.
struct Bare {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<anyhow::Result<()>>,
}

impl Bare {
    fn start(cluster: &Cluster, topic: &str, upstream: &Upstream) -> anyhow::Result<Bare> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", cluster.servers())
            .set("group.id", "bare")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .create()?;
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        let partitions = metadata.topics()[0].partitions();
        let mut assignment = TopicPartitionList::new();
        for partition in partitions {
            assignment.add_partition_offset(topic, partition.id(), Offset::End)?;
        }
        consumer.assign(&assignment)?;
        let mut connection = TcpStream::connect(upstream.address())?;
        connection.set_nodelay(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut reply = [0; 4096];
            while !stopped.load(Ordering::Acquire) {
                let Some(message) = consumer.poll(Duration::from_millis(50)) else { continue };
                let message = message?;
                let key = std::str::from_utf8(message.key().context("a key")?)?;
                write!(
                    connection,
                    "PATCH /call/{key} HTTP/1.1\r\nhost: upstream\r\ncontent-length: 2\r\n\r\n{{}}"
                )?;
                // The answer is small and comes in one piece.
                let _read = connection.read(&mut reply)?;
            }
            Ok(())
        });
        // Until the consumer stands at the end.
        std::thread::sleep(Duration::from_secs(2));
        Ok(Bare { stop, thread })
    }

    fn stop(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Release);
        self.thread.join().map_err(|_| anyhow::anyhow!("the bare loop panicked"))?
    }
}
