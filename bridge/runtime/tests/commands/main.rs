//! Commands with a bus and an upstream in memory, which fail wherever they are told to.
#![allow(clippy::unwrap_used)]

mod handed_over;
mod left;
mod memory;
mod poison;
#[path = "../recovery/registry.rs"]
mod registry;
mod unread;
mod upstream;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use talon_runtime::metrics::Metrics;
use talon_runtime::options::LaneOptions;
use talon_runtime::registry::Registry;
use talon_runtime::{Engine, Parts};
use talon_sdk::Clock;

use memory::{Failing, Memory};
use upstream::{HOUR_MS, Next, Upstream};

fn start(bus: &Memory, upstream: &Upstream, lane: impl FnOnce(&mut LaneOptions)) -> Engine {
    start_by(Clock::System, bus, upstream, lane)
}

fn start_by(
    clock: Clock,
    bus: &Memory,
    upstream: &Upstream,
    lane: impl FnOnce(&mut LaneOptions),
) -> Engine {
    start_as(clock, None, bus, upstream, lane)
}

fn start_as(
    clock: Clock,
    registry: Option<Registry>,
    bus: &Memory,
    upstream: &Upstream,
    lane: impl FnOnce(&mut LaneOptions),
) -> Engine {
    Engine::start(Parts {
        prefix: "t".to_owned(),
        bus: Arc::new(bus.clone()),
        registry,
        connectors: vec![upstream.setup(lane)],
        clock,
        metrics: Metrics::new().unwrap(),
    })
}

async fn until(what: &str, met: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !met() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "not within 30 s: {what}");
}

