//! What is read back of topics that another version wrote, or that have lost what stood on them.
#![allow(clippy::unwrap_used)]

mod memory;
mod registry;
mod world;

use std::sync::Arc;
use std::time::Duration;

use talon_runtime::metrics::Metrics;
use talon_runtime::options::Options;
use talon_runtime::registry::Registry;
use talon_runtime::{Engine, Parts};
use talon_sdk::Clock;

use memory::{Memory, Record};
use registry::Losable;
use world::{Upstream, Version, events, feeds};

struct Process {
    engine: Engine,
    metrics: Metrics,
    /// How many feeds are read.
    feeds: usize,
}

impl Process {
    fn start(bus: &Memory, registry: Option<Registry>, upstream: &Upstream) -> Process {
        Process::start_with(bus, registry, upstream, |_| {})
    }

    fn start_with(
        bus: &Memory,
        registry: Option<Registry>,
        upstream: &Upstream,
        change: impl FnOnce(&mut Options),
    ) -> Process {
        let metrics = Metrics::new().unwrap();
        let setup = upstream.setup(change);
        let feeds = setup.connector.feeds().len();
        let engine = Engine::start(Parts {
            prefix: "t".to_owned(),
            bus: Arc::new(bus.clone()),
            registry,
            connectors: vec![setup],
            clock: Clock::System,
            metrics: metrics.clone(),
        });
        Process { engine, metrics, feeds }
    }

