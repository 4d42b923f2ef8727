//! The group on a real server: who runs which shard, and that nobody is disturbed by another.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use talon_brokers::Nats as Server;
use talon_nats::Nats;
use talon_runtime::bus::{Bus, BusFault, Grant, Membership, ShardLog, ShardSpec};
use talon_runtime::engine::Wish;
use talon_runtime::health::State;
use talon_runtime::metrics::Metrics;
use talon_runtime::options::Options;
use talon_runtime::{Engine, Parts, Setup};
use talon_sdk::{Clock, Connector, Fault, Feed, FeedPlan, FeedSpec, Row, RowCodec, RowFault};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::support::World;

mod contractor {
    talon_schemas::contracts! {
        "contractor":
        CALL_MESSAGE = "call_message",
    }
}

fn spec() -> Arc<FeedSpec> {
    FeedSpec::log("nothing", &contractor::CALL_MESSAGE).into()
}

/// A connector that is never asked.
struct Silent;

#[async_trait]
impl Connector for Silent {
    fn feeds(&self) -> Vec<FeedPlan> {
        vec![FeedPlan { spec: spec(), interval: Duration::from_secs(1), codec: Arc::new(Silent) }]
    }

    fn open(&self, _: &str) -> Result<Box<dyn Feed>, Fault> {
        unreachable!("its shard never opens")
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok(String::new())
    }
}

impl RowCodec for Silent {
    fn peek_key(&self, _: &[u8], _: &str, _: &mut String) -> bool {
        false
    }

    fn decode(&self, _: &[u8], _: &str, _: &mut Row) -> Result<(), RowFault> {
        unreachable!("it has no rows")
    }
}

/// What happened, in all processes.
#[derive(Default)]
struct Told {
    /// Who runs a shard at this moment.
    running: BTreeMap<String, &'static str>,
    /// Who opened it, one after another.
    opened: BTreeMap<String, Vec<&'static str>>,
    /// Shards that were run by two at once.
    twice: BTreeSet<String>,
    /// Grants that ended while the shard was still let go.
    cut_short: BTreeSet<String>,
}

#[derive(Clone, Default)]
struct History(Arc<Mutex<Told>>);

impl History {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many shards a process runs.
    fn count(&self, process: &str) -> usize {
        self.told().running.values().filter(|by| **by == process).count()
    }

    fn openings(&self) -> usize {
        self.told().opened.values().map(Vec::len).sum()
    }

    fn check(&self) {
        let told = self.told();
        assert_eq!(told.twice, BTreeSet::new(), "run by two at once: {:?}", told.opened);
        assert_eq!(told.cut_short, BTreeSet::new());
    }
}

/// NATS decides who runs what; a shard runs until its grant ends, and then takes a while to be let go.
struct Joining {
    nats: Nats,
    process: &'static str,
    lets_go: Duration,
    history: History,
}

impl Bus for Joining {
    fn describe(&self) -> String {
        self.nats.describe()
    }

    fn probe(&self) -> Result<String, BusFault> {
        self.nats.probe()
    }

    fn join(&self, membership: Membership) -> JoinHandle<()> {
        self.nats.join(membership)
    }

