//! Records of the results topic that another version wrote.

use talon_runtime::commands::ResultRecord;
use talon_schemas::wire::Wire;

use crate::memory::Memory;
use crate::upstream::Upstream;
use crate::{put, settle};

fn now_us() -> i64 {
    talon_sdk::Clock::System.now_ms() * 1_000
}

/// A record in the form of a version that nobody knows.
const UNKNOWN: [u8; 12] = [0xc3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 2, b'x'];

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_a_command_whose_record_cannot_be_read_is_not_sent_and_all_others_are() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    bus.leave_bytes("a", UNKNOWN.to_vec());
    bus.leave_bytes("o", vec![0, 0, 0, 0, 9, 2, b'x']);
    bus.leave_bytes("gone", br#"{"command_id": 7}"#.to_vec());
    // An outcome that can be read stands, whatever else is there.
    let settled = ResultRecord {
        command_id: "s".to_owned(),
        phase: "OUTCOME".to_owned(),
        outcome: Some("APPLIED".to_owned()),
        settled_at: Some(now_us()),
        ..ResultRecord::default()
    };
    bus.leave_as(&settled, Wire::SingleObject);
    bus.leave_bytes("s", UNKNOWN.to_vec());
    for (id, kind) in [("a", "Add"), ("b", "Add"), ("o", "Off"), ("s", "Put")] {
        put(&bus, id, kind, 7);
    }
    put(&bus, "c", "Set", 12);
    settle(&bus, &upstream).await;
    let outcomes: Vec<(String, String)> =
        bus.outcomes().into_iter().map(|(id, outcomes)| (id, outcomes.join(" "))).collect();
    let expected = [
        ("a", "UNKNOWN"),
        ("b", "APPLIED"),
        ("c", "APPLIED"),
        ("o", "UNKNOWN"),
        ("s", "APPLIED DUPLICATE"),
    ];
    assert_eq!(outcomes, expected.map(|(id, outcome)| (id.to_owned(), outcome.to_owned())));
    let mut effects = upstream.effects();
    effects.sort();
    assert_eq!(effects, ["b", "c"]);
    for id in ["a", "o"] {
        let result = bus.results().into_iter().find(|result| result.command_id == id).unwrap();
        let message = result.message.unwrap();
        assert!(message.contains("schema") && message.contains("is not"), "{message}");
    }

    // It has its outcome now.
    put(&bus, "a", "Add", 7);
    settle(&bus, &upstream).await;
    assert_eq!(bus.outcomes()["a"], ["UNKNOWN", "DUPLICATE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_a_record_under_an_id_that_no_registry_knows_is_recognised() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    let record = |id: &str, outcome: Option<&str>| ResultRecord {
        command_id: id.to_owned(),
        phase: if outcome.is_some() { "OUTCOME" } else { "INTENT" }.to_owned(),
        outcome: outcome.map(str::to_owned),
        settled_at: outcome.map(|_| now_us()),
        sent_at: Some(now_us()),
        evidence: Some("{\"mark\":1}".to_owned()),
        position: "1/0".to_owned(),
        ..ResultRecord::default()
    };
    let wire = Wire::Confluent { id: 7 };
    bus.leave_as(&record("a", Some("APPLIED")), wire);
    bus.leave_as(&record("i", None), wire);
    upstream.0.lock().unwrap().effects.push("i".to_owned());
    put(&bus, "i", "Add", 7);
    put(&bus, "a", "Add", 7);
    settle(&bus, &upstream).await;
    let outcomes = bus.outcomes();
    assert_eq!(
        (&outcomes["a"][..], &outcomes["i"][..]),
        (&["APPLIED", "DUPLICATE"].map(str::to_owned)[..], &["APPLIED".to_owned()][..])
    );
    assert_eq!(upstream.effects(), ["i"], "it was read back");
}
