//! Processes that share the work of a group, as engines with connectors that take long to let go.
//! Against a real Kafka.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use support::{World, until};
use talon_brokers::Kafka as Broker;
use talon_kafka::Kafka;
use talon_runtime::bus::{Bus, BusFault, Grant, Membership, ShardLog, ShardSpec};
use talon_runtime::engine::Wish;
use talon_runtime::health::State;
use talon_runtime::metrics::Metrics;
use talon_runtime::options::Options;
use talon_runtime::{Engine, Parts, Setup};
use talon_sdk::{Clock, Connector, Fault, Feed, FeedPlan, FeedSpec, Row, RowCodec, RowFault};
use tokio::task::JoinHandle;

mod contractor {
    talon_schemas::contracts! {
        "contractor":
        CALL = "call",
    }
}

/// A Kafka whose shards are never open: opening ends some time after the grant was taken back.
struct Slow {
    kafka: Kafka,
    lets_go: Duration,
    tenures: Mutex<Vec<Tenure>>,
}

/// One opening of a shard.
#[derive(Clone)]
struct Tenure {
    shard: String,
    grant: Grant,
    began: Instant,
    ended: Option<Instant>,
}

impl Bus for Slow {
    fn describe(&self) -> String {
        self.kafka.describe()
    }

    fn probe(&self) -> Result<String, BusFault> {
        self.kafka.probe()
    }

    fn join(&self, membership: Membership) -> JoinHandle<()> {
        self.kafka.join(membership)
    }

