//! Rows of each connector: from the upstream's bytes to what is published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use serde_json::value::RawValue;
use talon_contractor::Contractor;
use talon_enter::{EnterExport, Slicer};
use talon_quickq::QuickQ;
use talon_quickq::frame::Frame;
use talon_runtime::diff::fingerprint;
use talon_runtime::metrics::Metrics;
use talon_schemas::canonical::canonical;
use talon_schemas::{Contract, Envelope, Op, Source};
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{Class, Clock, Context, FeedPlan, Row, RowFault, Rows};

use super::json::Fields;
use super::quotes::assert_quotes_nothing;
use super::samples;

/// A byte of a row becomes at most so many of a value: `{}` in a list is an item with all its fields.
const GROWTH: usize = 64;
/// What a value has that is in no row: empty lists, names of zones.
const BASE: usize = 4 * 1024;

const BRANCH_DAY: &str = "78e721bb-c691-7d58-1db5-97882ad01310/2024-07-10";

static CONTRACTOR: LazyLock<Vec<FeedPlan>> = LazyLock::new(|| {
    plans(&Contractor, &[("upstream.url", "http://localhost:5000"), ("time.zone", "Europe/Moscow")])
});

static ENTER: LazyLock<Vec<FeedPlan>> = LazyLock::new(|| {
    plans(&EnterExport, &[("upstream.url", "http://localhost:82"), ("data.fields", "true")])
});

static QUICKQ: LazyLock<Vec<FeedPlan>> = LazyLock::new(|| {
    let settings = [
        ("upstream.url", "ws://localhost:55556/logic"),
        ("auth.login", "admin"),
        ("auth.password", "12345"),
        ("queue.workplaces", "11"),
    ];
    plans(&QuickQ, &settings)
});

fn plans(class: &dyn Class, settings: &[(&str, &str)]) -> Vec<FeedPlan> {
    let mut texts: BTreeMap<String, String> =
        settings.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    let all: Vec<String> = class.feeds().iter().map(|feed| feed.name.to_string()).collect();
    texts.insert("feeds".to_owned(), all.join(","));
    let (keys, secrets) = (class.keys(), Secrets::Resolve(Arc::default()));
    let mut settings = Settings::new("", &keys, texts, &secrets);
    let metrics = Metrics::new().expect("a registry of its own").upstream;
    let context = Context { name: "fuzzed".to_owned(), clock: Clock::System, metrics };
    let connector = class.configure(&mut settings, context);
    assert_eq!(settings.problems(), []);
    connector.map(|connector| connector.feeds()).unwrap_or_default()
}

/// The first byte chooses the feed, the rest is a row.
pub(super) fn contractor(data: &[u8]) {
    run(&CONTRACTOR, data);
}

/// As [`contractor`].
pub(super) fn enter(data: &[u8]) {
    run(&ENTER, data);
}

/// As [`contractor`].
pub(super) fn quickq(data: &[u8]) {
    run(&QUICKQ, data);
}

fn run(plans: &[FeedPlan], data: &[u8]) {
    let Some((&feed, row)) = data.split_first() else { return };
    let plan = &plans[usize::from(feed) % plans.len()];
    let told = plans
        .iter()
        .find(|other| other.codec.facts().is_some_and(|facts| facts.told_by() == &*plan.spec.name));
    check(plan, told, row);
}

