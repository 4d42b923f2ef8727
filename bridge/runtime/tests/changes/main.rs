//! Connectors that come, change and go while others run.
#![allow(clippy::unwrap_used)]

mod bus;
#[path = "../one_log/mod.rs"]
mod one_log;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bus::{Watched, setup};
use talon_runtime::engine::{Connectors, Wish};
use talon_runtime::health::State;
use talon_runtime::metrics::Metrics;
use talon_runtime::{Engine, Parts};
use talon_sdk::Clock;

const PATIENCE: Duration = Duration::from_secs(60);

/// Starts an engine with these connectors.
fn start(bus: &Watched, names: &[&str]) -> (Engine, Connectors) {
    let engine = Engine::start(Parts {
        prefix: "t".to_owned(),
        bus: Arc::new(bus.clone()),
        registry: None,
        connectors: names.iter().map(|name| setup(name)).collect(),
        clock: Clock::System,
        metrics: Metrics::new().unwrap(),
    });
    let connectors = engine.connectors();
    (engine, connectors)
}

async fn until(what: &str, met: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !met() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

fn pause() -> Wish {
    Wish::Keep { trouble: None }
}

/// It reads and commits.
async fn works(bus: &Watched, name: &str) {
    let before = bus.shard(name).commits;
    until(&format!("`{name}` commits"), || bus.shard(name).commits > before).await;
}

async fn rests(bus: &Watched, connectors: &Connectors, name: &str) {
    let is_still = || bus.shard(name).open == 0 && connectors.whereabouts(name).is_settled;
    until(&format!("`{name}` rests"), is_still).await;
}

fn shards(bus: &Watched) -> BTreeSet<String> {
    bus.member().0.current().as_ref().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn connectors_come_change_and_go_and_those_beside_them_are_never_disturbed() {
    let bus = Watched::default();
    let (engine, connectors) = start(&bus, &["beside"]);
    works(&bus, "beside").await;
    connectors.set("a", Wish::Run(setup("a")));
    works(&bus, "a").await;
    let view = engine.view();
    assert!(view.glance().feeds.iter().any(|(row, _)| row.connector == "a"));
    assert!(view.scrape().contains("connector=\"a\""));
    connectors.set("a", Wish::Run(setup("a")));
    until("it is opened again", || bus.shard("a").opened == 2).await;
    works(&bus, "a").await;
    connectors.set("a", pause());
    rests(&bus, &connectors, "a").await;
    let commits = bus.shard("a").commits;
    works(&bus, "beside").await;
    assert_eq!(bus.shard("a").commits, commits, "it does nothing");
    connectors.set("a", Wish::Run(setup("a")));
    works(&bus, "a").await;
    connectors.set("a", Wish::Forget);
    rests(&bus, &connectors, "a").await;
    assert!(view.glance().feeds.iter().all(|(row, _)| row.connector != "a"));
    assert!(!view.scrape().contains("connector=\"a\""), "{}", view.scrape());
    assert!(!view.health.components().contains_key("a"), "{:?}", view.health.components());
    works(&bus, "beside").await;
    assert_eq!((bus.shard("beside").opened, bus.shard("a").most), (1, 1));
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_keeps_its_shard_and_its_counters_and_what_is_stopped_gives_it_up() {
    let bus = Watched::default();
    let (engine, connectors) = start(&bus, &["a", "b"]);
    works(&bus, "a").await;
    connectors.set("a", pause());
    rests(&bus, &connectors, "a").await;
    assert!(shards(&bus).contains("a") && bus.member().1.granted().contains("a"));
    assert_eq!(connectors.whereabouts("a").owner, Ok(()));
    assert!(engine.view().scrape().contains("connector=\"a\""));
    assert!(engine.view().glance().feeds.iter().any(|(row, _)| row.connector == "a"));
    connectors.set("a", Wish::GiveUp);
    assert!(!shards(&bus).contains("a"));
    until("it is given up", || !bus.member().1.granted().contains("a")).await;
    connectors.set("a", Wish::Run(setup("a")));
    works(&bus, "a").await;
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_cannot_be_made_here_says_so_and_keeps_its_shard() {
    let bus = Watched::default();
    let (engine, connectors) = start(&bus, &["a"]);
    connectors.make_optional("b");
    let trouble = Some("`password` names no file".to_owned());
    connectors.set("b", Wish::Keep { trouble });
    works(&bus, "a").await;
    let shown = engine.view().health.components().remove("b").unwrap();
    assert_eq!(shown.state, State::Misconfigured);
    assert!(shards(&bus).contains("b"));
    assert!(engine.view().health.ready(), "the process is reachable, so that it can be mended");
    connectors.set("b", Wish::Run(setup("b")));
    works(&bus, "b").await;
    assert_eq!(engine.view().health.components()["b"].state, State::Up);
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_while_it_opens_ends_the_opening_and_nothing_is_taken_over() {
    let bus = Watched::default();
    bus.open_slowly("a", true);
    let (engine, connectors) = start(&bus, &["a"]);
    until("it is opening", || bus.shard("a").open == 1).await;
    connectors.set("a", pause());
    rests(&bus, &connectors, "a").await;
    assert_eq!(bus.shard("a").opened, 0);
    bus.open_slowly("a", false);
    connectors.set("a", Wish::Run(setup("a")));
    works(&bus, "a").await;
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_configuration_begins_when_everything_of_the_old_one_has_ended() {
    let bus = Watched::default();
    bus.open_slowly("opens", true);
    bus.commit_slowly("commits");
    let (engine, connectors) = start(&bus, &["opens", "commits"]);
    until("it is opening", || bus.shard("opens").open == 1).await;
    works(&bus, "commits").await;
    for name in ["opens", "commits"] {
        connectors.set(name, Wish::Run(setup(name)));
    }
    bus.open_slowly("opens", false);
    until("the new ones run", || bus.shard("commits").opened == 2).await;
    for name in ["opens", "commits"] {
        works(&bus, name).await;
        assert_eq!(bus.shard(name).most, 1, "`{name}`");
    }
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_changes_that_come_faster_than_they_can_be_made_the_newest_counts() {
    let bus = Watched::default();
    bus.commit_slowly("a");
    let (engine, connectors) = start(&bus, &["a", "beside"]);
    works(&bus, "a").await;
    let last_ones: [fn() -> Wish; 4] =
        [|| Wish::Forget, pause, || Wish::GiveUp, || Wish::Run(setup("a"))];
    for last in last_ones {
        // From several threads at once, and then one more.
        let changes = (0..4).map(|change| {
            let connectors = connectors.clone();
            tokio::task::spawn_blocking(move || {
                for number in 0..20 {
                    let wish = match (change + number) % 4 {
                        0 => Wish::Run(setup("a")),
                        1 => pause(),
                        2 => Wish::GiveUp,
                        _ => Wish::Forget,
                    };
                    connectors.set("a", wish);
                }
            })
        });
        for change in changes.collect::<Vec<_>>() {
            change.await.unwrap();
        }
        let last = last();
        let (runs, keeps) = (matches!(last, Wish::Run(_)), matches!(last, Wish::Keep { .. }));
        connectors.set("a", last);
        if runs {
            works(&bus, "a").await;
        } else {
            rests(&bus, &connectors, "a").await;
        }
        assert_eq!(shards(&bus).contains("a"), runs || keeps);
    }
    assert_eq!(bus.shard("a").most, 1, "never two at once");
    assert_eq!(bus.shard("beside").opened, 1);
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_while_the_process_stops_starts_nothing() {
    let bus = Watched::default();
    bus.commit_slowly("a");
    let (engine, connectors) = start(&bus, &["a"]);
    works(&bus, "a").await;
    // Each way into the end: what is at work, what is about to end, what is new.
    connectors.set("a", Wish::Run(setup("a")));
    let stopping = tokio::spawn(engine.stop(Duration::from_secs(30)));
    let late = connectors.clone();
    let changes = tokio::task::spawn_blocking(move || {
        for number in 0..50 {
            late.set("a", Wish::Run(setup("a")));
            late.set(&format!("new{number}"), Wish::Run(setup("new")));
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    assert!(stopping.await.unwrap(), "all that was read is committed");
    changes.await.unwrap();
    let opened = bus.shard("a").opened;
    connectors.set("a", Wish::Run(setup("a")));
    connectors.set("later", Wish::Run(setup("later")));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!((bus.shard("a").opened, bus.shard("a").open), (opened, 0));
    assert_eq!(bus.shard("later").opened, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_lost_and_found_meanwhile_changes_nothing_of_what_is_wanted() {
    let bus = Watched::default();
    let (engine, connectors) = start(&bus, &["a", "b"]);
    works(&bus, "a").await;
    let (shards, ownership) = bus.member();
    connectors.set("a", pause());
    ownership.withdraw();
    rests(&bus, &connectors, "a").await;
    rests(&bus, &connectors, "b").await;
    ownership.grant(&shards.current());
    works(&bus, "b").await;
    assert_eq!(bus.shard("a").open, 0, "it is paused");
    // Wanted while it is another's, and granted later.
    ownership.grant(&BTreeSet::from(["b".to_owned()]));
    connectors.set("a", Wish::Run(setup("a")));
    works(&bus, "b").await;
    assert_eq!(bus.shard("a").open, 0, "it is another's");
    ownership.grant(&shards.current());
    works(&bus, "a").await;
    assert_eq!((bus.shard("a").most, bus.shard("b").most), (1, 1));
    assert!(engine.stop(Duration::from_secs(30)).await);
}

/// Threads of this process.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_paused_connectors_have_no_thread_and_no_task() {
    let bus = Watched::default();
    let (engine, connectors) = start(&bus, &["beside"]);
    works(&bus, "beside").await;
    let (before, tasks) =
        (threads(), tokio::runtime::Handle::current().metrics().num_alive_tasks());
    for number in 0..1_000 {
        let name = format!("c{number}");
        connectors.set(&name, pause());
    }
    until("all are granted", || bus.member().1.granted().len() == 1_001).await;
    works(&bus, "beside").await;
    let after = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    // Other tests of this program run beside it.
    assert!(threads() < before + 100, "{before} and {} threads", threads());
    assert!(after < tasks + 10, "{tasks} and {after} tasks");
    assert!(engine.stop(Duration::from_secs(30)).await);
}
