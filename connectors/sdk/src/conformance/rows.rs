//! Rows one by one: their keys, their spelling, what is unknown in them, and why they do not decode.

use serde_json::Value as Json;
use talon_schemas::{Contract, Envelope, Instants, Op, Source};

use super::odd::{self, ODD};
use super::report::{Property, Report};
use super::respell::{Choices, respelled};
use super::simulation::Simulation;
use super::trial::{SHORTEST_CANARY, Sample, Trials};
use crate::{Row, RowFault};

/// How often a row is spelled anew.
const SPELLINGS: u64 = 8;

/// Of so many rows of a feed every field is tried.
const EVERY_FIELD: usize = 4;

pub(super) async fn check<S: Simulation, F: AsyncFn() -> S>(trials: &mut Trials<'_, F>) {
    let trial = trials.begin().await;
    let samples = std::mem::take(&mut trials.samples);
    let report = &mut trials.report;
    let mut last = None;
    let mut number = 0;
    for sample in samples {
        let feed = sample.plan.spec.name.clone();
        number = if last.as_ref() == Some(&feed) { number + 1 } else { 0 };
        last = Some(feed.clone());
        let place = format!("feed `{feed}`, row {number} of scope `{}`", sample.scope);
        let Ok(read) = sample.decode(&sample.bytes) else { continue };
        peeked(&sample, &read, &place, report);
        spelled(&sample, &read, number as u64, &place, report);
        collect(&sample, &read, report);
        if number < EVERY_FIELD {
            let dropped = trial.simulation.dropped(&feed);
            unknown(&sample, &dropped, &place, report);
            faults(&sample, &place, report);
        }
    }
}

/// A row as everything that follows from it.
#[derive(PartialEq)]
struct Read {
    key: String,
    ts_ms: Option<i64>,
    value: Vec<u8>,
    facts: Vec<(String, Vec<u8>)>,
}

impl Read {
    fn of(row: Row) -> Read {
        let facts = row.facts.iter().map(|fact| (fact.key.clone(), fact.value.clone())).collect();
        Read { key: row.key, ts_ms: row.ts_ms, value: row.value, facts }
    }
}

impl Sample {
    fn decode(&self, bytes: &[u8]) -> Result<Read, RowFault> {
        let mut row = Row::default();
        self.plan.codec.decode(bytes, &self.scope, &mut row)?;
        Ok(Read::of(row))
    }

    fn contract(&self) -> &'static Contract {
        self.plan.spec.contract()
    }
}

fn peeked(sample: &Sample, read: &Read, place: &str, report: &mut Report) {
    let mut key = String::new();
    let is_peeked = sample.plan.codec.peek_key(&sample.bytes, &sample.scope, &mut key);
    if is_peeked && key != read.key {
        let what = format!("`{key}` is peeked, and `{}` is decoded", read.key);
        report.breach(Property::PeekedKey, place, what);
    }
}

fn spelled(sample: &Sample, read: &Read, number: u64, place: &str, report: &mut Report) {
    for seed in 0..SPELLINGS {
        let mut choices = Choices(seed + number * SPELLINGS);
        let Some(other) = respelled(&sample.bytes, &mut choices) else { return };
        let shown = || String::from_utf8_lossy(&other).into_owned();
        match sample.decode(&other) {
            Ok(other_read) if other_read == *read => {}
            Ok(_) => {
                let what = format!("is another datum when it is spelled `{}`", shown());
                report.breach(Property::SameContent, place, what);
                return;
            }
            Err(fault) => {
                let what = format!("does not decode ({fault}) when it is spelled `{}`", shown());
                report.breach(Property::SameContent, place, what);
                return;
            }
        }
        let mut key = String::new();
        if sample.plan.codec.peek_key(&other, &sample.scope, &mut key) && key != read.key {
            let what = format!("`{key}` is peeked when it is spelled `{}`", shown());
            report.breach(Property::PeekedKey, place, what);
            return;
        }
    }
}

/// Unknown fields, and known ones of another type.
fn unknown(sample: &Sample, dropped: &[&str], place: &str, report: &mut Report) {
    for odd::Variant { path, json, is_unknown } in odd::variants(&sample.bytes) {
        let is_dropped = |pattern: &&str| match pattern.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == **pattern,
        };
        if dropped.iter().any(is_dropped) {
            continue;
        }
        // A row that does not decode goes to the dead letters as it is: nothing of it is lost.
        let Some(read) = discreetly(sample, &json, place, report) else { continue };
        let facts = read.facts.iter().any(|(_, fact)| holds(fact));
        if !holds(&read.value) && !facts {
            let what = match is_unknown {
                true => format!("the unknown field `{path}` is lost"),
                false => format!("the value of `{path}` is lost when it has another type"),
            };
            report.breach(Property::NothingLost, place, what);
        }
    }
}

/// Whether the odd value stands in a datum, as a text or inside one.
fn holds(datum: &[u8]) -> bool {
    datum.windows(ODD.len()).any(|window| window == ODD.as_bytes())
}

/// Why rows do not decode, told without what stands in them.
fn faults(sample: &Sample, place: &str, report: &mut Report) {
    let bytes = &sample.bytes;
    let cut = (1..8).map(|eighth| bytes[..bytes.len() * eighth / 8].to_vec());
    let garbage = [[b"#".as_slice(), bytes].concat(), [bytes.as_slice(), b"#"].concat()];
    for json in cut.chain(garbage) {
        discreetly(sample, &json, place, report);
    }
}

/// Decodes a row; why it does not decode is told, and must not quote it.
fn discreetly(sample: &Sample, json: &[u8], place: &str, report: &mut Report) -> Option<Read> {
    let mut row = Row::default();
    let decoded = sample.plan.codec.decode(json, &sample.scope, &mut row);
    for fault in decoded.as_ref().err().into_iter().chain(row.facts.faults()) {
        if fault.0.contains(ODD) {
            let what = format!("a row fault quotes the row's value: {fault}");
            report.breach(Property::Discretion, place, what);
        }
        report.tell(format!("{place}, a row fault"), &*fault.0);
    }
    decoded.is_ok().then(|| Read::of(row))
}

/// Notes the texts under marked fields, which must not be seen.
fn collect(sample: &Sample, read: &Read, report: &mut Report) {
    let contract = sample.contract();
    if contract.pii().is_empty() {
        return;
    }
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
    let envelope =
        Envelope { before: None, after: Some(&read.value), source, op: Op::Create, ts_ms: 0 };
    let mut datum = Vec::new();
    envelope.encode(&mut datum);
    if let Ok(json) = contract.to_json(&datum) {
        marked(&json["after"], contract.pii(), false, report);
    }
}

fn marked(json: &Json, names: &[String], is_marked: bool, report: &mut Report) {
    match json {
        Json::Object(fields) => {
            for (name, field) in fields {
                marked(field, names, is_marked || names.contains(name), report);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| marked(item, names, is_marked, report)),
        Json::String(text) if is_marked && text.chars().count() >= SHORTEST_CANARY => {
            report.canaries.insert((text.clone(), "a value of a field that is marked personal"));
        }
        _ => {}
    }
}
