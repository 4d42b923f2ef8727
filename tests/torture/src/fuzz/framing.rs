//! Messages that were published before, as recovery and consumers of results read them.

use talon_contractor::contracts as contractor;
use talon_enter::contracts as enter;
use talon_quickq::contracts as quickq;
use talon_runtime::commands::ResultRecord;
use talon_schemas::result::RESULT;
use talon_schemas::wire::{Payload, Wire};
use talon_schemas::{Contract, Datum};

const WIRES: [Wire; 3] = [Wire::Confluent { id: 7 }, Wire::SingleObject, Wire::Json];

fn contracts() -> [&'static Contract; 4] {
    [&contractor::CALL, &enter::TICKET, &quickq::CONSUMER, &contractor::CALL_COST]
}

/// The first byte chooses schema and wire format, the rest is the message.
pub(super) fn run(data: &[u8]) {
    let Some((&choice, message)) = data.split_first() else { return };
    let wire = WIRES[usize::from(choice) % WIRES.len()];
    let contracts = contracts();
    let schema = usize::from(choice) / WIRES.len() % (contracts.len() + 1);
    match contracts.get(schema) {
        Some(contract) => event(contract, wire, message),
        None => result(wire, message),
    }
}

fn event(contract: &Contract, wire: Wire, message: &[u8]) {
    match wire.open(contract, message) {
        Payload::Own(datum) => {
            // Or as a process wrote it that had no registry.
            let is_whole = [wire, Wire::SingleObject].into_iter().any(|wire| {
                let mut again = Vec::new();
                wire.put_prefix(contract, &mut again);
                again.extend_from_slice(datum);
                again == message
            });
            assert!(is_whole, "what stands before the datum");
            read(contract, datum);
        }
        Payload::Registered(id, datum) => {
            assert_ne!(wire, Wire::Confluent { id });
            read(contract, datum);
            // As written by a process that has the same schema under another id.
            if let Some(upgraded) = contract.as_ref().recognise(datum, |_| true) {
                let shown = contract.to_json(&upgraded).expect("what was upgraded fits");
                assert_eq!(contract.to_json(datum).ok(), Some(shown));
            }
        }
        Payload::Json(json) => {
            let Ok(datum) = contract.from_json(json) else { return };
            contract.cut(&datum).expect("a datum of ours");
            let shown = contract.to_json(&datum).expect("a datum of ours");
            let text = serde_json::to_vec(&shown).expect("it is JSON");
            let back = contract.from_json(&text).expect("it is an event");
            assert_eq!(contract.to_json(&back).ok(), Some(shown));
        }
        Payload::Fingerprinted(fingerprint, datum) => {
            assert_ne!(fingerprint, contract.fingerprint());
            read(contract, datum);
        }
        Payload::Foreign => {}
    }
}

/// What recovery does with a datum, and what a curious reader does.
fn read(contract: &Contract, datum: &[u8]) {
    let Ok(parts) = contract.cut(datum) else { return };
    for value in [parts.before, parts.after].into_iter().flatten() {
        let stable = contract.stable_len(value).expect("a part that was cut out is whole");
        assert!(stable <= value.len());
        let mut fields = Datum::new(value);
        while fields.text().is_ok() {}
    }
    if let Ok(shown) = contract.to_json(datum) {
        let text = serde_json::to_vec(&shown).expect("it is JSON");
        assert!(text.len() <= 256 * datum.len() + 4096, "{} bytes of JSON", text.len());
    }
}

fn result(wire: Wire, message: &[u8]) {
    let read: Option<ResultRecord> = match wire.open(&*RESULT, message) {
        Payload::Own(datum) | Payload::Registered(_, datum) => RESULT.decode(datum).ok(),
        Payload::Json(json) => serde_json::from_slice(json).ok(),
        Payload::Fingerprinted(..) | Payload::Foreign => None,
    };
    let Some(record) = read else { return };
    let mut datum = Vec::new();
    RESULT.encode(&record, &mut datum).expect("a result fits its schema");
    assert_eq!(RESULT.decode::<ResultRecord>(&datum).ok(), Some(record.clone()));
    let (_, place) = (record.outcome(), record.position());
    assert!(place.is_none_or(|place| place.to_string().parse() == Ok(place)));
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (at, contract) in contracts().into_iter().enumerate() {
        for (form, wire) in WIRES.into_iter().enumerate() {
            let Some(json) = super::rows::event_as_json(contract) else { continue };
            let mut message = vec![(at * WIRES.len() + form) as u8];
            wire.put_prefix(contract, &mut message);
            match wire {
                Wire::Json => message.extend_from_slice(&json),
                _ => message.extend(contract.from_json(&json).expect("an event")),
            }
            seeds.push(message);
        }
    }
    let record = ResultRecord {
        command_id: "c-1".to_owned(),
        r#type: "SetCallStatus".to_owned(),
        key: "42".to_owned(),
        phase: "OUTCOME".to_owned(),
        outcome: Some("APPLIED".to_owned()),
        attempts: 2,
        sent_at: Some(1_769_842_800_000_000),
        response: Some("{}".to_owned()),
        position: "2/17".to_owned(),
        ..ResultRecord::default()
    };
    let mut datum = Vec::new();
    RESULT.encode(&record, &mut datum).expect("a result");
    let first = contracts().len() * WIRES.len();
    for (form, wire) in WIRES.into_iter().enumerate() {
        let mut message = vec![(first + form) as u8];
        wire.put_prefix(&*RESULT, &mut message);
        match wire {
            Wire::Json => message.extend(serde_json::to_vec(&record).unwrap_or_default()),
            _ => message.extend_from_slice(&datum),
        }
        seeds.push(message);
    }
    seeds
}