fn check(plan: &FeedPlan, told: Option<&FeedPlan>, row: &[u8]) {
    let scope = match &*plan.spec.name {
        "ticket" | "ticket_operation" => BRANCH_DAY,
        "queue" => "11",
        _ => "",
    };
    let mut peeked = String::new();
    let is_peeked = plan.codec.peek_key(row, scope, &mut peeked);
    let entity = match decoded(plan, scope, row) {
        Ok(entity) => entity,
        Err(RowFault(fault)) => {
            assert!(!fault.is_empty() && fault.len() <= 200, "{fault}");
            let again = |row: &[u8]| decoded(plan, scope, row).err().map(|RowFault(text)| text);
            assert_quotes_nothing(row, &fault, again);
            return;
        }
    };
    let contract = plan.spec.contract();
    if is_peeked {
        assert_eq!(peeked, entity.key, "the key without decoding and with it");
    }
    assert!(entity.value.len() <= GROWTH * row.len() + BASE, "{} bytes", entity.value.len());
    let content = content(contract, &entity);
    let second = decoded(plan, scope, row).expect("it decoded before");
    assert_eq!(fingerprint(content), fingerprint(self::content(contract, &second)));

    // Invariant 1: the order of fields and blanks are no content.
    let fields = serde_json::from_slice::<Fields<'_>>(row);
    if let Some(fields) = fields.ok().filter(Fields::are_distinct) {
        let other = decoded(plan, scope, &fields.backwards()).expect("the same fields");
        assert_eq!((&other.key, self::content(contract, &other)), (&entity.key, content));
    }
    // Nor is how anything in them is spelled.
    let spelled = std::str::from_utf8(row).map(canonical).expect("what decodes is UTF-8");
    let other = decoded(plan, scope, spelled.as_bytes()).expect("the same row");
    assert_eq!((&other.key, self::content(contract, &other)), (&entity.key, content));
    assert_published(contract, &entity.value);
    plan.codec.remember(&entity.key, Some(&entity.value));
    plan.codec.forget();
    if let Some(told) = told {
        assert_told(told, &entity, &second);
    }
}

fn decoded(plan: &FeedPlan, scope: &str, row: &[u8]) -> Result<Row, RowFault> {
    let mut out = Row::default();
    plan.codec.decode(row, scope, &mut out).map(|()| out)
}

fn content<'r>(contract: &Contract, row: &'r Row) -> &'r [u8] {
    let stable = contract.stable_len(&row.value).expect("a value fits its schema");
    &row.value[..stable]
}

/// What is published comes back as it went, in every form.
fn assert_published(contract: &Contract, value: &[u8]) {
    let event = event(value);
    let parts = contract.cut(&event).expect("an event fits its schema");
    assert_eq!((parts.before, parts.after), (None, Some(value)));
    let json = contract.to_json(&event).expect("an event can be shown");
    let text = serde_json::to_vec(&json).expect("it is JSON");
    let back = contract.from_json(&text).expect("an event that was written as JSON is read");
    // Maps have no order there, so the bytes may differ.
    assert_eq!(contract.to_json(&back).expect("it is an event"), json);
}

fn event(value: &[u8]) -> Vec<u8> {
    let source = Source {
        version: "1",
        connector: "class",
        name: "name",
        feed: "feed",
        scope: "",
        ts_ms: 1,
        snapshot: false,
        absent: false,
        instants: talon_schemas::Instants::Micros,
    };
    let mut event = Vec::new();
    Envelope { before: None, after: Some(value), source, op: Op::Create, ts_ms: 2 }
        .encode(&mut event);
    event
}

/// The facts of a row are the ones that its entity lists, and the same each time.
fn assert_told(told: &FeedPlan, entity: &Row, second: &Row) {
    let Some(facts) = told.codec.facts() else { return };
    let contract = told.spec.contract();
    let of = |row: &Row| -> Vec<_> {
        let told = row.facts.iter();
        told.map(|fact| (fact.key.clone(), fingerprint(content(contract, fact)))).collect()
    };
    assert_eq!(of(entity), of(second));
    for RowFault(fault) in entity.facts.faults() {
        assert!(fault.len() <= 200, "{fault}");
    }
    let mut listed = BTreeSet::new();
    facts.told(&entity.value, &mut |key| {
        listed.insert(key.to_owned());
    });
    for fact in entity.facts.iter() {
        assert_published(contract, &fact.value);
        assert!(listed.contains(&fact.key), "`{}` is not listed by its entity", fact.key);
    }
}

pub(super) fn contractor_seeds() -> Vec<Vec<u8>> {
    let samples = samples::of("contractor").into_iter();
    let named = samples.map(|(name, row)| of_feed(&CONTRACTOR, &name, &row));
    named.collect()
}

