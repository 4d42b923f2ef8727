//! A process that reads one feed, in simulated time: it commits, waits, dies and begins again as the
//! runtime does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::Value;
use talon_connect1c::{Connect1C, contracts};
use talon_schemas::{Contract, Envelope, Instants, Op, Source};
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{
    Class, Clock, Connector, Context, Coverage, Cursor, Fault, Feed, Observation, Row, RowCodec,
    UpstreamMetrics,
};
use talon_simulators::connect1c::{Simulator, Treatment, by_document};

pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;

/// 2024-07-10 12:00 UTC.
pub(crate) const NOON: i64 = 1_720_612_800_000;

/// A simulator whose clock stands at [`NOON`].
pub(crate) async fn upstream(settings: talon_simulators::connect1c::Settings) -> Simulator {
    let upstream = Simulator::start(settings).await.unwrap();
    upstream.clock().store(NOON, Ordering::SeqCst);
    upstream
}

pub(crate) struct Driver {
    feed_name: &'static str,
    contract: &'static Contract,
    connector: Arc<dyn Connector>,
    codec: Arc<dyn RowCodec>,
    clock: Arc<AtomicI64>,
    feed: Option<Box<dyn Feed>>,
    cursor: Option<Cursor>,
    committed: Option<Cursor>,
    /// What was published, by key.
    pub(crate) entities: BTreeMap<String, Value>,
    /// How often each entity changed after its first sight.
    pub(crate) updates: BTreeMap<String, u32>,
    pub(crate) faults: Vec<Fault>,
    /// The rows that could not be read.
    pub(crate) dead: u32,
    parts: BTreeSet<String>,
    next_part: u32,
}

/// An instance of the connector.
pub(crate) fn connector(upstream: &Simulator, texts: &[(&str, &str)]) -> Arc<dyn Connector> {
    let registry = prometheus::Registry::new();
    let metrics = UpstreamMetrics::register(&registry).unwrap();
    configured(&upstream.url(), Clock::Manual(upstream.clock()), metrics, texts)
}

pub(crate) fn configured(
    url: &str,
    clock: Clock,
    metrics: UpstreamMetrics,
    texts: &[(&str, &str)],
) -> Arc<dyn Connector> {
    let mut all = BTreeMap::from(
        [
            ("upstream.url", url),
            ("auth.user", "partner"),
            ("auth.password", "пароль:1"),
            ("time.zone", "Asia/Yekaterinburg"),
            ("upstream.requests.per.second", "1000"),
        ]
        .map(|(key, text)| (key.to_owned(), text.to_owned())),
    );
    all.extend(texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())));
    let (keys, secrets) = (Connect1C.keys(), Secrets::Resolve(Arc::default()));
    let mut settings = Settings::new("", &keys, all, &secrets);
    let context = Context { name: "lines".to_owned(), clock, metrics };
    let connector = Connect1C.configure(&mut settings, context);
    assert_eq!(settings.problems(), []);
    connector.unwrap()
}

impl Driver {
    pub(crate) fn new(
        feed: &'static str,
        upstream: &Simulator,
        connector: &Arc<dyn Connector>,
    ) -> Driver {
        let plan = connector.feeds().into_iter().find(|plan| *plan.spec.name == *feed).unwrap();
        let contract: &Contract = match feed {
            "treatment" => &contracts::TREATMENT,
            _ => &contracts::OPEN_TREATMENT,
        };
        Driver {
            feed_name: feed,
            contract,
            connector: connector.clone(),
            codec: plan.codec,
            clock: upstream.clock(),
            feed: None,
            cursor: None,
            committed: None,
            entities: BTreeMap::new(),
            updates: BTreeMap::new(),
            faults: Vec::new(),
            dead: 0,
            parts: BTreeSet::new(),
            next_part: 0,
        }
    }

