//! What is left of a connector that another process runs now, with a bus in memory.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use talon_runtime::bus::{
    Append, Bus, BusFault, Grant, Membership, Ownership, Place, Recovered, ShardLog, ShardSpec,
};
use talon_runtime::health::State;
use talon_runtime::metrics::Metrics;
use talon_runtime::options::Options;
use talon_runtime::{Engine, Parts, Setup};
use talon_sdk::{
    Clock, Connector, Coverage, Fault, Feed, FeedPlan, FeedSpec, Observation, Row, RowCodec,
    RowFault, Rows,
};
use tokio::task::JoinHandle;

mod contractor {
    talon_schemas::contracts! {
        "contractor":
        CALL_MESSAGE = "call_message",
    }
}

fn spec() -> Arc<FeedSpec> {
    FeedSpec::table("doors", &contractor::CALL_MESSAGE).into()
}

struct Doors;

#[async_trait]
impl Connector for Doors {
    fn feeds(&self) -> Vec<FeedPlan> {
        vec![FeedPlan { spec: spec(), interval: Duration::from_millis(2), codec: Arc::new(Doors) }]
    }

    fn open(&self, _: &str) -> Result<Box<dyn Feed>, Fault> {
        Ok(Box::new(Doors))
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok(String::new())
    }
}

#[async_trait]
impl Feed for Doors {
    async fn next(&mut self, _: Option<&talon_sdk::Cursor>) -> Result<Observation, Fault> {
        let (scope, rows) = (String::new(), Rows::default());
        let coverage = Coverage::Delta;
        Ok(Observation { scope, coverage, rows, cursor: None, snapshot: false, as_of_ms: 1 })
    }
}

impl RowCodec for Doors {
    fn peek_key(&self, _: &[u8], _: &str, _: &mut String) -> bool {
        false
    }

    fn decode(&self, _: &[u8], _: &str, _: &mut Row) -> Result<(), RowFault> {
        Err(RowFault("none".to_owned()))
    }
}

/// A bus in memory that does not answer for the shard `b`.
#[derive(Clone, Default)]
struct Half(Arc<Mutex<Option<Ownership>>>);

impl Bus for Half {
    fn describe(&self) -> String {
        "half".to_owned()
    }

    fn probe(&self) -> Result<String, BusFault> {
        Ok(String::new())
    }

    fn join(&self, membership: Membership) -> JoinHandle<()> {
        *self.0.lock().unwrap() = Some(membership.ownership);
        tokio::spawn(async {})
    }

    fn open(&self, shard: &ShardSpec, _: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        match &*shard.name {
            "b" => Err(BusFault::Unavailable("no answer".to_owned())),
            _ => Ok(Box::new(self.clone())),
        }
    }
}

impl ShardLog for Half {
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

impl Half {
    /// The group grants these shards and no others.
    fn grant(&self, shards: &[&str]) {
        let shards: BTreeSet<String> = shards.iter().map(|shard| (*shard).to_owned()).collect();
        self.0.lock().unwrap().as_ref().unwrap().grant(&shards);
    }
}

async fn until(what: &str, met: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !met() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "not within 60 s: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_moves_away_takes_its_trouble_and_its_series_with_it() {
    let bus = Half::default();
    let setup = |name: &str| Setup {
        name: name.to_owned(),
        class: "test",
        options: Options::default(),
        connector: Arc::new(Doors),
        commands: None,
    };
    let engine = Engine::start(Parts {
        prefix: "t".to_owned(),
        bus: Arc::new(bus.clone()),
        registry: None,
        connectors: vec![setup("a"), setup("b")],
        clock: Clock::System,
        metrics: Metrics::new().unwrap(),
    });
    let view = engine.view();
    let state = |name: &str| view.health.components().remove(name).map(|c| c.state);
    bus.grant(&["a", "b"]);
    until("both are opened", || {
        state("a/doors") == Some(State::Up) && state("b") == Some(State::Unavailable)
    })
    .await;
    assert_eq!(state("bus"), Some(State::Unavailable), "although it works for one of them");
    assert!(!view.health.ready());

    bus.grant(&["a"]);
    until("the trouble is gone", || view.health.ready()).await;
    assert_eq!((state("bus"), state("b")), (Some(State::Up), Some(State::Standby)));

    assert!(view.scrape().contains("talon_component_up{component=\"a/doors\"} 1"));
    bus.grant(&[]);
    until("nothing runs here", || state("a") == Some(State::Standby)).await;
    until("nothing is told of it", || !view.scrape().contains("talon_component_up")).await;
    assert!(view.health.ready());
    assert!(engine.stop(Duration::from_secs(30)).await);
}