pub(super) fn enter_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (name, body) in samples::of("enter") {
        let list = |body: Vec<u8>| Rows::of_array(body.into()).expect("a list");
        match name.as_str() {
            "servers" => add(&mut seeds, &ENTER, "branch", &list(body)),
            "ticket_sources" => add(&mut seeds, &ENTER, "ticket_source", &list(body)),
            _ => {
                let mut slicer = Slicer::new(1024 * 1024);
                slicer.take(&body).expect("a day");
                add(&mut seeds, &ENTER, "ticket", &slicer.rows());
            }
        }
    }
    seeds
}

pub(super) fn quickq_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (name, text) in samples::of("quickq") {
        let Ok(read) = Frame::read(Bytes::from(text)) else { continue };
        let feed = match name.split_once('-').map_or("", |(_, command)| command) {
            "serviceList" => "service",
            "currentQueue" => "queue",
            "statistics" => {
                add(&mut seeds, &QUICKQ, "operation_state", &states());
                continue;
            }
            "info" => "server_info",
            "login" => "user",
            _ => "consumer",
        };
        match (read.frame.rows(), read.frame.entity()) {
            (Some(rows), _) => add(&mut seeds, &QUICKQ, feed, &rows),
            (None, Some(mut entity)) => {
                let entity = if feed == "user" {
                    entity.remove("user").unwrap_or_default()
                } else {
                    entity.into()
                };
                seeds.push(of_feed(&QUICKQ, feed, entity.to_string().as_bytes()));
            }
            (None, None) => {}
        }
    }
    for feed in ["operation", "ticket_range", "workplace", "user_role", "qboard", "scoreboard"] {
        seeds.push(of_feed(
            &QUICKQ,
            feed,
            br#"{"id":"7","name":"x","description":null,"disabled":1}"#,
        ));
    }
    seeds
}

/// A row as the feed makes it of a level of the statistics.
fn states() -> Rows {
    Rows::of_one(Bytes::from_static(
        br#"{"key":"1/2/10/3/0","consumer":{"id":1},"service":{"id":2},"stage":{"id":10},"operation":{"id":3},"state":{"id":0,"state":"WAITING"}}"#,
    ))
}

fn add(seeds: &mut Vec<Vec<u8>>, plans: &[FeedPlan], feed: &str, rows: &Rows) {
    seeds.extend(rows.iter().map(|row| of_feed(plans, feed, row)));
}

fn of_feed(plans: &[FeedPlan], feed: &str, row: &[u8]) -> Vec<u8> {
    let at = plans.iter().position(|plan| *plan.spec.name == *feed);
    let at = at.unwrap_or_else(|| panic!("no feed `{feed}`"));
    // Blanks cost mutations that say nothing.
    let row: &RawValue = serde_json::from_slice(row).expect("a row is JSON");
    let row = match serde_json::from_str::<serde_json::Value>(row.get()) {
        Ok(value) => value.to_string(),
        Err(_) => row.get().to_owned(),
    };
    [&[at as u8], row.as_bytes()].concat()
}

/// The JSON text of an event about the first sample of a feed, where there is one.
pub(super) fn event_as_json(of: &Contract) -> Option<Vec<u8>> {
    let sets =
        [(&CONTRACTOR, contractor_seeds()), (&ENTER, enter_seeds()), (&QUICKQ, quickq_seeds())];
    let mut rows =
        sets.iter().flat_map(|(plans, seeds)| seeds.iter().map(move |seed| (plans, seed)));
    rows.find_map(|(plans, seed)| {
        let plan = &plans[usize::from(seed[0])];
        let contract = plan.spec.contract();
        if !std::ptr::eq(contract, of) {
            return None;
        }
        let scope = if &*plan.spec.name == "ticket" { BRANCH_DAY } else { "" };
        let entity = decoded(plan, scope, &seed[1..]).ok()?;
        let json = contract.to_json(&event(&entity.value)).ok()?;
        serde_json::to_vec(&json).ok()
    })
}
