//! What a version makes of the topics of the one before it: nothing. And what it makes of topics that
//! have lost what stood on them. Against a real Kafka, a real NATS and a schema registry.
//!
//! The product has one version of each contract, so a connector of the test plays two: all contracts as
//! they are, and then each with a field more.
#![allow(clippy::unwrap_used)]

#[path = "upgrade/lane.rs"]
mod lane;
mod support;
#[path = "../../bridge/runtime/tests/recovery/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use support::consumer::read;
use support::{On, nats, until};
use talon_brokers::{Registry, unique};
use talon_kafka::Kafka;
use talon_nats::Nats;
use talon_runtime::bus::Bus;
use talon_runtime::metrics::Metrics;
use talon_runtime::registry::{Options, Registry as Client};
use talon_runtime::{Engine, Parts};
use talon_sdk::Clock;
use talon_sdk::config::{Secrets, Settings};
use world::{Upstream, Version, contracts, events, feeds};

/// A bus as a new process has it.
fn bus(address: &str, prefix: &str) -> Arc<dyn Bus> {
    if !address.starts_with("nats://") {
        let properties = [("bootstrap.servers".to_owned(), address.to_owned())];
        return Arc::new(Kafka::alone(properties.into(), prefix));
    }
    let keys = talon_nats::keys();
    let texts = [("servers".to_owned(), address.to_owned())].into();
    let mut settings = Settings::new(talon_nats::SECTION, &keys, texts, &Secrets::Unresolved);
    Arc::new(Nats::new(&mut settings, prefix).unwrap())
}

/// Where a test runs.
struct Place {
    address: String,
    prefix: String,
}

impl Place {
    fn of(on: On, test: &str) -> Option<Place> {
        Some(Place { address: on.shared(test)?.to_owned(), prefix: unique(test) })
    }

    /// Runs a process until all feeds were read three times, and gives its `talon_memory_lost_total`.
    async fn run(&self, registry: Option<&str>, upstream: &Upstream) -> f64 {
        self.run_with(registry, upstream, true).await
    }

    /// The same with or without before images.
    async fn run_with(
        &self,
        registry: Option<&str>,
        upstream: &Upstream,
        before_images: bool,
    ) -> f64 {
        tracing_subscriber::fmt().with_test_writer().try_init().ok();
        let metrics = Metrics::new().unwrap();
        let setup = upstream.setup(|options| {
            options.partitions = 2;
            options.before_images = before_images;
        });
        let wanted = setup.connector.feeds().len();
        let engine = Engine::start(Parts {
            prefix: self.prefix.clone(),
            bus: bus(&self.address, &self.prefix),
            registry: registry.map(|url| Client::new(Options::of(url)).unwrap()),
            connectors: vec![setup],
            clock: Clock::System,
            metrics: metrics.clone(),
        });
        let value = |line: &str| line.rsplit(' ').next().and_then(|text| text.parse::<f64>().ok());
        until("all feeds are read", async || {
            let text = metrics.text();
            let ok = text.lines().filter(|line| {
                line.starts_with("talon_observations_total{") && value(line) >= Some(3.0)
            });
            ok.count() == wanted
        })
        .await;
        assert!(engine.stop(Duration::from_secs(30)).await);
        let text = metrics.text();
        let lost = text.lines().filter(|line| line.starts_with("talon_memory_lost_total{"));
        lost.filter_map(value).sum()
    }

    /// Registers the schemas of a version, all at the same time. The registry of these tests cannot take
    /// many at once, and the client must see to that.
    async fn register(&self, url: &str, version: Version) {
        let client = Client::new(Options::of(url)).unwrap();
        let mut registering = tokio::task::JoinSet::new();
        for (feed, contract) in contracts(version) {
            let (client, topic) = (client.clone(), self.topic(feed));
            registering.spawn(async move { client.register(&topic, contract).await.map(drop) });
        }
        for registered in registering.join_all().await {
            assert_eq!(registered, Ok(()));
        }
    }

    fn topic(&self, feed: &str) -> String {
        format!("{}.c.{feed}", self.prefix)
    }

    /// The events of a feed. A bus may keep the newest record of an entity only.
    fn events(&self, feed: &str) -> Vec<String> {
        let records = read(&self.address, &self.topic(feed));
        let records = records.iter().map(|record| (record.key.as_str(), record.value.as_deref()));
        events(feed, Version::After, records)
    }

    /// The events of one entity after another, each entity's in order.
    fn sorted(&self, feed: &str) -> Vec<String> {
        let key =
            |event: &String| event.split(' ').nth(1).unwrap().trim_end_matches('*').to_owned();
        let mut events = self.events(feed);
        events.sort_by_key(key);
        events
    }
}

/// What becomes of the registry between the versions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Registered {
    Never,
    Kept,
    /// It begins anew, so that ids name other schemas or none.
    Lost,
}

