//! The REST services of a branch, and of a central server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use serde_json::{Value, json};
use talon_enter::EnterRest;
use talon_sdk::conformance::{Ailment, Loss, Simulation};
use talon_sdk::{Class, Clock, CommandSpec};
use talon_simulators::enter_rest::{Fault, FaultKind, Kind, Settings, Simulator};

use crate::commands::{effect, prepared, row};
use crate::truth::truth;

/// 2024-07-10 12:00 in Moscow.
const NOON_MS: i64 = 1_720_602_000_000;

/// A step of the hall's life.
const STEP_MS: i64 = 20_000;

/// Feeds of which the truth that is compared tells every change.
const TOLD: [&str; 4] = ["ticket", "booking", "awaiting", "queue_statistics"];

pub(crate) struct Rest(Simulator);

impl Rest {
    pub(crate) async fn start(kind: Kind) -> Rest {
        let settings = Settings {
            kind,
            workplaces: 2,
            bookings_per_hour: 60.0,
            hall: ("canary-admin".to_owned(), "canary-admin-password".to_owned()),
            operator_password: "canary-operator-password".to_owned(),
            // So little that nothing is spelled anew yet, but the field that no document has is there.
            noise: 1e-9,
            ..Settings::default()
        };
        let simulator = Simulator::start(settings).await.unwrap();
        simulator.clock().store(NOON_MS, Ordering::SeqCst);
        let rest = Rest(simulator);
        // Until somebody is called and somebody is held.
        while kind == Kind::Branch
            && ["board_call", "personal_queue"].iter().any(|feed| rest.entities(feed).is_empty())
        {
            rest.0.clock().fetch_add(STEP_MS, Ordering::SeqCst);
        }
        rest
    }

    fn entities(&self, feed: &str) -> BTreeMap<String, Value> {
        truth(&self.0, feed)
    }

    /// Lets time pass until something is met of what was and what is, for some minutes.
    fn pass<T>(
        &self,
        feed: &str,
        met: impl Fn(&BTreeMap<String, Value>, &BTreeMap<String, Value>) -> Option<T>,
    ) -> Option<T> {
        let before = self.entities(feed);
        (0..30).find_map(|_| {
            self.0.clock().fetch_add(STEP_MS, Ordering::SeqCst);
            met(&before, &self.entities(feed))
        })
    }
}

#[async_trait]
impl Simulation for Rest {
    fn settings(&self) -> Vec<(String, String)> {
        let is_central = self.0.settings().kind == Kind::Central;
        let mut settings = vec![
            ("server.kind".to_owned(), if is_central { "central" } else { "branch" }.to_owned()),
            ("time.zone".to_owned(), "Europe/Moscow".to_owned()),
            ("upstream.url".to_owned(), self.0.url()),
            ("upstream.requests.per.second".to_owned(), "100000".to_owned()),
            ("upstream.request.timeout.ms".to_owned(), "10000".to_owned()),
        ];
        for spec in EnterRest.feeds() {
            settings.push((format!("{}.poll.interval.ms", spec.name), "10".to_owned()));
        }
        if is_central {
            return settings;
        }
        let places = self.0.workplaces();
        for (key, text) in [
            ("auth.admin.login", "canary-admin"),
            ("auth.admin.password", "canary-admin-password"),
            ("auth.booking.identity", "canary-identity"),
            ("boards", "board01"),
            ("surveys", "survey01,survey02"),
            ("workplaces", &places.join(",")),
            ("booking.products", "310"),
            ("commands.unguarded", "true"),
            ("ticket.source", "hall"),
            ("auth.user.deputy.login", "operator03"),
            ("auth.user.deputy.password", "canary-operator-password"),
        ] {
            settings.push((key.to_owned(), text.to_owned()));
        }
        for (number, place) in places.iter().enumerate() {
            let login = format!("operator{:02}", number + 1);
            settings.push((format!("auth.operator.{place}.login"), login));
            let password = "canary-operator-password".to_owned();
            settings.push((format!("auth.operator.{place}.password"), password));
        }
        settings
    }

    fn clock(&self) -> Clock {
        Clock::Manual(self.0.clock())
    }

    async fn keys(&self, feed: &str) -> BTreeSet<String> {
        self.entities(feed).into_keys().collect()
    }

    async fn change(&self, feed: &str) -> BTreeSet<String> {
        if !TOLD.contains(&feed) {
            return BTreeSet::new();
        }
        let changed = self.pass(feed, |before, now| {
            let new = now.iter().filter(|(key, value)| before.get(*key) != Some(*value));
            let new: BTreeSet<String> = new.map(|(key, _)| key.clone()).collect();
            (!new.is_empty()).then_some(new)
        });
        changed.unwrap_or_default()
    }

    async fn remove(&self, feed: &str) -> Option<String> {
        // The others are lists of several places, of which more than one changes at a time.
        if feed != "board_call" {
            return None;
        }
        self.pass(feed, |before, now| before.keys().find(|key| !now.contains_key(*key)).cloned())
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
            Some(Ailment::OddRows) => self.0.fault(FaultKind::UndecodableRow),
        }
        true
    }

    fn carries(&self, _: &CommandSpec) -> bool {
        self.0.settings().kind == Kind::Branch
    }

    async fn prepare(&self, command: &CommandSpec) -> Option<Value> {
        Some(prepared(&self.0, command.name))
    }

    async fn lose(&self, command: &CommandSpec, loss: Loss) {
        let kind = match loss {
            Loss::Before => FaultKind::Dropped,
            Loss::After => FaultKind::LostReply,
        };
        self.0.fault(Fault::from(kind).only(&row(command)).times(1));
    }

    fn sent(&self, command: &CommandSpec) -> u64 {
        self.0.requests().get(&row(command)).copied().unwrap_or(0)
    }

    fn done(&self, command: &CommandSpec) -> u64 {
        let journal = self.0.journal();
        let done = journal.iter().filter(|one| one.asked && one.what == effect(command.name));
        done.count() as u64
    }
}