    /// Until every feed has been read so often, and all of it is committed.
    async fn reads(&self, times: usize) {
        let enough = |line: &&str| {
            let count = line.rsplit(' ').next().and_then(|count| count.parse::<usize>().ok());
            line.starts_with("talon_observations_total{") && count.is_some_and(|n| n >= times)
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), async {
            while self.metrics.text().lines().filter(enough).count() < self.feeds {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(waited.await.is_ok(), "not within 60 s: {times} reads of every feed");
    }

    fn metric(&self, name: &str) -> usize {
        let text = self.metrics.text();
        let samples = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        samples.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum()
    }

    async fn stop(self) {
        assert!(self.engine.stop(Duration::from_secs(20)).await);
    }
}

/// Runs a process until every feed was read three times.
async fn run(bus: &Memory, registry: Option<Registry>, upstream: &Upstream) {
    let process = Process::start(bus, registry, upstream);
    process.reads(3).await;
    process.stop().await;
}

/// The events of all feeds must be these.
fn check(bus: &Memory, expected: &[&str]) {
    for feed in feeds() {
        let records = bus.records(feed);
        let records = records.iter().map(|record| (record.key.as_str(), record.value.as_deref()));
        assert_eq!(events(feed, Version::After, records), expected, "{feed}");
    }
}

/// What a version makes of topics that the one before it wrote: nothing, but of what has changed.
const UPGRADED: [&str; 7] = ["c 1", "c 2", "c 3", "u 2*", "d 3*", "tombstone 3", "c 4"];

async fn upgraded(bus: &Memory, registry: Option<Registry>, upstream: &Upstream) {
    upstream.edit("2");
    upstream.remove("3");
    let after = upstream.read_by(Version::After);
    run(bus, registry.clone(), &after).await;
    upstream.edit("4");
    run(bus, registry, &after).await;
    check(bus, &UPGRADED);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_version_with_a_field_more_reads_the_topics_of_the_one_before() {
    let (bus, upstream) = (Memory::default(), Upstream::new(&["1", "2", "3"]));
    run(&bus, None, &upstream).await;
    upgraded(&bus, None, &upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_is_no_event_also_after_an_upgrade_from_texts_as_they_came() {
    for (before_images, update) in [(true, "u 2*"), (false, "u 2")] {
        let (bus, upstream) = (Memory::default(), Upstream::new(&["1", "2", "3"]));
        let run = async |upstream: &Upstream| {
            let process = Process::start_with(&bus, None, upstream, |options| {
                options.before_images = before_images;
            });
            process.reads(3).await;
            process.stop().await;
        };
        run(&upstream.as_it_came()).await;
        run(&upstream).await;
        check(&bus, &["c 1", "c 2", "c 3"]);
        upstream.edit("2");
        run(&upstream.read_by(Version::After)).await;
        check(&bus, &["c 1", "c 2", "c 3", update]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_and_so_it_does_with_a_registry() {
    let (bus, upstream) = (Memory::default(), Upstream::new(&["1", "2", "3"]));
    let registry = Losable::start();
    run(&bus, Some(registry.client()), &upstream).await;
    upgraded(&bus, Some(registry.client()), &upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_and_so_it_does_when_the_registry_was_lost_and_each_id_is_asked_for_once() {
    let (bus, upstream) = (Memory::default(), Upstream::new(&["1", "2", "3"]));
    let registry = Losable::start();
    run(&bus, Some(registry.client()), &upstream).await;
    registry.lose(101);
    upstream.edit("2");
    upstream.remove("3");
    let after = upstream.read_by(Version::After);
    run(&bus, Some(registry.client()), &after).await;
    let asked = registry.state().asked.clone();
    assert_eq!(asked.len(), feeds().len(), "{asked:?}");
    assert!(asked.values().all(|times| *times == 1), "{asked:?}");
    upstream.edit("4");
    run(&bus, Some(registry.client()), &after).await;
    check(&bus, &UPGRADED);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_and_so_it_does_when_the_registry_has_other_schemas_under_the_ids() {
    for next in [1, 5, 20] {
        let (bus, upstream) = (Memory::default(), Upstream::new(&["1", "2", "3"]));
        let registry = Losable::start();
        run(&bus, Some(registry.client()), &upstream).await;
        registry.lose(next);
        upgraded(&bus, Some(registry.client()), &upstream).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_and_so_it_does_when_the_registry_is_not_used_any_more() {
    let (bus, upstream) = (Memory::default(), Upstream::new(&["1", "2", "3"]));
    let registry = Losable::start();
    run(&bus, Some(registry.client()), &upstream).await;
    upgraded(&bus, None, &upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_and_so_it_does_in_json() {
    let (bus, upstream) = (Memory::default(), Upstream::new(&["1", "2", "3"]));
    let json = |options: &mut Options| options.format = talon_runtime::options::Format::Json;
    let process = Process::start_with(&bus, None, &upstream, json);
    process.reads(3).await;
    process.stop().await;
    upstream.edit("2");
    upstream.remove("3");
    let process = Process::start_with(&bus, None, &upstream.read_by(Version::After), json);
    process.reads(3).await;
    process.stop().await;
    check(&bus, &UPGRADED[..6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_4_of_what_cannot_be_read_the_key_is_known() {
    let (bus, upstream) = (Memory::default(), Upstream::new(&["1", "2", "3", "4"]));
    run(&bus, None, &upstream).await;
    upstream.remove("4");
    run(&bus, None, &upstream).await;
    // Where a bus keeps no tombstones, the delete is the last word.
    for records in bus.state().topics.values_mut() {
        assert!(records.pop().unwrap().value.is_none());
    }
    upstream.remove("3");
    let forgetful = upstream.read_by(Version::Forgetful);
    run(&bus, None, &forgetful).await;
    let first = ["c 1", "c 2", "c 3", "c 4", "d 4*"];
    check(&bus, &[&first[..], &["u 1", "u 2", "d 3", "tombstone 3"]].concat());
    // And from then on as ever.
    upstream.edit("1");
    run(&bus, None, &forgetful).await;
    check(&bus, &[&first[..], &["u 1", "u 2", "d 3", "tombstone 3", "u 1*"]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_talon_did_not_write_is_passed_over() {
    let (bus, upstream) = (Memory::default(), Upstream::new(&["1"]));
    run(&bus, None, &upstream).await;
    for records in bus.state().topics.values_mut() {
        let strange = Record { key: "x".to_owned(), value: Some(b"hello".to_vec()), id: None };
        records.push(strange);
    }
    run(&bus, None, &upstream).await;
    check(&bus, &["c 1", "foreign x"]);
}

/// A feed that reads from a cursor on.
fn by_cursor() -> (Memory, Upstream, &'static str) {
    let feed = feeds()[3];
    (Memory::default(), Upstream::new(&["1", "2", "3", "4"]).by_cursor(true).only(&[feed]), feed)
}

fn of(bus: &Memory, feed: &str) -> Vec<String> {
    let records = bus.records(feed);
    let records = records.iter().map(|record| (record.key.as_str(), record.value.as_deref()));
    events(feed, Version::Before, records)
}

/// A process until three reads: how often its feed began anew, and what the metric says.
async fn start(bus: &Memory, upstream: &Upstream) -> (usize, usize) {
    let process = Process::start(bus, None, upstream);
    process.reads(3).await;
    let lost = process.metric("talon_memory_lost_total");
    process.stop().await;
    (upstream.begun(), lost)
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_a_topic_that_was_deleted_under_its_checkpoint_is_filled_again() {
    let (bus, upstream, feed) = by_cursor();
    assert_eq!(start(&bus, &upstream).await, (1, 0));
    assert_eq!(start(&bus, &upstream).await, (0, 0), "all is there");
    bus.state().topics.clear();
    upstream.edit("1");
    assert_eq!(start(&bus, &upstream).await, (1, 1));
    assert_eq!(of(&bus, feed), ["r 1", "r 2", "r 3", "r 4"]);
    assert_eq!(start(&bus, &upstream).await, (0, 0), "and only once");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_a_part_that_is_lost_is_noticed_and_what_is_known_publishes_nothing() {
    let (bus, upstream, feed) = by_cursor();
    start(&bus, &upstream).await;
    bus.state().topics.get_mut(feed).unwrap().remove(1);
    assert_eq!(start(&bus, &upstream).await, (1, 1));
    assert_eq!(of(&bus, feed), ["r 1", "r 3", "r 4", "r 2"]);
    assert_eq!(start(&bus, &upstream).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_restored_with_older_data_is_corrected_by_a_whole_list() {
    let (bus, upstream, feed) = by_cursor();
    let upstream = upstream.by_cursor(false);
    start(&bus, &upstream).await;
    let backup = bus.records(feed);
    upstream.edit("1");
    upstream.remove("2");
    start(&bus, &upstream).await;
    let told = of(&bus, feed).len();
    assert!(told > backup.len(), "{:?}", of(&bus, feed));
    let restored = backup.len();
    bus.state().topics.insert(feed.to_owned(), backup);
    start(&bus, &upstream).await;
    let again = of(&bus, feed);
    assert_eq!(again.len(), told, "what was lost, and no more: {again:?}");
    assert!(again[restored..].iter().any(|event| event.starts_with("u 1")), "{again:?}");
    assert!(again[restored..].iter().any(|event| event.starts_with("d 2")), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_older_data_of_as_many_entities_is_noticed_by_where_the_topic_ends() {
    let (bus, upstream, feed) = by_cursor();
    start(&bus, &upstream).await;
    let backup = bus.records(feed);
    upstream.edit("1");
    assert_eq!(start(&bus, &upstream).await, (0, 0), "read on from the cursor");
    let told = of(&bus, feed);
    assert_eq!(told, ["r 1", "r 2", "r 3", "r 4", "u 1*"]);
    bus.state().topics.insert(feed.to_owned(), backup);
    assert_eq!(start(&bus, &upstream).await, (1, 1));
    assert_eq!(of(&bus, feed), told, "what was lost is published again, and what is known is not");
    assert_eq!(start(&bus, &upstream).await, (0, 0), "and only once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_is_not_missed() {
    let (bus, upstream, feed) = by_cursor();
    start(&bus, &upstream).await;
    // Deletes that came after the checkpoint; of one nothing but the tombstone is left.
    let checkpoints = bus.state().checkpoints.clone();
    upstream.remove("2");
    upstream.remove("3");
    start(&bus, &upstream.by_cursor(false)).await;
    bus.state().checkpoints = checkpoints;
    let mut records = bus.records(feed);
    assert_eq!(records.len(), 8, "{:?}", of(&bus, feed));
    records.remove(4);
    bus.state().topics.insert(feed.to_owned(), records);
    assert_eq!(start(&bus, &upstream).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_a_version_that_did_not_count_is_believed() {
    let (bus, upstream, _) = by_cursor();
    start(&bus, &upstream).await;
    bus.state().topics.clear();
    for checkpoint in bus.state().checkpoints.values_mut() {
        let mut json: serde_json::Value = serde_json::from_slice(checkpoint).unwrap();
        for told in ["entities", "ends"] {
            json.as_object_mut().unwrap().remove(told).unwrap();
        }
        *checkpoint = json.to_string().into_bytes();
    }
    assert_eq!(start(&bus, &upstream).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_that_is_too_large_for_the_bus_is_not_missed_at_each_start() {
    let (bus, upstream, feed) = by_cursor();
    bus.state().largest = Some(10);
    start(&bus, &upstream).await;
    assert_eq!(of(&bus, feed), [""; 0]);
    assert_eq!(start(&bus, &upstream).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_whose_entities_cannot_be_read_reads_them_again_once() {
    let (bus, upstream, feed) = by_cursor();
    start(&bus, &upstream).await;
    upstream.remove("4");
    let forgetful = upstream.read_by(Version::Forgetful);
    assert_eq!(start(&bus, &forgetful).await, (1, 1));
    assert_eq!(of(&bus, feed), ["r 1", "r 2", "r 3", "r 4", "u 1", "u 2", "u 3"]);
    assert_eq!(start(&bus, &forgetful).await, (0, 0), "what stays unreadable is not missed again");
}