async fn upgraded(on: On, registered: Registered) {
    let Some(place) = Place::of(on, "upgrade") else { return };
    let registry = || Registry::start("upgrade");
    let before = match registered {
        Registered::Never => None,
        _ => match registry() {
            None => return,
            found => found,
        },
    };
    let upstream = Upstream::new(&["1", "2", "3"]);
    if let Some(registry) = &before {
        place.register(registry.url(), Version::Before).await;
    }
    place.run(before.as_ref().map(Registry::url), &upstream.as_it_came()).await;
    for feed in feeds() {
        assert_eq!(place.sorted(feed), ["c 1", "c 2", "c 3"], "{feed}");
    }

    let after = match registered {
        Registered::Lost => registry(),
        _ => before,
    };
    let url = after.as_ref().map(Registry::url);
    if let Some(url) = url {
        place.register(url, Version::After).await;
    }
    upstream.edit("2");
    upstream.remove("3");
    let later = upstream.read_by(Version::After);
    place.run(url, &later).await;
    upstream.edit("4");
    place.run(url, &later).await;
    for feed in feeds() {
        let expected = ["c 1", "c 2", "u 2*", "c 3", "d 3*", "tombstone 3", "c 4"];
        assert_eq!(place.sorted(feed), expected, "{feed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_with_a_field_more_in_every_contract_publishes_nothing_on_kafka() {
    upgraded(On::Kafka, Registered::Never).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_with_a_field_more_in_every_contract_publishes_nothing_on_nats() {
    upgraded(On::Nats, Registered::Never).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_with_a_registry_on_kafka() {
    upgraded(On::Kafka, Registered::Kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_with_a_registry_on_nats() {
    upgraded(On::Nats, Registered::Kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_with_a_registry_that_was_lost_on_kafka() {
    upgraded(On::Kafka, Registered::Lost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_with_a_registry_that_was_lost_on_nats() {
    upgraded(On::Nats, Registered::Lost).await;
}

/// JSON texts stand on the topics as the upstream spelled them; this version spells them in its own way.
async fn respelled(on: On) {
    for before_images in [true, false] {
        let Some(place) = Place::of(on, "respelled") else { return };
        let upstream = Upstream::new(&["1", "2", "3"]);
        place.run_with(None, &upstream.as_it_came(), before_images).await;
        for feed in feeds() {
            assert_eq!(place.sorted(feed), ["c 1", "c 2", "c 3"], "{feed}");
        }
        place.run_with(None, &upstream, before_images).await;
        upstream.edit("2");
        place.run_with(None, &upstream, before_images).await;
        let update = if before_images { "u 2*" } else { "u 2" };
        for feed in feeds() {
            assert_eq!(place.sorted(feed), ["c 1", "c 2", update, "c 3"], "{feed}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_is_no_event_also_after_an_upgrade_from_texts_as_they_came_on_kafka() {
    respelled(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_is_no_event_also_after_an_upgrade_from_texts_as_they_came_on_nats() {
    respelled(On::Nats).await;
}

async fn unreadable(on: On) {
    let Some(place) = Place::of(on, "unreadable") else { return };
    let feed = feeds()[0];
    let upstream = Upstream::new(&["1", "2", "3"]).only(&[feed]);
    place.run(None, &upstream).await;
    upstream.remove("3");
    place.run(None, &upstream).await;
    upstream.remove("2");
    // It takes the entities of an unknown version for what they are, and what is gone for gone.
    let forgetful = upstream.read_by(Version::Forgetful);
    for _ in 0..2 {
        place.run(None, &forgetful).await;
        let expected = ["c 1", "u 1", "c 2", "d 2", "tombstone 2", "c 3", "d 3*", "tombstone 3"];
        assert_eq!(place.sorted(feed), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_4_entities_that_cannot_be_read_are_updated_or_deleted_on_kafka() {
    unreadable(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_4_entities_that_cannot_be_read_are_updated_or_deleted_on_nats() {
    unreadable(On::Nats).await;
}

/// All records of the connector's feeds go, and the checkpoints stay.
async fn lose_topic(place: &Place, feed: &str) {
    if place.address.starts_with("nats://") {
        let jetstream = nats::jetstream(&place.address).await;
        let name = jetstream.stream_by_subject(format!("{}.x", place.topic(feed))).await.unwrap();
        jetstream.get_stream(name).await.unwrap().purge().await.unwrap();
        return;
    }
    let admin: rdkafka::admin::AdminClient<_> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", &place.address).create().unwrap();
    let topic = place.topic(feed);
    let deleted = admin.delete_topics(&[&topic], &rdkafka::admin::AdminOptions::new()).await;
    deleted.unwrap().into_iter().next().unwrap().unwrap();
    until("the topic is gone", async || read(&place.address, &topic).is_empty()).await;
}

async fn lost(on: On) {
    let Some(place) = Place::of(on, "memory") else { return };
    let feed = feeds()[3];
    let upstream = Upstream::new(&["1", "2", "3"]).only(&[feed]).by_cursor(true);
    assert_eq!((place.run(None, &upstream).await, upstream.begun()), (0.0, 1));
    assert_eq!((place.run(None, &upstream).await, upstream.begun()), (0.0, 0));
    lose_topic(&place, feed).await;
    upstream.edit("1");
    assert_eq!((place.run(None, &upstream).await, upstream.begun()), (1.0, 1));
    assert_eq!(place.sorted(feed), ["r 1", "r 2", "r 3"]);
    assert_eq!((place.run(None, &upstream).await, upstream.begun()), (0.0, 0));
    assert_eq!(place.sorted(feed), ["r 1", "r 2", "r 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_a_topic_that_is_deleted_while_its_checkpoint_stays_is_filled_again() {
    lost(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_a_stream_that_is_purged_while_its_checkpoint_stays_is_filled_again() {
    lost(On::Nats).await;
}