fn command(id: &str, kind: &str, call: u32) -> String {
    format!(r#"{{"id": "{id}", "type": "{kind}", "params": {{"call_id": {call}}}}}"#)
}

/// The partition that a key goes to, as the bus chooses it.
fn partition(key: &str) -> usize {
    key.len() % memory::PARTITIONS
}

fn put(bus: &Memory, id: &str, kind: &str, call: u32) {
    let key = call.to_string();
    bus.put(partition(&key), &key, &command(id, kind, call));
}

/// Runs what was put until everything is settled.
async fn settle(bus: &Memory, upstream: &Upstream) {
    let engine = start(bus, upstream, |_| {});
    until("everything is settled", || bus.is_settled()).await;
    assert!(engine.stop(Duration::from_secs(10)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_every_kind_of_command_gets_its_one_outcome() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    for (id, kind) in
        [("a", "Add"), ("p", "Put"), ("s", "Set"), ("o", "Off"), ("r", "Add"), ("f", "Add")]
    {
        put(&bus, id, kind, 7);
    }
    upstream.plan("r", [Next::Refuse]);
    upstream.plan("f", [Next::Forget, Next::Forget]);
    let late = r#"{"id": "e", "type": "Add", "params": {"call_id": 7}, "expires_at": "2020-01-01T00:00:00Z"}"#;
    bus.put(partition("7"), "7", late);
    let unmet =
        r#"{"id": "x", "type": "Set", "params": {"call_id": 7}, "expect": {"status": "closed"}}"#;
    bus.put(partition("7"), "7", unmet);
    bus.put(0, "", "hello");
    bus.put(0, "", r#"{"id": "m", "type": "Add", "params": {"call_id": "seven"}}"#);
    settle(&bus, &upstream).await;

    let outcomes: Vec<(String, Vec<String>)> = bus.outcomes().into_iter().collect();
    let expected = [
        ("a", "APPLIED"),
        ("e", "EXPIRED"),
        ("f", "UNKNOWN"),
        ("m", "REJECTED"),
        ("o", "REJECTED"),
        ("p", "APPLIED"),
        ("r", "REJECTED"),
        ("s", "APPLIED"),
        ("x", "REJECTED"),
    ];
    let expected: Vec<(String, Vec<String>)> =
        expected.map(|(id, outcome)| (id.to_owned(), vec![outcome.to_owned()])).into();
    assert_eq!(outcomes, expected);
    assert_eq!(upstream.effects(), ["a", "p", "s"]);

    let intents: Vec<String> = bus
        .results()
        .into_iter()
        .filter(|result| result.phase == "INTENT")
        .map(|result| result.command_id)
        .collect();
    assert_eq!(intents, ["a", "p", "r", "f"], "none for what is always repeat-safe");
    let unknown = bus
        .results()
        .into_iter()
        .find(|result| result.outcome.as_deref() == Some("UNKNOWN"))
        .unwrap();
    assert!(unknown.evidence.unwrap().contains("it cannot be told"));
    let dead = bus.dead();
    assert_eq!(dead.iter().map(|dead| dead.value.len()).collect::<Vec<_>>(), [5, 58]);
    assert_eq!(dead[0].value, b"hello");
    let header = |name: &str| dead[1].headers.iter().find(|(n, _)| *n == name).unwrap().1.clone();
    let message = String::from_utf8(header("__connect.errors.exception.message")).unwrap();
    assert_eq!(message, "`params.call_id` is another text, expected whole number");
    assert_eq!(header("__connect.errors.topic"), b"t.upstream.commands");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_a_lost_reply_is_read_back_and_never_sent_again_blindly() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    for (id, kind) in [("a", "Add"), ("p", "Put"), ("b", "Add"), ("q", "Put"), ("s", "Set")] {
        put(&bus, id, kind, 7);
    }
    upstream.plan("a", [Next::LoseReply]);
    upstream.plan("p", [Next::LoseReply]);
    upstream.plan("b", [Next::LoseRequest, Next::LoseRequest, Next::Busy]);
    upstream.plan("q", [Next::LoseRequest, Next::LoseReply]);
    upstream.plan("s", [Next::LoseRequest]);
    settle(&bus, &upstream).await;
    assert_eq!(upstream.effects(), ["a", "p", "b", "q", "s"]);
    assert!(bus.outcomes().values().all(|outcomes| outcomes == &["APPLIED"]));
    let attempts = |id: &str| {
        let results = bus.results();
        results.iter().rfind(|result| result.command_id == id).unwrap().attempts
    };
    assert_eq!([attempts("a"), attempts("b"), attempts("q"), attempts("s")], [1, 4, 2, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_be_delivered_ends_failed_and_lets_the_next_one_through() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "a", "Add", 7);
    put(&bus, "b", "Add", 7);
    upstream.plan("a", std::iter::repeat_n(Next::Busy, 1_000));
    let engine = start(&bus, &upstream, |lane| {
        lane.patience.retry_budget = Duration::from_millis(300);
    });
    until("everything is settled", || bus.is_settled()).await;
    assert!(engine.stop(Duration::from_secs(10)).await);
    let outcomes = bus.outcomes();
    assert_eq!(
        (&outcomes["a"][..], &outcomes["b"][..]),
        (&["FAILED".to_owned()][..], &["APPLIED".to_owned()][..])
    );
    assert_eq!(upstream.effects(), ["b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_command_with_the_same_id_is_a_duplicate_also_after_a_restart() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "a", "Add", 7);
    put(&bus, "a", "Add", 7);
    put(&bus, "a", "Add", 12);
    settle(&bus, &upstream).await;
    put(&bus, "a", "Add", 7);
    settle(&bus, &upstream).await;
    assert_eq!(upstream.effects(), ["a"]);
    assert_eq!(bus.outcomes()["a"], ["APPLIED", "DUPLICATE", "DUPLICATE", "DUPLICATE"]);
    let duplicate = bus.results().pop().unwrap();
    assert!(duplicate.evidence.unwrap().contains("\"outcome\":\"APPLIED\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_under_a_wrong_key_is_put_back_once_under_its_own() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    for id in ["a", "b", "c"] {
        bus.put(0, "somewhere", &command(id, "Add", 7));
    }
    settle(&bus, &upstream).await;
    assert_eq!(upstream.effects(), ["a", "b", "c"]);
    assert!(bus.outcomes().values().all(|outcomes| outcomes == &["APPLIED"]));
    let positions: Vec<String> = bus.results().into_iter().map(|result| result.position).collect();
    assert!(positions.iter().all(|position| position.starts_with("1/")), "{positions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_too_large_to_be_put_back_runs_where_it_stands() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    let text = "x".repeat(2_000);
    let large =
        format!(r#"{{"id": "a", "type": "Add", "params": {{"call_id": 7, "text": "{text}"}}}}"#);
    bus.put(0, "somewhere", &large);
    bus.put(0, "somewhere", &command("b", "Add", 7));
    settle(&bus, &upstream).await;
    let mut effects = upstream.effects();
    effects.sort();
    assert_eq!(effects, ["a", "b"]);
    assert!(bus.outcomes().values().all(|outcomes| outcomes == &["APPLIED"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_one_key_run_one_after_another_and_others_side_by_side() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    let ids: Vec<String> = (0..400).map(|i| format!("c{i:03}")).collect();
    for (i, id) in ids.iter().enumerate() {
        put(&bus, id, ["Add", "Put", "Set"][i % 3], (i % 20) as u32);
    }
    let engine = start(&bus, &upstream, |lane| lane.max_in_flight = 8);
    until("everything is settled", || bus.is_settled()).await;
    assert!(engine.stop(Duration::from_secs(10)).await);
    let effects = upstream.effects();
    for call in 0..20 {
        let of_call = |id: &&String| id[1..].parse::<usize>().unwrap() % 20 == call;
        let (done, sent): (Vec<_>, Vec<_>) =
            (effects.iter().filter(of_call).collect(), ids.iter().filter(of_call).collect());
        assert_eq!(done, sent, "the order of call {call}");
    }
    let state = upstream.0.lock().unwrap();
    assert_eq!(state.overlaps, 0);
    assert!(state.most > 4 && state.most <= 8, "{} at the same time", state.most);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_command_holds_up_only_its_own_key() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    upstream.plan("slow", [Next::Hang]);
    put(&bus, "slow", "Add", 1);
    put(&bus, "behind", "Add", 1);
    put(&bus, "other", "Add", 2);
    let engine = start(&bus, &upstream, |_| {});
    until("the slow one is sent", || upstream.effects().contains(&"slow".to_owned())).await;
    until("the other is applied", || bus.outcomes().contains_key("other")).await;
    assert!(!bus.outcomes().contains_key("behind"));
    // The process is killed while the slow one is under way: its reply never came.
    drop(engine);
    settle(&bus, &upstream).await;
    assert_eq!(bus.outcomes()["slow"], ["APPLIED"]);
    let (other, of_key): (Vec<_>, Vec<_>) =
        upstream.effects().into_iter().partition(|id| id == "other");
    assert_eq!((other.len(), of_key), (1, vec!["slow".to_owned(), "behind".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_a_clock_that_is_set_forward_does_not_make_absence_believed_too_early() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "a", "Add", 7);
    upstream.plan("a", [Next::StepAndLinger]);
    let clock = Clock::Manual(upstream.0.lock().unwrap().clock.clone());
    let engine = start_by(clock, &bus, &upstream, |lane| {
        lane.patience.settle = Duration::from_secs(2);
    });
    until("everything is settled", || bus.is_settled()).await;
    assert!(engine.stop(Duration::from_secs(10)).await);
    assert_eq!(upstream.effects(), ["a"]);
    assert_eq!(bus.outcomes()["a"], ["APPLIED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_an_intent_of_a_clock_that_was_ahead_is_not_waited_for() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "a", "Add", 7);
    upstream.plan("a", [Next::Vanish]);
    let at = |ms| Clock::Manual(Arc::new(AtomicI64::new(ms)));
    let killed = start_by(at(2 * HOUR_MS), &bus, &upstream, |_| {});
    until("it was sent", || upstream.0.lock().unwrap().plans["a"].is_empty()).await;
    drop(killed);
    let engine = start_by(at(HOUR_MS), &bus, &upstream, |_| {});
    until("everything is settled", || bus.is_settled()).await;
    assert!(engine.stop(Duration::from_secs(10)).await);
    assert_eq!(upstream.effects(), ["a"]);
    assert_eq!(bus.outcomes()["a"], ["APPLIED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_a_failure_at_any_commit_applies_nothing_twice_and_loses_nothing() {
    let seed: u64 = std::env::var("TALON_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| rand::rng().random());
    println!("TALON_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..20 {
        let (bus, upstream) = (Memory::default(), Upstream::default());
        let mut sent = Vec::new();
        for i in 0..12 {
            let id = format!("c{i}");
            let kind = ["Add", "Put", "Set"][random.random_range(0..3)];
            let call = random.random_range(0..4);
            let plan: Vec<Next> = (0..random.random_range(0..3))
                .map(|_| {
                    [Next::LoseReply, Next::LoseRequest, Next::Busy][random.random_range(0..3)]
                        .clone()
                })
                .collect();
            // What was done is not done again by a plan that goes on behind it.
            let end = plan
                .iter()
                .position(|next| *next == Next::LoseReply)
                .map_or(plan.len(), |at| at + 1);
            upstream.plan(&id, plan[..end].to_vec());
            put(&bus, &id, kind, call);
            sent.push((id, kind, call));
        }
        let engine = start(&bus, &upstream, |_| {});
        for _ in 0..4 {
            let how = if random.random() { Failing::Before } else { Failing::After };
            bus.fail(random.random_range(0..6), how);
            if random.random_range(0..4) == 0 {
                bus.fence();
            }
            tokio::time::sleep(Duration::from_millis(random.random_range(0..30))).await;
        }
        until("everything is settled", || bus.is_settled()).await;
        assert!(engine.stop(Duration::from_secs(10)).await);

        let effects = upstream.effects();
        let outcomes = bus.outcomes();
        for (id, kind, _) in &sent {
            assert_eq!(outcomes[id], ["APPLIED"], "round {round}, {kind} {id}");
            let times = effects.iter().filter(|effect| *effect == id).count();
            if *kind == "Set" {
                assert!(times >= 1, "round {round}, {kind} {id}");
            } else {
                assert_eq!(times, 1, "round {round}, {kind} {id}");
            }
        }
        for call in 0..4 {
            let sent: Vec<&String> =
                sent.iter().filter(|sent| sent.2 == call).map(|sent| &sent.0).collect();
            let mut done: Vec<&String> = effects.iter().filter(|id| sent.contains(id)).collect();
            done.dedup();
            let mut first = Vec::new();
            for id in done {
                if !first.contains(&id) {
                    first.push(id);
                }
            }
            assert_eq!(first, sent, "round {round}, the order of call {call}");
        }
        assert_eq!(upstream.0.lock().unwrap().overlaps, 0);
    }
}
