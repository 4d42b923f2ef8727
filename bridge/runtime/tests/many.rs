//! Many connectors in one process.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use talon_runtime::bus::{Append, Bus, BusFault, Grant, Place, Recovered, ShardLog, ShardSpec};
use talon_runtime::health::State;
use talon_runtime::metrics::Metrics;
use talon_runtime::options::Options;
use talon_runtime::{Engine, Parts, Setup};
use talon_sdk::{Clock, Connector, Fault, Feed, FeedPlan, FeedSpec, Row, RowCodec, RowFault};

mod contractor {
    talon_schemas::contracts! {
        "contractor":
        CALL = "call",
    }
}

/// More than the 512 threads that a Tokio runtime has for what blocks.
const CONNECTORS: usize = 600;

/// A bus that takes everything and has nothing, and whose shards take a moment to open.
#[derive(Clone, Default)]
struct Void {
    open: Arc<AtomicUsize>,
}

impl Bus for Void {
    fn describe(&self) -> String {
        "void".to_owned()
    }

    fn probe(&self) -> Result<String, BusFault> {
        Ok(String::new())
    }

    fn open(&self, _: &ShardSpec, _: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        std::thread::sleep(Duration::from_millis(20));
        self.open.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(self.clone()))
    }
}

impl ShardLog for Void {
    fn recover(
        &mut self,
        _: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        Ok(())
    }

    fn append(&mut self, _: &Append<'_>) -> Result<(), BusFault> {
        Ok(())
    }

    fn commit(&mut self, _: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        Ok(())
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        Ok(())
    }
}

/// A connector whose feed never comes to anything.
struct Quiet;

struct NoRows;

impl RowCodec for NoRows {
    fn peek_key(&self, _: &[u8], _: &str, _: &mut String) -> bool {
        false
    }

    fn decode(&self, _: &[u8], _: &str, _: &mut Row) -> Result<(), RowFault> {
        Err(RowFault("no row".to_owned()))
    }
}

fn spec() -> Arc<FeedSpec> {
    FeedSpec::table("call", &contractor::CALL).into()
}

#[async_trait]
impl Connector for Quiet {
    fn feeds(&self) -> Vec<FeedPlan> {
        let codec = Arc::new(NoRows);
        vec![FeedPlan { spec: spec(), interval: Duration::from_secs(3_600), codec }]
    }

    fn open(&self, _: &str) -> Result<Box<dyn Feed>, Fault> {
        Err(Fault::unavailable("quiet"))
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok(String::new())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connectors_than_a_pool_has_threads_run_in_one_process() {
    let bus = Void::default();
    let setup = |number: usize| Setup {
        name: format!("c{number}"),
        class: "quiet",
        options: Options::default(),
        connector: Arc::new(Quiet),
        commands: None,
    };
    let engine = Engine::start(Parts {
        prefix: "t".to_owned(),
        bus: Arc::new(bus.clone()),
        registry: None,
        connectors: (0..CONNECTORS).map(setup).collect(),
        clock: Clock::System,
        metrics: Metrics::new().unwrap(),
    });
    let view = engine.view();
    let all_up = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let up = view.health.components().into_iter().filter(|(name, component)| {
                !name.contains('/') && name.starts_with('c') && component.state == State::Up
            });
            if up.count() == CONNECTORS {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(all_up.await.is_ok(), "{} of {CONNECTORS} open", bus.open.load(Ordering::SeqCst));
    // The pool is free for others all the while.
    assert_eq!(tokio::task::spawn_blocking(|| 7).await.unwrap(), 7);
    assert!(engine.stop(Duration::from_secs(30)).await);
}
