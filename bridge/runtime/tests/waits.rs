//! A feed that must not go on before its cursor is committed.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use talon_runtime::bus::{Append, Bus, BusFault, Grant, Place, Recovered, ShardLog, ShardSpec};
use talon_runtime::metrics::Metrics;
use talon_runtime::options::Options;
use talon_runtime::{Engine, Parts, Setup};
use talon_sdk::{
    Clock, Connector, Coverage, Cursor, Fault, Feed, FeedPlan, FeedSpec, Observation, Row,
    RowCodec, RowFault, Rows,
};

mod contractor {
    talon_schemas::contracts! {
        "contractor":
        CALL = "call",
    }
}

/// What happened, in order.
#[derive(Clone, Default)]
struct World {
    events: Arc<Mutex<Vec<String>>>,
    /// A cursor whose checkpoint is refused for its size, as long as it stands here.
    too_large: Arc<Mutex<Option<&'static str>>>,
}

impl World {
    fn say(&self, event: String) {
        self.events.lock().unwrap().push(event);
    }

    fn said(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }
}

impl Bus for World {
    fn describe(&self) -> String {
        "memory".to_owned()
    }

    fn probe(&self) -> Result<String, BusFault> {
        Ok(String::new())
    }

    fn open(&self, _: &ShardSpec, _: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        Ok(Box::new(self.clone()))
    }
}

impl ShardLog for World {
    fn recover(
        &mut self,
        _: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        Ok(())
    }

    fn append(&mut self, _: &Append<'_>) -> Result<(), BusFault> {
        Ok(())
    }

    fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        for (_, checkpoint) in checkpoints {
            let checkpoint: serde_json::Value = serde_json::from_slice(checkpoint).unwrap();
            let cursor = checkpoint["cursor"].as_str().unwrap();
            if *self.too_large.lock().unwrap() == Some(cursor) {
                return Err(BusFault::TooLarge("too large".to_owned()));
            }
            // A commit takes its time, and the feed has time to be too early.
            std::thread::sleep(Duration::from_millis(20));
            self.say(format!("committed {cursor}"));
        }
        Ok(())
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        Ok(())
    }
}

/// An upstream whose calls are counted by the cursor.
#[async_trait]
impl Connector for World {
    fn feeds(&self) -> Vec<FeedPlan> {
        let spec = FeedSpec::table("counted", &contractor::CALL).into();
        let interval = Duration::from_millis(1);
        vec![FeedPlan { spec, interval, codec: Arc::new(NoRows) }]
    }

    fn open(&self, _: &str) -> Result<Box<dyn Feed>, Fault> {
        self.say("opened".to_owned());
        Ok(Box::new(self.clone()))
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok(String::new())
    }
}

#[async_trait]
impl Feed for World {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let made = from.map_or(0, |cursor| cursor.0.parse::<u32>().unwrap());
        self.say(format!("called with {made}"));
        Ok(Observation {
            scope: String::new(),
            coverage: Coverage::Incomplete,
            rows: Rows::default(),
            cursor: Some(Cursor((made + 1).to_string())),
            snapshot: false,
            as_of_ms: 0,
        })
    }

    fn waits_for_commit(&self) -> bool {
        true
    }
}

struct NoRows;

impl RowCodec for NoRows {
    fn peek_key(&self, _: &[u8], _: &str, _: &mut String) -> bool {
        false
    }

    fn decode(&self, _: &[u8], _: &str, _: &mut Row) -> Result<(), RowFault> {
        Err(RowFault("there are no rows".to_owned()))
    }
}

async fn run(world: &World, until: impl Fn(&[String]) -> bool) -> Vec<String> {
    let setup = Setup {
        name: "counted".to_owned(),
        class: "none",
        options: Options::default(),
        connector: Arc::new(world.clone()),
        commands: None,
    };
    let engine = Engine::start(Parts {
        prefix: "talon".to_owned(),
        bus: Arc::new(world.clone()),
        registry: None,
        connectors: vec![setup],
        clock: Clock::System,
        metrics: Metrics::new().unwrap(),
    });
    tokio::time::timeout(Duration::from_secs(60), async {
        while !until(&world.said()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    engine.stop(Duration::from_secs(5)).await;
    world.said()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_written_down_first_is_made_when_that_is_committed_and_at_once() {
    let world = World::default();
    // Without waiting, a checkpoint without events is written every ten seconds.
    let said = run(&world, |said| said.iter().any(|event| event == "called with 5")).await;
    for number in 1..=5 {
        let place = |event: &str| said.iter().position(|said| said == event).unwrap();
        let (committed, called) =
            (place(&format!("committed {number}")), place(&format!("called with {number}")));
        assert!(committed < called, "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_cursor_cannot_be_committed_the_feed_begins_from_the_one_before() {
    let world = World::default();
    *world.too_large.lock().unwrap() = Some("3");
    let again = |said: &[String]| said.iter().filter(|event| *event == "called with 2").count() > 1;
    let said = run(&world, again).await;
    assert!(!said.iter().any(|event| event == "called with 3"), "{said:?}");
    assert!(said.iter().filter(|event| *event == "opened").count() > 1, "{said:?}");
}
