//! The same hall through its own services and through the ticket export of the central server.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use talon_enter::{EnterExport, contracts};
use talon_runtime::metrics::Metrics;
use talon_runtime::options::{self, Options};
use talon_runtime::{Engine, Parts, Setup};
use talon_sdk::config::{Secrets, Settings as Texts};
use talon_sdk::{Class, Clock, Context};
use talon_simulators::enter_rest::{Settings, Simulator};

use super::hall::Hall;
use crate::bus::MemoryBus;
use crate::hall::{HOUR, until};

/// A process that reads the hall through the export.
fn export(upstream: &Simulator, bus: &MemoryBus) -> Engine {
    let texts = [
        ("class", "enter-export"),
        ("poll.interval.ms", "20"),
        ("late.poll.interval.ms", "50"),
        ("catalogue.poll.interval.ms", "50"),
        ("upstream.requests.per.second", "100000"),
        ("upstream.url", &upstream.central_url()),
    ];
    let texts = texts.map(|(key, text)| (key.to_owned(), text.to_owned()));
    let mut keys = options::keys();
    keys.extend(EnterExport.keys());
    let secrets = Secrets::Unresolved;
    let mut settings = Texts::new("", &keys, BTreeMap::from(texts), &secrets);
    let options = Options::read(&settings);
    let (metrics, clock) = (Metrics::new().unwrap(), Clock::Manual(upstream.clock()));
    let name = "export".to_owned();
    let context =
        Context { name: name.clone(), clock: clock.clone(), metrics: metrics.upstream.clone() };
    let connector = EnterExport.configure(&mut settings, context);
    assert_eq!(settings.problems(), []);
    let connector = connector.unwrap();
    let class = "enter-export";
    Engine::start(Parts {
        prefix: "t".to_owned(),
        bus: Arc::new(bus.clone()),
        registry: None,
        connectors: vec![Setup { name, class, options, connector, commands: None }],
        clock,
        metrics,
    })
}

/// What both tell of a ticket: its state, when it was made, and each service with its state and its end.
fn shown(ticket: &Value, services: &str) -> Value {
    let services = ticket[services].as_array().unwrap().iter();
    let mut services: Vec<Value> = services
        .map(|one| json!([one["id"], one["state_code"], one["first_invited_at"], one["ended_at"]]))
        .collect();
    services.sort_by_key(Value::to_string);
    json!([ticket["state_code"], ticket["created_at"], services])
}

/// By identifier, what the topic of the export tells last.
fn exported(bus: &MemoryBus) -> BTreeMap<String, Value> {
    let records = bus.records("t.export.ticket").into_iter();
    records
        .filter_map(|record| {
            let event = contracts::TICKET.to_json(&record.value?[10..]).unwrap();
            let id = event["after"]["id"].as_str()?.to_owned();
            Some((id, shown(&event["after"], "products")))
        })
        .collect()
}

fn read(hall: &Hall, feed: &str) -> BTreeMap<String, Value> {
    let all = hall.newest(feed).into_iter();
    all.map(|(id, ticket)| (id, shown(&ticket, "services"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_final_states_of_tickets_agree_with_those_that_the_ticket_export_tells() {
    let settings = Settings {
        visitors_per_hour: 20.0,
        bookings_per_hour: 1.0,
        // So that the list of today has the final states too.
        lists_done: true,
        ..Settings::default()
    };
    let texts = [("feeds", "ticket,ticket_history"), ("backfill.from", "2024-07-10")];
    let mut hall = Hall::open(settings, &texts).await;
    let rest = hall.start();
    let bus = MemoryBus::default();
    let export = export(&hall.upstream, &bus);
    // Until the evening; at last nobody comes any more, and those who wait are served.
    for hour in 0..18 {
        if hour == 12 {
            let nobody = json!({ "visitors_per_hour": 0.0, "bookings_per_hour": 0.0 });
            hall.upstream.change_settings(&nobody).unwrap();
        }
        hall.pass(HOUR * 2 / 3 - 60_000);
        hall.read_again(&["GET queue/admin/tickets"]).await;
    }
    let mut why = String::new();
    until("all three topics tell the same", || {
        let (today, history, exported) =
            (read(&hall, "ticket"), read(&hall, "ticket_history"), exported(&bus));
        let differs = |one: &BTreeMap<String, Value>, all: &BTreeMap<String, Value>| {
            let odd = one.iter().find(|(id, ticket)| all.get(*id) != Some(*ticket));
            odd.map(|(id, ticket)| format!("{id}: {ticket}, but {:?}", all.get(id)))
        };
        let found = differs(&history, &exported)
            .or_else(|| differs(&exported, &history))
            .or_else(|| differs(&today, &history));
        if let Some(found) = found.as_ref().filter(|found| **found != why) {
            eprintln!("not yet: {found}");
            why.clone_from(found);
        }
        found.is_none() && !today.is_empty()
    })
    .await;
    let finals: Vec<Value> = exported(&bus).into_values().map(|one| one[0].clone()).collect();
    let done = finals.iter().filter(|state| **state == json!(3)).count();
    assert!(done > 100, "{done} of {} are done with", finals.len());
    drop((rest, export));
}