    fn open(&self, shard: &ShardSpec, grant: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        let name = shard.name.clone();
        {
            let mut told = self.history.told();
            told.opened.entry(name.clone()).or_default().push(self.process);
            if told.running.insert(name.clone(), self.process).is_some() {
                told.twice.insert(name.clone());
            }
        }
        while grant.is_open() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let since = Instant::now();
        while since.elapsed() < self.lets_go {
            if grant.is_over() {
                self.history.told().cut_short.insert(name.clone());
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.history.told().running.remove(&name);
        Err(BusFault::Revoked)
    }
}

fn setup(name: &str) -> Setup {
    Setup {
        name: name.to_owned(),
        class: "test",
        options: Options::default(),
        connector: Arc::new(Silent),
        commands: None,
    }
}

/// A process of the group, with a runtime of its own.
struct Process {
    runtime: Runtime,
    engine: Option<Engine>,
}

impl Process {
    fn start(
        world: &World,
        history: &History,
        process: &'static str,
        shards: &[String],
        lets_go: Duration,
    ) -> Process {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let (nats, history) = (world.process(), history.clone());
        let bus = Joining { nats, process, lets_go, history };
        let inside = runtime.enter();
        let engine = Engine::start(Parts {
            prefix: world.prefix.clone(),
            bus: Arc::new(bus),
            registry: None,
            connectors: shards.iter().map(|name| setup(name)).collect(),
            clock: Clock::System,
            metrics: Metrics::new().unwrap(),
        });
        drop(inside);
        Process { runtime, engine: Some(engine) }
    }

    /// What it shows of a shard.
    fn shows(&self, shard: &str) -> (State, String) {
        let components = self.engine.as_ref().unwrap().view().health.components();
        let component = components.get(shard);
        component.map_or((State::Starting, String::new()), |c| (c.state, c.message.clone()))
    }

    /// Stands still for so long, as a process that is swapped out does.
    fn stand_still(&self, how_long: Duration) {
        self.runtime.spawn(async move { std::thread::sleep(how_long) });
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            self.runtime.block_on(engine.stop(Duration::from_secs(10)));
        }
    }
}

fn world(server: &Server, ttl: Duration) -> World {
    let mut world = World::new(server.url());
    world.extra.push(("lease.ttl.ms", ttl.as_millis().to_string()));
    world
}

fn shards(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("s{number:03}")).collect()
}

