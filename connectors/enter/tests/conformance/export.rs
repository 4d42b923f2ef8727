//! The ticket export of a central server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use jiff::civil::{Date, date};
use serde_json::{Value, json};
use talon_sdk::Clock;
use talon_sdk::conformance::{Ailment, Simulation};
use talon_simulators::enter_export::{Fault, FaultKind, Settings, Simulator};

const TOKEN: &str = "canary-t0ken";

/// Today, at noon in Moscow, and what is read before it.
const TODAY: Date = date(2024, 7, 10);
const DAYS: [Date; 3] = [date(2024, 7, 8), date(2024, 7, 9), TODAY];
const NOON_MS: i64 = 1_720_602_000_000;

pub(crate) struct Export {
    simulator: Simulator,
    /// Whether tickets that vanish are deleted.
    deletes: bool,
}

impl Export {
    pub(crate) async fn start(deletes: bool) -> Export {
        let settings = Settings {
            branches: 2,
            zones: vec!["Europe/Moscow".to_owned()],
            tickets_per_day: 6,
            token: Some(TOKEN.to_owned()),
            // So little that nothing is spelled anew yet, but the field that no document has is there.
            noise: 1e-9,
            ..Settings::default()
        };
        let simulator = Simulator::start(settings).await.unwrap();
        simulator.clock().store(NOON_MS, Ordering::SeqCst);
        Export { simulator, deletes }
    }

    /// The tickets of all days, by their keys.
    fn tickets(&self) -> BTreeMap<String, Value> {
        let mut tickets = BTreeMap::new();
        for (place, branch) in self.simulator.branches().iter().enumerate() {
            for day in DAYS {
                for ticket in self.simulator.day(place, day) {
                    let id = ticket["Id"].as_str().unwrap();
                    tickets.insert(format!("{branch}/{id}"), ticket);
                }
            }
        }
        tickets
    }
}

#[async_trait]
impl Simulation for Export {
    fn settings(&self) -> Vec<(String, String)> {
        let mut settings = vec![
            ("upstream.url", self.simulator.url()),
            ("upstream.requests.per.second", "10000".to_owned()),
            ("upstream.request.timeout.ms", "10000".to_owned()),
            ("auth.token", TOKEN.to_owned()),
            ("poll.interval.ms", "10".to_owned()),
            ("late.poll.interval.ms", "10".to_owned()),
            ("catalogue.poll.interval.ms", "10".to_owned()),
            ("backfill.from", DAYS[0].to_string()),
            ("data.fields", "true".to_owned()),
        ];
        if self.deletes {
            settings.push(("deletes", "true".to_owned()));
        }
        settings.into_iter().map(|(key, text)| (key.to_owned(), text)).collect()
    }

    fn clock(&self) -> Clock {
        Clock::Manual(self.simulator.clock())
    }

    async fn keys(&self, feed: &str) -> BTreeSet<String> {
        match feed {
            "branch" => self.simulator.branches().into_iter().collect(),
            "ticket_source" => self.simulator.sources().into_iter().collect(),
            _ => self.tickets().into_keys().collect(),
        }
    }

    async fn change(&self, feed: &str) -> BTreeSet<String> {
        match feed {
            "branch" => {
                let is_away = !self.simulator.settings().offline.is_empty();
                let offline = if is_away { json!([]) } else { json!([1]) };
                self.simulator.change_settings(&json!({ "offline": offline })).unwrap();
                BTreeSet::from([self.simulator.branches().remove(1)])
            }
            "ticket_source" => BTreeSet::new(),
            _ => {
                let before = self.tickets();
                loop {
                    self.simulator.clock().fetch_add(60_000, Ordering::SeqCst);
                    let now = self.tickets();
                    let is_new =
                        |(key, ticket): &(&String, &Value)| before.get(*key) != Some(*ticket);
                    let new: BTreeSet<String> =
                        now.iter().filter(is_new).map(|(key, _)| key.clone()).collect();
                    if !new.is_empty() {
                        return new;
                    }
                }
            }
        }
    }

    fn dropped(&self, feed: &str) -> Vec<&'static str> {
        // The row is the connector's own: a ticket and its branch.
        if feed == "ticket" { vec!["conformanceUnknown"] } else { Vec::new() }
    }

    async fn respell(&self) -> bool {
        self.simulator.change_settings(&json!({"noise": 1.0})).is_ok()
    }

    async fn ail(&self, how: Option<Ailment>) -> bool {
        let status = |code| FaultKind::Status { code, retry_after_seconds: None };
        self.simulator.faults().clear();
        match how {
            None => {}
            Some(Ailment::Refuses) => self.simulator.fault(Fault::from(status(401))),
            Some(Ailment::Fails) => self.simulator.fault(Fault::from(status(500))),
            Some(Ailment::Babbles) => self.simulator.fault(FaultKind::HtmlError),
            Some(Ailment::OddRows) => self.simulator.fault(FaultKind::UndecodableRow),
        }
        true
    }
}
