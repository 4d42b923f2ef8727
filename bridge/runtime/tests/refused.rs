//! What operators do to a bus: one that fails each commit, in every way, and topics that lose what is kept on
//! them.
#![allow(clippy::unwrap_used)]

mod one_log;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use one_log::OneLog;
use talon_runtime::bus::{
    Append, Bus, BusFault, ConnectorTopics, Grant, Place, Recovered, ShardLog, ShardSpec,
};
use talon_runtime::health::State;
use talon_runtime::metrics::Metrics;
use talon_runtime::options::Options;
use talon_runtime::{Engine, Parts, Setup};
use talon_sdk::Clock;

/// A bus that fails each commit, or none; when it was opened, and what its topics lose.
#[derive(Clone, Default)]
struct Failing {
    fault: Option<BusFault>,
    opened: Arc<Mutex<Vec<Instant>>>,
    losses: Arc<Mutex<Vec<String>>>,
    /// How many connectors were looked at together.
    looks: Arc<Mutex<Vec<usize>>>,
}

impl Bus for Failing {
    fn describe(&self) -> String {
        "failing".to_owned()
    }

    fn probe(&self) -> Result<String, BusFault> {
        Ok(String::new())
    }

    fn inspect(&self, connectors: &[ConnectorTopics]) -> Vec<Result<Vec<String>, BusFault>> {
        self.looks.lock().unwrap().push(connectors.len());
        connectors.iter().map(|_| Ok(self.losses.lock().unwrap().clone())).collect()
    }

    fn open(&self, _: &ShardSpec, _: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        self.opened.lock().unwrap().push(Instant::now());
        Ok(Box::new(self.clone()))
    }
}

impl ShardLog for Failing {
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
        self.fault.clone().map_or(Ok(()), Err)
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        Ok(())
    }
}

async fn until(mut met: impl FnMut() -> bool) {
    tokio::time::timeout(Duration::from_secs(60), async {
        while !met() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

fn start(bus: &Failing) -> Engine {
    start_with(bus, &["one".to_owned()])
}

fn start_with(bus: &Failing, connectors: &[String]) -> Engine {
    let options = Options { before_images: false, ..Options::default() };
    Engine::start(Parts {
        prefix: "t".to_owned(),
        bus: Arc::new(bus.clone()),
        registry: None,
        connectors: connectors
            .iter()
            .map(|name| Setup {
                name: name.clone(),
                class: "test",
                options,
                connector: Arc::new(OneLog::of(|| "1".to_owned())),
                commands: None,
            })
            .collect(),
        clock: Clock::System,
        metrics: Metrics::new().unwrap(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_topics_lose_is_a_state_and_a_metric_while_it_is_so_and_stops_nothing() {
    let bus = Failing::default();
    bus.losses.lock().unwrap().push("topic `t.one.one`: it loses".to_owned());
    let engine = start(&bus);
    let view = engine.view();
    let up = |value: u8| {
        let series = format!("talon_component_up{{component=\"one/topics\"}} {value}");
        view.metrics.text().lines().any(|line| line == series)
    };
    until(|| up(0)).await;
    let shown = view.health.components()["one/topics"].clone();
    assert_eq!(shown.state, State::Misconfigured);
    assert!(shown.message.contains("t.one.one"), "{}", shown.message);
    until(|| view.health.components().get("one").is_some_and(|one| one.state == State::Up)).await;
    assert!(view.health.ready(), "the connector works");
    bus.losses.lock().unwrap().clear();
    until(|| up(1)).await;
    engine.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_looks_at_the_topics_of_all_its_connectors_together() {
    let bus = Failing::default();
    bus.losses.lock().unwrap().push("it loses".to_owned());
    let names: Vec<String> = (0..30).map(|number| format!("c{number}")).collect();
    let engine = start_with(&bus, &names);
    let components = || engine.view().health.components();
    until(|| names.iter().all(|name| components().contains_key(&format!("{name}/topics")))).await;
    assert_eq!(bus.looks.lock().unwrap()[0], 30);
    engine.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_failing_commit_loops_without_back_off_whatever_fails() {
    let why = || "refused".to_owned();
    // How often it is opened before the test looks at the pauses; those that rest for long need no more
    // than their state.
    for (fault, opens, shown) in [
        (BusFault::Unavailable(why()), 5, Some(State::Unavailable)),
        (BusFault::Aborted(why()), 5, Some(State::Recovering)),
        (BusFault::TooLarge(why()), 5, Some(State::Recovering)),
        (BusFault::Revoked, 5, None),
        (BusFault::Misconfigured(why()), 1, Some(State::Misconfigured)),
        (BusFault::Fenced(why()), 1, Some(State::Fenced)),
    ] {
        let bus = Failing { fault: Some(fault.clone()), ..Failing::default() };
        let engine = start(&bus);
        until(|| bus.opened.lock().unwrap().len() >= opens).await;
        let state = || engine.view().health.components().get("one").map(|one| one.state);
        if let Some(shown) = shown {
            until(|| state() == Some(shown)).await;
        }
        let opened = bus.opened.lock().unwrap().clone();
        // At least half of 200, 400, 800 and 1,600 ms; a slow machine only adds to it.
        let least = [100, 200, 400, 800].map(Duration::from_millis);
        for (pair, least) in opened.windows(2).zip(least) {
            assert!(pair[1] - pair[0] >= least, "{}: {opened:?}", fault.kind());
        }
        engine.stop(Duration::from_secs(5)).await;
    }
}