#[track_caller]
fn until(what: &str, met: impl Fn() -> bool) {
    let since = Instant::now();
    while !met() {
        assert!(since.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Nothing is opened any more for so long.
fn at_rest(history: &History, how_long: Duration) {
    let before = history.openings();
    let since = Instant::now();
    while since.elapsed() < how_long {
        assert_eq!(history.openings(), before, "{:?}", history.told().opened);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_connector_that_comes_is_run_at_once_and_one_that_goes_is_free_when_it_is_let_go() {
    let Some(server) = Server::shared("come_and_go") else { return };
    let ttl = Duration::from_secs(2);
    let (world, history) = (world(server, ttl), History::default());
    let one = Process::start(&world, &history, "one", &shards(3), ttl);
    let two = Process::start(&world, &history, "two", &shards(3), ttl);
    let both = || history.count("one") + history.count("two");
    let is_shared = |all: usize, apart: usize| {
        let (one, two) = (history.count("one"), history.count("two"));
        one + two == all && one.abs_diff(two) <= apart
    };
    until("all run, and are shared out", || is_shared(3, 1));
    at_rest(&history, ttl * 2);
    let set = |wish: fn(&str) -> Wish| {
        for process in [&one, &two] {
            let connectors = process.engine.as_ref().unwrap().connectors();
            shards(9)[3..].iter().for_each(|name| connectors.set(name, wish(name)));
        }
    };
    let openings = |shard: &str| history.told().opened.get(shard).map_or(0, Vec::len);
    let before: Vec<usize> = shards(3).iter().map(|shard| openings(shard)).collect();
    set(|name| Wish::Run(setup(name)));
    until("those that came run", || both() == 9);
    until("they are shared out", || is_shared(9, 1));
    // Given up, and wanted again before they are let go.
    set(|_| Wish::GiveUp);
    set(|name| Wish::Run(setup(name)));
    until("they are opened again", || shards(9)[3..].iter().all(|shard| openings(shard) >= 2));
    until("all run", || both() == 9);
    set(|_| Wish::Forget);
    until("they are gone, and the others shared out", || is_shared(3, 1));
    at_rest(&history, ttl * 2);
    history.check();
    assert!(history.told().cut_short.is_empty(), "all were let go in time");
    // Those that stayed may have moved, as the shares changed; none was opened for anything else.
    let after: Vec<usize> = shards(3).iter().map(|shard| openings(shard)).collect();
    assert!(before.iter().zip(&after).all(|(then, now)| now - then <= 2), "{before:?} {after:?}");
}

#[test]
fn a_hand_over_that_takes_longer_than_a_lease_disturbs_no_other() {
    let Some(server) = Server::shared("a_hand_over_that_takes_longer") else { return };
    let ttl = Duration::from_secs(2);
    let (world, history) = (world(server, ttl), History::default());
    let lets_go = ttl * 3;
    let one = Process::start(&world, &history, "one", &shards(6), lets_go);
    until("all run in one process", || history.count("one") == 6);
    let since = Instant::now();
    let _two = Process::start(&world, &history, "two", &shards(6), Duration::ZERO);
    until("three have moved", || history.count("two") == 3);
    assert!(since.elapsed() >= lets_go, "none moved before it was let go");
    assert!(since.elapsed() < lets_go * 2, "they are let go side by side");
    history.check();
    at_rest(&history, ttl * 2);
    let told = history.told();
    assert!(told.opened.values().all(|opened| opened.len() <= 2), "{:?}", told.opened);
    assert_eq!(told.opened.values().filter(|opened| opened.len() == 1).count(), 3);
    drop(told);
    until("it says who runs them", || {
        let shown = shards(6).iter().map(|shard| one.shows(shard)).collect::<Vec<_>>();
        let standby = shown.iter().filter(|(state, _)| *state == State::Standby);
        let named = |message: &str| message.ends_with(&format!(":{}` runs it", std::process::id()));
        standby.filter(|(_, message)| named(message)).count() == 3
    });
}

#[test]
fn a_renewal_whose_answer_was_lost_fences_nobody() {
    let Some(server) = Server::shared("a_renewal_whose_answer_was_lost") else { return };
    let ttl = Duration::from_secs(2);
    let (world, history) = (world(server, ttl), History::default());
    let _one = Process::start(&world, &history, "one", &shards(3), Duration::ZERO);
    until("all run", || history.count("one") == 3);
    // As the server has it after such a renewal: the same entry, with a revision that its owner did
    // not hear of.
    let jetstream = world.jetstream();
    for turn in 0..30 {
        world.runtime.block_on(async {
            let store = jetstream.get_key_value(format!("{}_leases", world.prefix)).await.unwrap();
            let key = format!("shard.s{:03}", turn % 3);
            let entry = store.entry(&key).await.unwrap().unwrap();
            store.put(&key, entry.value).await.unwrap();
        });
        std::thread::sleep(ttl / 10);
    }
    history.check();
    assert_eq!(history.openings(), 3);
}

#[test]
fn a_server_that_does_not_answer_for_half_a_lease_loses_nothing() {
    let Some(server) = Server::start("a_server_that_does_not_answer") else { return };
    let ttl = Duration::from_secs(5);
    let (world, history) = (world(&server, ttl), History::default());
    let _one = Process::start(&world, &history, "one", &shards(4), Duration::ZERO);
    let _two = Process::start(&world, &history, "two", &shards(4), Duration::ZERO);
    until("work is shared", || history.count("one") == 2 && history.count("two") == 2);
    let before = history.openings();
    for _ in 0..4 {
        server.pause();
        std::thread::sleep(ttl / 2);
        server.resume();
        std::thread::sleep(ttl / 2);
    }
    history.check();
    assert_eq!(history.openings(), before, "{:?}", history.told().opened);
}

#[test]
fn a_server_that_is_away_for_longer_than_a_lease_moves_nothing() {
    let Some(server) = Server::start("a_server_that_is_away") else { return };
    let ttl = Duration::from_secs(2);
    let (world, history) = (world(&server, ttl), History::default());
    let _one = Process::start(&world, &history, "one", &shards(4), Duration::ZERO);
    let _two = Process::start(&world, &history, "two", &shards(4), Duration::ZERO);
    until("work is shared", || history.count("one") == 2 && history.count("two") == 2);
    let before = history.told().running.clone();
    server.pause();
    until("what nobody can confirm is let go", || history.told().running.is_empty());
    server.resume();
    until("all run again", || history.told().running.len() == 4);
    history.check();
    assert_eq!(history.told().running, before);
}

#[test]
fn a_hundred_and_fifty_shards_settle_with_one_move_at_most() {
    let Some(server) = Server::shared("a_hundred_and_fifty_shards") else { return };
    let ttl = Duration::from_secs(5);
    let (world, history) = (world(server, ttl), History::default());
    let (shards, lets_go) = (shards(150), Duration::from_millis(300));
    let start = |process| Process::start(&world, &history, process, &shards, lets_go);
    let (_one, _two) = std::thread::scope(|scope| {
        let two = scope.spawn(|| start("two"));
        (start("one"), two.join().unwrap())
    });
    until("work is shared", || history.count("one") == 75 && history.count("two") == 75);
    let three = start("three");
    until("so it is with a third", || {
        ["one", "two", "three"].iter().all(|process| history.count(process) == 50)
    });
    at_rest(&history, ttl * 2);
    history.check();
    for (shard, opened) in &history.told().opened {
        // At the start, and when the third came.
        assert!(opened.len() <= 3, "{shard}: {opened:?}");
    }
    let before = history.openings();
    drop(three);
    until("what it ran is shared again", || history.count("one") + history.count("two") == 150);
    at_rest(&history, ttl);
    assert_eq!(history.openings(), before + 50, "what the others run stays undisturbed");
}

#[test]
fn processes_that_start_at_the_same_time_move_each_shard_once_at_most() {
    let Some(server) = Server::shared("processes_that_start_at_the_same_time") else { return };
    let ttl = Duration::from_secs(3);
    for turn in 0..5 {
        let (world, history) = (world(server, ttl), History::default());
        let shards = shards(8);
        let start = |process| Process::start(&world, &history, process, &shards, Duration::ZERO);
        let (_one, _two) = std::thread::scope(|scope| {
            let two = scope.spawn(|| start("two"));
            (start("one"), two.join().unwrap())
        });
        until("work is shared", || history.count("one") == 4 && history.count("two") == 4);
        at_rest(&history, ttl);
        history.check();
        let told = history.told();
        assert!(told.opened.values().all(|opened| opened.len() <= 2), "{turn}: {:?}", told.opened);
    }
}

#[test]
fn a_process_that_stood_still_does_nothing_more_with_what_another_took() {
    let Some(server) = Server::shared("a_process_that_stood_still") else { return };
    let ttl = Duration::from_secs(2);
    let (world, history) = (world(server, ttl), History::default());
    let one = Process::start(&world, &history, "one", &shards(1), Duration::ZERO);
    until("it runs", || history.count("one") == 1);
    let _two = Process::start(&world, &history, "two", &shards(1), Duration::ZERO);
    one.stand_still(ttl * 3);
    // The thread of the shard is not still, and its grant has lapsed when the other one takes over.
    until("the other one has it", || history.count("two") == 1);
    history.check();
    std::thread::sleep(ttl * 3);
    at_rest(&history, ttl);
    assert_eq!(history.told().opened["s000"], ["one", "two"]);
    until("it says who runs it", || one.shows("s000").0 == State::Standby);
    history.check();
}

#[test]
fn two_deployments_with_different_connectors_come_to_rest() {
    let Some(server) = Server::shared("two_deployments") else { return };
    let ttl = Duration::from_secs(2);
    let (world, history) = (world(server, ttl), History::default());
    let all = shards(5);
    let whole = Process::start(&world, &history, "whole", &all[..4], Duration::ZERO);
    until("all of one run", || history.count("whole") == 4);
    let part = Process::start(&world, &history, "part", &all[2..], Duration::ZERO);
    until("all run", || history.told().running.len() == 5);
    until("nothing moves", || {
        let before = history.openings();
        std::thread::sleep(ttl * 2);
        history.openings() == before
    });
    at_rest(&history, ttl * 2);
    history.check();
    assert_eq!(history.told().running["s004"], "part", "only it is configured for that");
    assert_eq!(history.told().running["s000"], "whole");
    let runs = history.told().running.clone();
    for (process, name, configured) in [(&whole, "whole", &all[..4]), (&part, "part", &all[2..])] {
        for shard in configured.iter().filter(|shard| runs[*shard] != name) {
            let (state, message) = process.shows(shard);
            assert_eq!(state, State::Standby, "{shard}: {message}");
            assert!(message.ends_with("` runs it"), "{shard}: {message}");
        }
    }
}
