//! The runtime as it runs, between an upstream that is played and a bus that tells when it is done.

use std::sync::Arc;
use std::sync::mpsc as channel;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use talon_contractor::contracts::CALL;
use talon_runtime::bus::{Append, Bus, BusFault, Grant, Place, Recovered, ShardLog, ShardSpec};
use talon_runtime::health::State;
use talon_runtime::metrics::Metrics;
use talon_runtime::options::Options;
use talon_runtime::{Engine, Parts, Setup};
use talon_sdk::{
    Clock, Connector, Coverage, Cursor, Fault, Feed, FeedPlan, FeedSpec, Observation, Rows,
};
use tokio::sync::{Mutex, mpsc};

use crate::measure::{Lap, Started};

/// Longest wait for one observation.
const PATIENCE: Duration = Duration::from_secs(300);

/// The only feed.
fn spec() -> Arc<FeedSpec> {
    FeedSpec::table("call", &CALL).into()
}

/// The settings of a connector as they are by default, but for the before image.
pub(crate) fn options(before_images: bool) -> Options {
    Options { before_images, ..Options::default() }
}

/// A connector `bench` with one feed, `call`, that sends what it is given.
pub(crate) struct Stage {
    engine: Engine,
    bodies: mpsc::Sender<Bytes>,
    done: channel::Receiver<()>,
}

impl Stage {
    /// The configured connector, and where its rows come from.
    pub(crate) fn setup(before_images: bool) -> (Setup, mpsc::Sender<Bytes>) {
        let (sender, bodies) = mpsc::channel(1);
        let connector = Arc::new(Played { bodies: Arc::new(Mutex::new(bodies)) });
        let options = options(before_images);
        (
            Setup {
                name: "bench".to_owned(),
                class: "contractor",
                options,
                connector,
                commands: None,
            },
            sender,
        )
    }

    /// Starts the runtime on a bus. Must be called inside a Tokio runtime.
    pub(crate) fn start(
        prefix: &str,
        bus: Arc<dyn Bus>,
        before_images: bool,
    ) -> anyhow::Result<Stage> {
        let (setup, bodies) = Stage::setup(before_images);
        let (sender, done) = channel::channel();
        let engine = Engine::start(Parts {
            prefix: prefix.to_owned(),
            bus: Arc::new(Watched { bus, sender }),
            registry: None,
            connectors: vec![setup],
            clock: Clock::System,
            metrics: Metrics::new()?,
        });
        Ok(Stage { engine, bodies, done })
    }

    /// Shows the runtime a list; the lap ends when what changed is committed.
    pub(crate) fn play(&self, body: &Bytes) -> anyhow::Result<Lap> {
        let started = Started::now()?;
        self.bodies.blocking_send(body.clone())?;
        self.done.recv_timeout(PATIENCE).with_context(|| {
            let unwell = self.engine.view().health.components();
            let unwell: Vec<_> = unwell.iter().filter(|(_, c)| c.state != State::Up).collect();
            format!("no commit: {unwell:?}")
        })?;
        started.lap()
    }

    /// Waits until what was published is read back and the feed is being read.
    pub(crate) fn ready(&self) -> anyhow::Result<Lap> {
        let started = Started::now()?;
        let up = || {
            let components = self.engine.view().health.components();
            components.get("bench").is_some_and(|connector| connector.state == State::Up)
        };
        while !up() {
            let lap = started.lap()?;
            anyhow::ensure!(lap.wall < PATIENCE, "not ready: {:?}", self.engine.view().glance());
            std::thread::sleep(Duration::from_millis(1));
        }
        started.lap()
    }

    /// Stops it, and gives what it counted of entities and changes.
    pub(crate) async fn stop(self) -> anyhow::Result<Vec<String>> {
        let view = self.engine.view();
        drop(self.bodies);
        anyhow::ensure!(self.engine.stop(Duration::from_secs(30)).await, "it did not stop");
        let scrape = view.scrape();
        let lines = scrape.lines().filter(|line| {
            line.starts_with("talon_feed_entities{") || line.starts_with("talon_changes_total{")
        });
        Ok(lines.map(str::to_owned).collect())
    }
}

struct Played {
    bodies: Arc<Mutex<mpsc::Receiver<Bytes>>>,
}

#[async_trait]
impl Connector for Played {
    fn feeds(&self) -> Vec<FeedPlan> {
        let codec = talon_contractor::plain_codec("call");
        vec![FeedPlan { spec: spec(), interval: Duration::ZERO, codec }]
    }

    fn open(&self, _feed: &str) -> Result<Box<dyn Feed>, Fault> {
        Ok(Box::new(Reader { bodies: self.bodies.clone(), read: 0 }))
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok("memory".to_owned())
    }
}

struct Reader {
    bodies: Arc<Mutex<mpsc::Receiver<Bytes>>>,
    read: u64,
}

/// Splits a body as the connector's modification feeds do.
pub(crate) fn split(body: Bytes) -> anyhow::Result<(Rows, Option<i64>)> {
    let mut rows = Rows::of_array(body)?;
    let marks = rows.marks("timestamp");
    rows.sort_by_rank(&marks);
    Ok((rows, marks.into_iter().flatten().max()))
}

#[async_trait]
impl Feed for Reader {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let Some(body) = self.bodies.lock().await.recv().await else {
            return std::future::pending().await;
        };
        self.read += 1;
        let (rows, mark) = split(body).map_err(|error| Fault::unavailable(error.to_string()))?;
        Ok(Observation {
            scope: String::new(),
            coverage: Coverage::Delta,
            rows,
            // Each moves on, so each ends with a checkpoint.
            cursor: mark.map(|mark| Cursor(format!("{mark}.{}", self.read))),
            snapshot: from.is_none(),
            as_of_ms: Clock::System.now_ms(),
        })
    }
}

/// A bus that tells when an observation is over. Without a group: what is measured begins with the
/// ownership.
struct Watched {
    bus: Arc<dyn Bus>,
    sender: channel::Sender<()>,
}

struct WatchedLog {
    log: Box<dyn ShardLog>,
    sender: channel::Sender<()>,
}

impl WatchedLog {
    fn told(&self, result: Result<(), BusFault>) -> Result<(), BusFault> {
        if result.is_ok() {
            // Nobody listens any more when the benchmark ends.
            self.sender.send(()).ok();
        }
        result
    }
}

impl Bus for Watched {
    fn describe(&self) -> String {
        self.bus.describe()
    }

    fn probe(&self) -> Result<String, BusFault> {
        self.bus.probe()
    }

    fn open(&self, shard: &ShardSpec, grant: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        let log = self.bus.open(shard, grant)?;
        Ok(Box::new(WatchedLog { log, sender: self.sender.clone() }))
    }
}

impl ShardLog for WatchedLog {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        self.log.recover(each)
    }

    fn append(&mut self, record: &Append<'_>) -> Result<(), BusFault> {
        self.log.append(record)
    }

    fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        let committed = self.log.commit(checkpoints);
        // One without a checkpoint is a part of an observation.
        if checkpoints.is_empty() { committed } else { self.told(committed) }
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        let idle = self.log.idle();
        self.told(idle)
    }
}
