//! The connector keeps what connectors promise: `talon_sdk::conformance` against the simulator.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use talon_connect1c::Connect1C;
use talon_sdk::conformance::{Ailment, Simulation, check};
use talon_simulators::connect1c::{Fault, FaultKind, Settings, Simulator};

const HOUR_MS: i64 = 3_600_000;

struct Lines(Simulator);

impl Lines {
    /// The upstream's clock stands still, a day behind.
    async fn start() -> Lines {
        let now_ms = Timestamp::now().as_millisecond() - 24 * HOUR_MS;
        let settings = Settings {
            since: Timestamp::from_millisecond(now_ms - 48 * HOUR_MS).unwrap().to_string(),
            opened_every_ms: HOUR_MS,
            lasts_ms: (600_000, 12 * HOUR_MS),
            rated_after_ms: (60_000, 4 * HOUR_MS),
            day_limit: 100_000,
            night_limit: 100_000,
            extra_column: true,
            ..Settings::default()
        };
        let simulator = Simulator::start(settings).await.unwrap();
        simulator.clock().store(now_ms, Ordering::SeqCst);
        Lines(simulator)
    }

    fn entities(&self, feed: &str) -> BTreeMap<String, Value> {
        let entities = match feed {
            "treatment" => self.0.closed(0, self.0.now_ms()),
            _ => self.0.open(),
        };
        entities.into_iter().map(|one| (one.id.clone(), one.truth())).collect()
    }

    /// Lets time pass until something is met of what was and what is.
    fn pass<T>(
        &self,
        feed: &str,
        met: impl Fn(&BTreeMap<String, Value>, &BTreeMap<String, Value>) -> Option<T>,
    ) -> T {
        loop {
            let before = self.entities(feed);
            self.0.clock().fetch_add(1_000, Ordering::SeqCst);
            if let Some(met) = met(&before, &self.entities(feed)) {
                return met;
            }
        }
    }
}

#[async_trait]
impl Simulation for Lines {
    fn settings(&self) -> Vec<(String, String)> {
        let day = |ms: i64| Timestamp::from_millisecond(ms).unwrap().to_string()[..10].to_owned();
        [
            ("upstream.url", self.0.url()),
            ("upstream.requests.per.second", "10000".to_owned()),
            ("upstream.request.timeout.ms", "10000".to_owned()),
            ("auth.user", "partner".to_owned()),
            ("auth.password", "пароль:1".to_owned()),
            ("time.zone", "Asia/Yekaterinburg".to_owned()),
            ("treatment.poll.interval.ms", "350".to_owned()),
            ("open_treatment.poll.interval.ms", "350".to_owned()),
            ("backfill.from", day(self.0.now_ms() - 72 * HOUR_MS)),
            ("overlap.ms", (96 * HOUR_MS).to_string()),
            ("lag.ms", "1000".to_owned()),
            ("quota.day", "100000".to_owned()),
            // Without a checkpoint, as many are left for the first hour.
            ("quota.reserve", "45000".to_owned()),
        ]
        .map(|(key, text)| (key.to_owned(), text))
        .to_vec()
    }

    async fn keys(&self, feed: &str) -> BTreeSet<String> {
        self.entities(feed).into_keys().collect()
    }

    async fn change(&self, feed: &str) -> BTreeSet<String> {
        self.pass(feed, |before, now| {
            let new = now.iter().filter(|(id, one)| before.get(*id) != Some(*one));
            let new: BTreeSet<String> = new.map(|(id, _)| id.clone()).collect();
            (!new.is_empty()).then_some(new)
        })
    }

    async fn remove(&self, feed: &str) -> Option<String> {
        if feed == "treatment" {
            return None;
        }
        Some(
            self.pass(feed, |before, now| before.keys().find(|id| !now.contains_key(*id)).cloned()),
        )
    }

    async fn respell(&self) -> bool {
        self.0.change_settings(&json!({"noise": 1.0})).is_ok()
    }

    async fn ail(&self, how: Option<Ailment>) -> bool {
        let status = |code| FaultKind::Status { code, retry_after_seconds: None };
        self.0.faults().clear();
        match how {
            None => {}
            Some(Ailment::Refuses) => self.0.fault(Fault::from(status(401))),
            Some(Ailment::Fails) => self.0.fault(Fault::from(status(500))),
            Some(Ailment::Babbles) => self.0.fault(FaultKind::HtmlError),
            Some(Ailment::OddRows) => self.0.fault(FaultKind::ShortRow),
        }
        true
    }
}

#[tokio::test]
async fn the_connector_conforms() {
    let report = check(&Connect1C, Lines::start).await;
    report.assert();
}
