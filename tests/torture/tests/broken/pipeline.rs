//! An engine in this process, beside what it should have done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::Registry;
use talon_brokers::{Kafka, unique};
use talon_runtime::bus::Bus;
use talon_runtime::metrics::Metrics;
use talon_runtime::options::Options;
use talon_runtime::{Engine, Parts, Setup};
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{Class, Clock, Context, UpstreamMetrics};
use talon_torture::check::{Property, check};
use talon_torture::driver::drive;
use talon_torture::facts::{Facts, Issued, Sight};
use talon_torture::recorder::Recorder;
use talon_torture::subject::{self, Size, Subject};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::bus::{Broken, Defect};

const PATIENCE: Duration = Duration::from_secs(90);
const GLANCE: Duration = Duration::from_millis(100);
const SEED: u64 = 4;

/// Runs a test on a runtime that does not wait for the engines, which nobody stops.
pub(crate) fn to_its_end(test: impl Future<Output = ()>) {
    struct Abandoned(Option<Runtime>);
    impl Drop for Abandoned {
        fn drop(&mut self) {
            self.0.take().unwrap().shutdown_background();
        }
    }
    let runtime = Abandoned(Some(Runtime::new().unwrap()));
    runtime.0.as_ref().unwrap().block_on(test);
}

pub(crate) struct Pipeline {
    pub(crate) subject: Arc<dyn Subject>,
    recorder: Recorder,
    engines: Vec<Engine>,
    sights: Vec<Sight>,
}

impl Pipeline {
    /// An upstream, and topics of its own; `None` where the test is skipped.
    pub(crate) async fn start(test: &str) -> Option<Pipeline> {
        let address = tokio::task::block_in_place(|| Kafka::shared(test))?.bootstrap().to_owned();
        let subject = subject::start("contractor", SEED, Size::Usual).await.unwrap();
        let (prefix, connector) = (unique(test), "field".to_owned());
        let recorder = Recorder { address, prefix, connector };
        Some(Pipeline { subject, recorder, engines: Vec::new(), sights: Vec::new() })
    }

    /// The connector as it should be.
    pub(crate) fn setup(&self) -> Setup {
        let class = talon_contractor::Contractor;
        let (keys, secrets) = (class.keys(), Secrets::Resolve(Arc::default()));
        let mut texts: BTreeMap<_, _> =
            self.subject.settings(self.subject.address()).into_iter().collect();
        // Those are the runtime's.
        texts.retain(|key, _| keys.iter().any(|known| known.name == key.as_str()));
        let mut settings = Settings::new("", &keys, texts, &secrets);
        let metrics = UpstreamMetrics::register(&Registry::new()).unwrap();
        let context = Context { name: "field".to_owned(), clock: Clock::System, metrics };
        let connector = class.configure(&mut settings, context);
        let problems = settings.into_problems();
        let mut options = Options::default();
        options.lane.patience.settle = Duration::from_millis(500);
        Setup {
            name: "field".to_owned(),
            class: "contractor",
            options,
            connector: connector.unwrap_or_else(|| panic!("{problems:?}")),
            commands: class.commands(),
        }
    }

    /// The bus with a defect.
    pub(crate) fn bus(&self, defect: Defect) -> Arc<dyn Bus> {
        let address = self.recorder.address.clone();
        let properties = BTreeMap::from([("bootstrap.servers".to_owned(), address)]);
        let kafka = talon_kafka::Kafka::alone(properties, &self.recorder.prefix);
        Arc::new(Broken::new(kafka, defect))
    }

    /// Starts an engine.
    pub(crate) fn run(&mut self, bus: Arc<dyn Bus>, setup: Setup) {
        self.engines.push(Engine::start(Parts {
            prefix: self.recorder.prefix.clone(),
            bus,
            registry: None,
            connectors: vec![setup],
            clock: Clock::System,
            metrics: Metrics::new().unwrap(),
        }));
    }

    /// Waits until every engine reads its feeds and takes commands.
    pub(crate) async fn up(&self) {
        let since = Instant::now();
        let is_up = |engine: &Engine| {
            let components = engine.view().health.components();
            let state = |name| components.get(name).map(|component| component.state);
            let up = Some(talon_runtime::health::State::Up);
            state("field/commands") == up
        };
        while !self.engines.iter().all(is_up) {
            let glance = self.engines[0].view().glance();
            assert!(since.elapsed() < PATIENCE, "not up: {:?}", glance.components);
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Issues so many commands.
    pub(crate) async fn issue(&self, count: usize) -> Vec<Issued> {
        self.up().await;
        let (stop, stopped) = watch::channel(false);
        let Recorder { address, prefix, connector } = &self.recorder;
        let topic = format!("{prefix}.{connector}.commands");
        let pause = Duration::from_millis(20);
        let driving = drive(address, &topic, &*self.subject, SEED, pause, stopped);
        let enough = async {
            tokio::time::sleep(pause * u32::try_from(count).unwrap() * 2).await;
            stop.send_replace(true);
        };
        tokio::join!(driving, enough).0.unwrap()
    }

    /// Waits until something is published, changes among it.
    pub(crate) async fn published(&mut self) {
        let mut first = None;
        self.until(&[], |facts| {
            let count: usize = facts.feeds[0].published.values().map(Vec::len).sum();
            count > *first.get_or_insert(count) + 20
        })
        .await;
    }

    /// Waits until the checker finds a breach of one of these.
    pub(crate) async fn catches(&mut self, issued: &[Issued], properties: &[Property]) {
        self.until(issued, |facts| {
            check(facts).iter().any(|finding| properties.contains(&finding.property))
        })
        .await;
    }

    /// Records until `met`.
    pub(crate) async fn until(
        &mut self,
        issued: &[Issued],
        mut met: impl FnMut(&Facts) -> bool,
    ) -> Facts {
        let since = Instant::now();
        loop {
            self.sights.extend(self.recorder.sights(&*self.subject).await.unwrap());
            let mut facts = self.recorder.facts(&*self.subject).await.unwrap();
            facts.sights.clone_from(&self.sights);
            facts.commands.issued = issued.to_vec();
            if met(&facts) {
                return facts;
            }
            let found = check(&facts);
            let shown = &found[..found.len().min(5)];
            assert!(since.elapsed() < PATIENCE, "seed {SEED}: not met; found {shown:#?}");
            tokio::time::sleep(GLANCE).await;
        }
    }
}