    fn open(&self, shard: &ShardSpec, grant: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        let (shard, grant) = (shard.name.clone(), grant.clone());
        let tenure = Tenure { shard, grant: grant.clone(), began: Instant::now(), ended: None };
        let place = {
            let mut tenures = self.tenures.lock().unwrap();
            tenures.push(tenure);
            tenures.len() - 1
        };
        let mut closed: Option<Instant> = None;
        while closed.is_none_or(|then| then.elapsed() < self.lets_go) && !grant.is_over() {
            if closed.is_none() && !grant.is_open() {
                closed = Some(Instant::now());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.tenures.lock().unwrap()[place].ended = Some(Instant::now());
        Err(BusFault::Revoked)
    }
}

/// A process of a group: an engine.
struct Process {
    bus: Arc<Slow>,
    engine: Option<Engine>,
    shards: BTreeSet<String>,
}

const ALL: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

fn start(world: &World, shards: &[&str], lets_go: Duration) -> Process {
    let bus = Arc::new(Slow { kafka: world.process(), lets_go, tenures: Mutex::default() });
    let _inside = world.runtime.enter();
    let engine = Engine::start(Parts {
        prefix: world.prefix.clone(),
        bus: bus.clone(),
        registry: None,
        connectors: shards.iter().map(|name| setup(name)).collect(),
        clock: Clock::System,
        metrics: Metrics::new().unwrap(),
    });
    let shards = shards.iter().map(|shard| (*shard).to_owned()).collect();
    Process { bus, engine: Some(engine), shards }
}

fn setup(name: &str) -> Setup {
    Setup {
        name: name.to_owned(),
        class: "none",
        options: Options::default(),
        connector: Arc::new(NeverOpen),
        commands: None,
    }
}

/// A connector with a feed that is never read, since its shard is never open.
struct NeverOpen;

fn feed() -> Arc<FeedSpec> {
    FeedSpec::table("call", &contractor::CALL).into()
}

#[async_trait]
impl Connector for NeverOpen {
    fn feeds(&self) -> Vec<FeedPlan> {
        let codec = Arc::new(NeverOpen);
        vec![FeedPlan { spec: feed(), interval: Duration::from_secs(60), codec }]
    }

    fn open(&self, _: &str) -> Result<Box<dyn Feed>, Fault> {
        unreachable!("no shard is opened")
    }

    async fn probe(&self) -> Result<String, Fault> {
        unreachable!("nobody probes it")
    }
}

impl RowCodec for NeverOpen {
    fn peek_key(&self, _: &[u8], _: &str, _: &mut String) -> bool {
        unreachable!("there are no rows")
    }

    fn decode(&self, _: &[u8], _: &str, _: &mut Row) -> Result<(), RowFault> {
        unreachable!("there are no rows")
    }
}

impl Process {
    fn tenures(&self) -> Vec<Tenure> {
        self.bus.tenures.lock().unwrap().clone()
    }

    /// The shards that it has and may run.
    fn runs(&self) -> BTreeSet<String> {
        let running = |tenure: &Tenure| tenure.ended.is_none() && tenure.grant.is_open();
        self.tenures().into_iter().filter(running).map(|tenure| tenure.shard).collect()
    }

    /// State and message of a connector's feeds.
    fn state(&self, shard: &str) -> (State, String) {
        let components = self.engine.as_ref().unwrap().view().health.components();
        components.get(shard).map_or((State::Starting, String::new()), |component| {
            (component.state, component.message.clone())
        })
    }

    /// State and message of the bus, where there is something to say.
    fn bus(&self) -> Option<(State, String)> {
        let components = self.engine.as_ref().unwrap().view().health.components();
        components.get("bus").map(|bus| (bus.state, bus.message.clone()))
    }

    fn stop(&mut self, world: &World, timeout: Duration) -> Duration {
        let since = Instant::now();
        world.runtime.block_on(self.engine.take().unwrap().stop(timeout));
        since.elapsed()
    }
}

fn world(broker: &Broker, session_ms: u64) -> World {
    let mut world = World::new(broker.bootstrap());
    world.set("session.timeout.ms", &session_ms.to_string());
    world.set("heartbeat.interval.ms", "300");
    world
}

#[test]
fn a_connector_that_takes_long_to_let_go_disturbs_no_other_and_is_run_once() {
    let Some(broker) = Broker::shared("hand_over") else { return };
    // A session that is shorter than the hand-over.
    let world = world(broker, 4_000);
    let lets_go = Duration::from_secs(15);
    let mut one = start(&world, &ALL, lets_go);
    until("the first has all", || one.runs() == one.shards);
    let first = one.tenures();
    let mut two = start(&world, &ALL, lets_go);
    until("the second has some", || !two.runs().is_empty());
    until("each connector is run by one", || one.runs().len() + two.runs().len() == ALL.len());
    assert!(one.runs().is_disjoint(&two.runs()));
    for tenure in first {
        let now = one.tenures().into_iter().rfind(|now| now.shard == tenure.shard).unwrap();
        match two.tenures().iter().find(|other| other.shard == tenure.shard) {
            // It moved: not before the first had let go of it.
            Some(other) => {
                let ended = now.ended.expect("it was let go");
                assert!(other.began >= ended, "`{}` was run twice", tenure.shard);
            }
            // It stayed, under the grant that it had.
            None => {
                assert!(tenure.grant.is_open(), "`{}` was disturbed", tenure.shard);
                assert_eq!(now.began, tenure.began);
            }
        }
    }
    one.stop(&world, Duration::from_secs(1));
    two.stop(&world, Duration::from_secs(1));
}

#[test]
fn a_connector_that_comes_is_run_at_once_and_one_that_goes_is_free_when_it_is_let_go() {
    let Some(broker) = Broker::shared("come_and_go") else { return };
    let world = world(broker, 4_000);
    let lets_go = Duration::from_secs(3);
    let mut one = start(&world, &ALL[..4], lets_go);
    let mut two = start(&world, &ALL[..4], lets_go);
    until("each connector is run by one", || one.runs().len() + two.runs().len() == 4);
    // The second one may join later, and then some move to it.
    let (mut seen, mut since) = (0, Instant::now());
    until("nothing moves any more", || {
        let now = one.tenures().len() + two.tenures().len();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        one.runs().len() + two.runs().len() == 4 && since.elapsed() > Duration::from_secs(6)
    });
    let before = (one.tenures(), two.tenures());
    let set = |wish: fn(&str) -> Wish| {
        for process in [&one, &two] {
            let connectors = process.engine.as_ref().unwrap().connectors();
            ALL[4..].iter().for_each(|name| connectors.set(name, wish(name)));
        }
    };
    let both = || one.runs().len() + two.runs().len();
    set(|name| Wish::Run(setup(name)));
    until("those that came are run", || both() == ALL.len());
    assert!(one.runs().is_disjoint(&two.runs()));
    // Given up, and wanted again before they are let go.
    set(|_| Wish::GiveUp);
    until("those that went are not run", || both() == 4);
    set(|name| Wish::Run(setup(name)));
    until("they are run again", || both() == ALL.len());
    set(|_| Wish::Forget);
    until("they are gone", || both() == 4);
    // And those beside them were never disturbed.
    for (then, now) in [(before.0, one.tenures()), (before.1, two.tenures())] {
        for tenure in then.iter().filter(|tenure| tenure.ended.is_none()) {
            assert!(tenure.grant.is_open(), "`{}` was disturbed", tenure.shard);
        }
        let mut all: Vec<&Tenure> = now.iter().collect();
        all.sort_by_key(|tenure| (&tenure.shard, tenure.began));
        for pair in all.windows(2).filter(|pair| pair[0].shard == pair[1].shard) {
            let ended = pair[0].ended.expect("it was let go");
            assert!(pair[1].began >= ended, "`{}` was run twice", pair[0].shard);
        }
    }
    one.stop(&world, Duration::from_secs(1));
    two.stop(&world, Duration::from_secs(1));
}

#[test]
fn a_process_that_leaves_during_a_release_does_not_hang() {
    let Some(broker) = Broker::shared("leaves") else { return };
    let world = world(broker, 4_000);
    // It never lets go by itself.
    let mut one = start(&world, &ALL, Duration::from_secs(3_600));
    until("the first has all", || one.runs() == one.shards);
    let mut two = start(&world, &ALL, Duration::ZERO);
    until("some are taken back", || one.runs().len() < ALL.len());
    let took = one.stop(&world, Duration::from_secs(2));
    assert!(took < Duration::from_secs(10), "{took:?}");
    until("the second has all", || two.runs() == two.shards);
    two.stop(&world, Duration::from_secs(2));
}

#[test]
fn a_group_whose_topic_is_taken_away_is_joined_again() {
    let Some(broker) = Broker::shared("taken_away") else { return };
    let mut world = world(broker, 4_000);
    world.set("topic.metadata.refresh.interval.ms", "500");
    let mut one = start(&world, &ALL, Duration::ZERO);
    until("it has all", || one.runs() == one.shards);
    let before = one.tenures();
    world.delete_topic("shards");
    until("all grants have ended", || before.iter().all(|tenure| !tenure.grant.is_open()));
    until("it has all again", || one.runs() == one.shards);
    one.stop(&world, Duration::from_secs(2));
}

#[test]
fn a_coordinator_that_answers_too_late_again_and_again_is_left_alone_for_a_while() {
    let Some(broker) = Broker::start("late") else { return };
    let world = world(&broker, 3_000);
    let mut one = start(&world, &ALL, Duration::ZERO);
    for _ in 0..3 {
        until("it has all", || one.runs() == one.shards);
        broker.pause();
        until("it is counted out", || one.runs().is_empty());
        broker.resume();
    }
    until("it says that it stays away, and why", || {
        one.bus().is_some_and(|(state, why)| {
            state == State::Unavailable
                && why.contains("3 times in a minute")
                && why.contains("session.timeout.ms")
        })
    });
    until("it has all again", || one.runs() == one.shards);
    one.stop(&world, Duration::from_secs(2));
}

#[test]
fn another_number_of_partitions_is_refused_with_the_remedy() {
    let Some(broker) = Broker::shared("number") else { return };
    let world = world(broker, 4_000);
    world.create_topic("shards", 6);
    let mut one = start(&world, &["a"], Duration::ZERO);
    until("it is refused", || matches!(one.bus(), Some((State::Misconfigured, _))));
    let (_, why) = one.bus().unwrap();
    assert!(why.contains("6 partitions") && why.contains("--partitions 32"), "{why}");
    assert!(one.runs().is_empty());
    world.grow("shards", 32);
    until("it has all", || one.runs() == one.shards);
    one.stop(&world, Duration::from_secs(2));
}

#[test]
fn a_process_that_stands_by_knows_who_runs_a_connector_and_that_nobody_does() {
    let Some(broker) = Broker::shared("presence") else { return };
    let world = world(broker, 1_000);
    // Two deployments of one group: the first has only some of the connectors, and is assigned
    // partitions of the others too.
    let mut one = start(&world, &ALL[..4], Duration::ZERO);
    until("the first has all of its own", || one.runs() == one.shards);
    let mut two = start(&world, &ALL, Duration::ZERO);
    let common = || one.runs().union(&two.runs()).cloned().collect::<BTreeSet<_>>();
    until("those that both have are run", || ALL[..4].iter().all(|s| common().contains(*s)));
    let (mut named, mut nobody) = (0, 0);
    until("the second knows of each connector", || {
        (named, nobody) = (0, 0);
        for shard in ALL {
            let (state, why) = two.state(shard);
            named += usize::from(state == State::Standby && why.contains('/'));
            nobody += usize::from(state == State::Unowned);
        }
        let known = named + nobody + two.runs().len() == ALL.len();
        known && one.runs().len() == named
    });
    assert!(nobody > 0, "the first is assigned none of the partitions that it cannot serve");
    // And that somebody runs them again.
    one.stop(&world, Duration::from_secs(2));
    until("the second has all", || two.runs() == two.shards);
    two.stop(&world, Duration::from_secs(2));
}

/// The process that is stopped and goes on; does nothing unless it is started as one.
#[test]
fn stopped_process() {
    let Ok(bootstrap) = std::env::var("TALON_TEST_STOPPED") else { return };
    let (bootstrap, prefix) = bootstrap.split_once(' ').unwrap();
    let mut world = World::new(bootstrap);
    world.prefix = prefix.to_owned();
    world.set("session.timeout.ms", "5000");
    world.set("heartbeat.interval.ms", "300");
    let process = start(&world, &ALL, Duration::ZERO);
    let mut last = String::new();
    loop {
        let over = process.tenures().iter().filter(|tenure| tenure.grant.is_over()).count();
        let line = format!("runs {} over {over}", process.runs().len());
        if line != last {
            println!("{line}");
            last = line;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_pause_within_the_session_costs_nothing_and_a_longer_one_all_grants() {
    let Some(broker) = Broker::shared("paused") else { return };
    let world = world(broker, 5_000);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "stopped_process", "--nocapture"])
        .env("TALON_TEST_STOPPED", format!("{} {}", world.bootstrap, world.prefix))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let reader = BufReader::new(child.stdout.take().unwrap());
    let into = lines.clone();
    std::thread::spawn(move || {
        for line in reader.lines().map_while(Result::ok) {
            into.lock().unwrap().push(line);
        }
    });
    let id = child.id().to_string();
    let signal = |name: &str| {
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    };
    let last = || lines.lock().unwrap().iter().rfind(|l| l.starts_with("runs")).cloned();
    until("it runs all", || last().as_deref() == Some("runs 8 over 0"));
    for _ in 0..2 {
        signal("STOP");
        std::thread::sleep(Duration::from_secs(2));
        signal("CONT");
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(last().as_deref(), Some("runs 8 over 0"), "{:?}", lines.lock().unwrap());
    }
    let mut other = start(&world, &ALL, Duration::ZERO);
    until("the other has some", || !other.runs().is_empty());
    until("both have all", || {
        last() == Some(format!("runs {} over 0", ALL.len() - other.runs().len()))
    });
    signal("STOP");
    until("the other has all", || other.runs() == other.shards);
    let seen = lines.lock().unwrap().len();
    signal("CONT");
    // Not one that was granted before is taken for its own any more.
    until("it has noticed", || lines.lock().unwrap().len() > seen);
    let next = lines.lock().unwrap()[seen].clone();
    assert!(next.starts_with("runs 0"), "{next}");
    until("they share again", || {
        let runs = other.runs().len();
        runs < ALL.len()
            && last().is_some_and(|l| l.starts_with(&format!("runs {} ", ALL.len() - runs)))
    });
    signal("KILL");
    child.wait().unwrap();
    other.stop(&world, Duration::from_secs(2));
}
