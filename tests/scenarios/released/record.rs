//! Makes a fixture of the build that runs the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::json;
use talon_brokers::{Registry, unique};
use talon_runtime::metrics::Metrics;
use talon_runtime::registry::{Level, Options, Registry as Client};
use talon_runtime::{Engine, Parts, Setup};
use talon_schemas::Message;
use talon_schemas::result::RESULT;
use talon_sdk::Clock;
use talon_simulators::{contractor, enter_export, quickq};

use crate::bus::Site;
use crate::fixture::{Left, Registered, Seen, write_seen};
use crate::replay::{Notes, at_the_end, read_feeds, recording, replaying};
use crate::sites::{Urls, setups};
use crate::support::consumer::read;
use crate::support::producer::Producer;
use crate::support::{On, until};

/// 2024-07-10 12:00 in Moscow.
const NOON: i64 = 1_720_602_000_000;
const HOUR: i64 = 3_600_000;

/// The id of the command whose result stands on the topics.
pub(crate) const COMMAND: &str = "kept";

/// A registry in which what breaks the contract is registered all the same.
pub(crate) fn unchecked(url: &str) -> Client {
    let mut options = Options::of(url);
    options.compatibility = Level::named("NONE");
    Client::new(options).unwrap()
}

/// A process at work.
pub(crate) fn start(site: &Site, registry: Option<&str>, connectors: Vec<Setup>) -> Engine {
    tracing_subscriber::fmt().with_test_writer().try_init().ok();
    Engine::start(Parts {
        prefix: site.prefix.clone(),
        bus: site.bus(),
        registry: registry.map(unchecked),
        connectors,
        clock: Clock::System,
        metrics: Metrics::new().unwrap(),
    })
}

/// Reads the simulators, which go on a little, and writes down what stands on each bus then.
pub(crate) async fn record(version: &str) {
    let seen = seen().await;
    write_seen(version, &seen);
    for (on, bus) in [(On::Kafka, "kafka"), (On::Nats, "nats")] {
        for with_registry in [false, true] {
            let registry = with_registry.then(|| Registry::start("record").unwrap());
            let name = if with_registry { format!("{bus}-registry") } else { bus.to_owned() };
            left(on, registry.as_ref(), &seen).await.write(version, &name);
        }
    }
}

async fn seen() -> Seen {
    let field = contractor::Settings {
        calls: 3,
        seed: 7,
        external_token: crate::support::TOKEN.to_owned(),
        description_bytes: 60,
        large_descriptions: 0.0,
        naive_dates: true,
        ..contractor::Settings::default()
    };
    let field = contractor::Simulator::start(field).await.unwrap();
    let hall = quickq::Settings {
        seed: 7,
        workplaces: 3,
        visitors: 2,
        newer_fields: true,
        ..quickq::Settings::default()
    };
    let hall = quickq::Simulator::start(hall).await.unwrap();
    let queue = enter_export::Settings {
        seed: 7,
        branches: 2,
        tickets_per_day: 4,
        ..enter_export::Settings::default()
    };
    let queue = enter_export::Simulator::start(queue).await.unwrap();
    let clock: Arc<AtomicI64> = queue.clock();
    clock.store(NOON, Ordering::SeqCst);

    let urls = Urls { field: field.url(), hall: hall.url(), queue: queue.url() };
    let (notes, clock_of) = (Notes::default(), Clock::Manual(clock.clone()));
    // The queue is in 2024, the others are now.
    let mut all = setups(&urls, &Clock::System, &[]);
    all[2] = setups(&urls, &clock_of, &[]).remove(2);
    let setups = all;
    let feeds = read_feeds(&setups);
    let address = On::Kafka.shared("record").unwrap().to_owned();
    let site = Site { address, prefix: unique("record") };
    let recorded = setups.into_iter().map(|setup| recording(setup, &notes)).collect();
    let engine = start(&site, None, recorded);
    for round in 0..3 {
        let then = notes.reads(&feeds);
        until("all feeds are read", async || {
            let now = notes.reads(&feeds);
            now.iter().zip(&then).all(|(now, then)| now > then)
        })
        .await;
        if round < 2 {
            field.edit(8);
            hall.edit(16);
            clock.fetch_add(3 * HOUR, Ordering::SeqCst);
        }
    }
    assert!(engine.stop(Duration::from_secs(30)).await);
    notes.seen()
}

async fn left(on: On, registry: Option<&Registry>, seen: &Seen) -> Left {
    let address = on.shared("record").unwrap().to_owned();
    let site = Site { address, prefix: unique("record") };
    let setups = setups(&Urls::nowhere(), &Clock::System, &[]);
    let (notes, end) = (Notes::default(), at_the_end(seen, &setups));
    let feeds = read_feeds(&setups);
    let replayed = setups.iter().map(|setup| replaying(setup.clone(), seen, &end, &notes));
    let replayed: Vec<Setup> = replayed.collect();
    let engine = start(&site, registry.map(Registry::url), replayed);
    until("all is read", async || notes.reads(&feeds).iter().all(|reads| *reads > 0)).await;
    let command = json!({"id": COMMAND, "type": "CloseCall", "params": {"call_id": 1}});
    let topic = format!("{}.field.commands", site.prefix);
    Producer::new(&site.address).await.send(&topic, &[("1".to_owned(), command)]).await;
    // An intent and an outcome.
    let results = format!("{}.field.results", site.prefix);
    until("the command is settled", async || read(&site.address, &results).len() == 2).await;
    assert!(engine.stop(Duration::from_secs(30)).await);
    let mut left = Left { schemas: Vec::new(), records: site.records(&setups) };
    if let Some(registry) = registry {
        let client = Client::new(Options::of(registry.url())).unwrap();
        for setup in &setups {
            let plans = setup.connector.feeds().into_iter();
            let mut wanted: Vec<(String, &Message)> = plans
                .map(|plan| {
                    let contract = plan.spec.contract();
                    (format!("{}.{}", setup.name, plan.spec.name), contract.as_ref())
                })
                .collect();
            if !setup.connector.commands().is_empty() {
                wanted.push((format!("{}.results", setup.name), &*RESULT));
            }
            for (topic, message) in wanted {
                let subject = format!("{}.{topic}", site.prefix);
                let id = client.register(&subject, message).await.unwrap();
                left.schemas.push(Registered { topic, id });
            }
        }
    }
    left
}
