//! The program as a process that reads a simulated central server, on a real bus, and what it published.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use serde_json::Value;
use talon_brokers::unique;
use talon_enter::contracts;
use talon_simulators::enter_export::Simulator;

use crate::hall::{of_event, of_upstream};
use crate::support::consumer::{Record, read};
use crate::support::{self, until};

/// A central server, and where what is read of it goes.
pub(crate) struct Site {
    pub(crate) upstream: Simulator,
    pub(crate) prefix: String,
    address: &'static str,
}

/// What was published, after checking what holds always.
pub(crate) struct Published {
    /// Events by ticket, oldest first.
    pub(crate) tickets: BTreeMap<String, Vec<Value>>,
    pub(crate) facts: BTreeMap<String, Value>,
}

impl Site {
    pub(crate) fn new(test: &str, upstream: Simulator, address: &'static str) -> Site {
        Site { upstream, prefix: unique(test), address }
    }

    /// A flat configuration of one connector `hall`, with fast polls.
    pub(crate) fn configuration(&self, more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut texts = support::configuration(&self.prefix, self.address, &self.upstream.url());
        texts.retain(|key, _| !key.starts_with("connectors."));
        let url = self.upstream.url();
        let usual = [
            ("class", "enter-export"),
            ("upstream.url", &*url),
            ("upstream.requests.per.second", "10000"),
            ("poll.interval.ms", "50"),
            ("catalogue.poll.interval.ms", "50"),
        ];
        for (key, text) in usual.iter().chain(more) {
            texts.insert(format!("connectors.hall.{key}"), (*text).to_owned());
        }
        texts
    }

    pub(crate) fn records(&self, feed: &str) -> Vec<Record> {
        read(self.address, &format!("{}.hall.{feed}", self.prefix))
    }

    pub(crate) fn checkpoints(&self) -> Vec<Record> {
        // On NATS they are in a bucket, which is no stream of events.
        match self.address.starts_with("nats://") {
            true => Vec::new(),
            false => read(self.address, &format!("{}.checkpoints", self.prefix)),
        }
    }

    /// Reads the topics, and checks invariant 1: each event once, each begins where the last one of its
    /// ticket ended and changes something; each operation is told once, and by a ticket that lists it.
    pub(crate) fn published(&self) -> Published {
        let mut ids = BTreeSet::new();
        let mut tickets: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let mut listed = BTreeSet::new();
        for record in self.records("ticket") {
            let Some(event) = record.event(&contracts::TICKET) else { continue };
            let id = &record.headers["talon-event-id"];
            assert!(ids.insert(id.clone()), "{}: event {id} twice", record.key);
            let history = tickets.entry(record.key.clone()).or_default();
            let last = history.last().map_or(Value::Null, |last| last["after"].clone());
            assert_eq!(content(&event["before"]), content(&last), "{}", record.key);
            assert_ne!(content(&event["after"]), content(&last), "{}", record.key);
            let operations = event["after"]["operations"].as_array();
            listed
                .extend(operations.into_iter().flatten().map(|id| id.as_str().unwrap().to_owned()));
            history.push(event);
        }
        // On NATS they become visible before the ticket that lists them. Kafka ends a transaction in one partition
        // after the other, so a moment later than the ticket at worst.
        let end = Instant::now() + Duration::from_secs(30);
        let facts = loop {
            let facts = self.told();
            let Some(id) = listed.iter().find(|id| !facts.contains_key(*id)) else { break facts };
            assert!(Instant::now() < end, "a ticket lists {id}, which nobody told");
            thread::sleep(Duration::from_millis(100));
        };
        Published { tickets, facts }
    }

    /// The operations that were told, each once.
    fn told(&self) -> BTreeMap<String, Value> {
        let mut facts = BTreeMap::new();
        for record in self.records("ticket_operation") {
            let event = record.event(&contracts::TICKET_OPERATION).unwrap();
            let twice = facts.insert(record.key.clone(), event["after"].clone());
            assert!(twice.is_none(), "the operation {} was told twice", record.key);
        }
        facts
    }

    /// What the upstream says now of the days of all branches, by the keys of tickets.
    pub(crate) fn truth(&self, from: Date, to: Date) -> BTreeMap<String, Value> {
        let mut truth = BTreeMap::new();
        for (branch, id) in self.upstream.branches().iter().enumerate() {
            for day in from.series(1.day()).take_while(|day| *day <= to) {
                for ticket in self.upstream.day(branch, day) {
                    let key = format!("{id}/{}", ticket["Id"].as_str().unwrap());
                    truth.insert(key, of_upstream(&ticket));
                }
            }
        }
        truth
    }

    /// Waits until what was published is what the upstream says of these days, no more and no less.
    pub(crate) async fn settled(&self, from: Date, to: Date) -> Published {
        let truth = self.truth(from, to);
        let mut published = None;
        until("all is published", async || {
            let now = self.published();
            let is_settled = now.newest() == truth;
            published = Some(now);
            is_settled
        })
        .await;
        published.unwrap()
    }

    /// How often tickets of a branch were asked for.
    pub(crate) fn asked(&self, branch: usize) -> u64 {
        let asked = self.upstream.asked();
        asked.iter().filter(|(asked, _)| asked.branch == branch).map(|(_, count)| count).sum()
    }

    /// Waits until tickets of a branch were asked for so many times more.
    pub(crate) async fn asked_again(&self, branch: usize, times: u64) {
        let then = self.asked(branch) + times;
        until("days are read again", async || self.asked(branch) > then).await;
    }
}

impl Published {
    /// What is compared of each ticket that is there.
    pub(crate) fn newest(&self) -> BTreeMap<String, Value> {
        let last = self.tickets.iter().filter_map(|(key, events)| Some((key, events.last()?)));
        let there = last.filter(|(_, event)| !event["after"].is_null());
        there.map(|(key, event)| (key.clone(), of_event(&event["after"]))).collect()
    }

    /// How many events are deletes.
    pub(crate) fn deletes(&self) -> usize {
        self.tickets.values().flatten().filter(|event| event["op"] == "d").count()
    }

    /// Checks that the operations that were told are those that the tickets that are there list.
    pub(crate) fn check_facts(&self) {
        let newest = self.tickets.values().filter_map(|events| Some(&events.last()?["after"]));
        let listed =
            newest.flat_map(|ticket| ticket["operations"].as_array().into_iter().flatten());
        let listed: BTreeSet<&str> = listed.filter_map(Value::as_str).collect();
        let told: BTreeSet<&str> = self.facts.keys().map(String::as_str).collect();
        assert_eq!(told, listed, "operations that were told, and those that tickets list");
    }
}

/// A ticket without what is no content of it: what the reply said of its branch.
fn content(ticket: &Value) -> Value {
    let mut ticket = ticket.clone();
    if let Some(fields) = ticket.as_object_mut() {
        fields.retain(|name, _| !name.starts_with("branch_") || name == "branch_id");
    }
    ticket
}

/// The machine's time in milliseconds, which is that of the program.
pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// The day in a zone, by the machine's clock.
pub(crate) fn today(zone: &str) -> Date {
    Zoned::now().with_time_zone(TimeZone::get(zone).unwrap()).date()
}

/// When a day ends in a zone.
pub(crate) fn end_ms(day: Date, zone: &str) -> i64 {
    let midnight = day.tomorrow().unwrap().in_tz(zone).unwrap();
    midnight.timestamp().as_millisecond()
}