    /// The same with another configuration, as a process that is started anew.
    pub(crate) fn with(mut self, connector: &Arc<dyn Connector>) -> Driver {
        self.kill();
        self.connector = connector.clone();
        self
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// The process dies. What it had not committed is gone.
    pub(crate) fn kill(&mut self) {
        self.feed = None;
        self.cursor = self.committed.clone();
    }

    /// The checkpoint is lost.
    pub(crate) fn forget(&mut self) {
        self.kill();
        (self.cursor, self.committed) = (None, None);
    }

    pub(crate) fn cursor(&self) -> Option<Cursor> {
        self.cursor.clone()
    }

    /// Opens the feed if it is not.
    pub(crate) fn feed(&mut self) -> &mut Box<dyn Feed> {
        let open = || self.connector.open(self.feed_name).unwrap();
        self.feed.get_or_insert_with(open)
    }

    /// Reads once, and says how long until the next read.
    pub(crate) async fn step(&mut self) -> i64 {
        let cursor = self.cursor.clone();
        let read = self.feed().next(cursor.as_ref()).await;
        let observation = match read {
            Ok(observation) => observation,
            Err(fault) => {
                let wait = match &fault {
                    Fault::Unavailable { retry_after: Some(wait), .. } => wait.as_millis() as i64,
                    _ => 10_000,
                };
                self.faults.push(fault);
                self.feed = None;
                return wait;
            }
        };
        let feed = self.feed();
        let wait = feed.due().unwrap_or_default().as_millis() as i64;
        let waits = feed.waits_for_commit();
        self.take(observation);
        if waits {
            self.committed = self.cursor.clone();
        }
        wait
    }

    fn take(&mut self, observation: Observation) {
        let Observation { coverage, rows, cursor, .. } = observation;
        let has_rows = !rows.is_empty();
        match coverage {
            Coverage::Full | Coverage::Part(0) => {
                (self.parts, self.next_part) = (BTreeSet::new(), 0);
            }
            Coverage::Part(number) | Coverage::Last(number) => assert_eq!(number, self.next_part),
            _ => {}
        }
        let mut row = Row::default();
        for bytes in rows.iter() {
            row.clear();
            if self.codec.decode(bytes, "", &mut row).is_err() {
                self.dead += 1;
                continue;
            }
            let mut peeked = String::new();
            if self.codec.peek_key(bytes, "", &mut peeked) {
                assert_eq!(peeked, row.key);
            }
            let entity = self.json(&row.value);
            self.parts.insert(row.key.clone());
            let before = self.entities.insert(row.key.clone(), entity.clone());
            if before.is_some_and(|before| before != entity) {
                *self.updates.entry(row.key.clone()).or_default() += 1;
            }
        }
        match coverage {
            Coverage::Part(number) => self.next_part = number + 1,
            Coverage::Full | Coverage::Last(_) => {
                self.entities.retain(|key, _| self.parts.contains(key));
            }
            _ => {}
        }
        if cursor.is_some() {
            self.cursor = cursor;
            // A commit with events takes the cursor along.
            if has_rows {
                self.committed = self.cursor.clone();
            }
        }
    }

    fn json(&self, entity: &[u8]) -> Value {
        let source = Source {
            version: "",
            connector: "",
            name: "",
            feed: "",
            scope: "",
            ts_ms: 0,
            snapshot: false,
            absent: false,
            instants: Instants::Micros,
        };
        let mut event = Vec::new();
        let envelope =
            Envelope { before: None, after: Some(entity), source, op: Op::Create, ts_ms: 0 };
        envelope.encode(&mut event);
        self.contract.to_json(&event).unwrap()["after"].take()
    }

    /// Goes on for so long; `each` is called after each step.
    pub(crate) async fn run(&mut self, ms: i64, mut each: impl FnMut(&mut Driver)) {
        let until = self.now() + ms;
        while self.now() < until {
            let wait = self.step().await;
            self.clock.fetch_add(wait.clamp(1, until - self.now()), Ordering::SeqCst);
            each(self);
        }
    }

    /// Reads until nothing is due, while the upstream's clock stands still.
    pub(crate) async fn read_all(&mut self) {
        while self.step().await == 0 {}
    }

    /// Goes on until something holds, for no longer than so long.
    pub(crate) async fn run_until(&mut self, ms: i64, met: impl Fn(&Driver) -> bool) -> bool {
        let until = self.now() + ms;
        while self.now() < until && !met(self) {
            let wait = self.step().await;
            self.clock.fetch_add(wait.max(1), Ordering::SeqCst);
        }
        met(self)
    }
}

/// What the upstream says, by key.
pub(crate) fn truth(treatments: &[Treatment]) -> BTreeMap<String, Value> {
    treatments.iter().map(|one| (one.id.clone(), one.truth())).collect()
}

/// What was published, by key.
pub(crate) fn published(driver: &Driver) -> BTreeMap<String, Value> {
    driver.entities.iter().map(|(key, entity)| (key.clone(), by_document(entity))).collect()
}

/// For a request that is dropped.
pub(crate) async fn for_a_while<T>(future: impl Future<Output = T>, ms: u64) -> Option<T> {
    tokio::time::timeout(Duration::from_millis(ms), future).await.ok()
}
