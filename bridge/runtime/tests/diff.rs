//! The diff, without a bus: what was seen against what was published.
//! Tests of an invariant of ARCHITECTURE.md have its number in their name.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use serde::Serialize;
use talon_runtime::diff::{Change, Changes, Differ, EventId, Summary};
use talon_runtime::guard::{Guard, Withheld};
use talon_schemas::Contract;
use talon_sdk::record::peek_scalar;
use talon_sdk::{Coverage, Observation, Row, RowCodec, RowFault, Rows};

mod contractor {
    talon_schemas::contracts! {
        "contractor":
        CALL_MESSAGE = "call_message",
    }
}

/// Messages as rows `{"id":1,"message":"text","timestamp":5}`.
struct Messages;

#[derive(serde::Deserialize)]
struct Dto {
    id: i64,
    message: Option<String>,
    timestamp: Option<i64>,
}

#[derive(Serialize)]
struct Message {
    id: i64,
    call_id: Option<i64>,
    written_at: Option<i64>,
    message: Option<String>,
    owner_id: Option<i64>,
    extra: BTreeMap<String, String>,
    owner_name: Option<String>,
    mark: Option<i64>,
}

impl RowCodec for Messages {
    fn peek_key(&self, row: &[u8], _scope: &str, key: &mut String) -> bool {
        peek_scalar(row, "id", key)
    }

    fn decode(&self, row: &[u8], _scope: &str, out: &mut Row) -> Result<(), RowFault> {
        let dto: Dto = serde_json::from_slice(row).map_err(|_| RowFault("odd".to_owned()))?;
        out.key = dto.id.to_string();
        // Half written.
        assert_ne!(dto.message.as_deref(), Some("poison"), "a defect of the codec");
        let message = Message {
            id: dto.id,
            call_id: None,
            written_at: None,
            message: dto.message,
            owner_id: None,
            owner_name: None,
            extra: BTreeMap::new(),
            mark: dto.timestamp,
        };
        contract().encode(&message, &mut out.value).map_err(|_| RowFault("odd".to_owned()))
    }
}

fn contract() -> &'static Contract {
    &contractor::CALL_MESSAGE
}

/// What was published: `op key before after`, and the log itself.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    records: Vec<Record>,
    /// Of the observation under way.
    scope: String,
}

#[derive(Debug, Clone, PartialEq)]
struct Record {
    key: String,
    after: Option<Vec<u8>>,
    id: EventId,
    scope: String,
}

impl Changes for Log {
    type Error = Infallible;

    fn change(&mut self, change: &Change<'_>) -> Result<(), Infallible> {
        let text = |value: Option<&[u8]>| {
            value.map_or("-".to_owned(), |value| {
                let mut event = Vec::new();
                let source = talon_schemas::Source {
                    version: "",
                    connector: "",
                    name: "",
                    feed: "",
                    scope: "",
                    ts_ms: 0,
                    snapshot: false,
                    absent: false,
                    instants: talon_schemas::Instants::Micros,
                };
                let op = talon_schemas::Op::Read;
                talon_schemas::Envelope { before: None, after: Some(value), source, op, ts_ms: 0 }
                    .encode(&mut event);
                contract().to_json(&event).unwrap()["after"]["message"].as_str().unwrap().to_owned()
            })
        };
        self.lines.push(format!(
            "{} {} {} {}",
            change.op.letter(),
            change.key,
            text(change.before),
            text(change.after)
        ));
        self.records.push(Record {
            key: change.key.to_owned(),
            after: change.after.map(<[u8]>::to_vec),
            id: change.id,
            scope: self.scope.clone(),
        });
        Ok(())
    }

    fn dead_letter(&mut self, key: &str, row: &[u8], _: &RowFault) -> Result<(), Infallible> {
        self.lines.push(format!("dead {key} {}", String::from_utf8_lossy(row)));
        Ok(())
    }
}

const GUARD: Guard = Guard { ratio: 0.5, entities: 1 };

struct Feed {
    differ: Differ,
    log: Log,
}

impl Feed {
    fn new() -> Feed {
        let differ = Differ::new("t.n.f".to_owned(), contract(), Arc::new(Messages), GUARD, true);
        Feed { differ, log: Log::default() }
    }

    /// A new process that reads the log back; a delete is there as an event and as a tombstone.
    fn restarted(&self) -> Feed {
        let mut feed = Feed::new();
        for Record { key, after, id, scope } in &self.log.records {
            feed.differ.recover_in(
                scope,
                key,
                after.as_deref().map(|value| (value, talon_schemas::Instants::Micros)),
                id.chain(),
            );
            if after.is_none() {
                feed.differ.recover(key, None, id.chain());
            }
        }
        feed
    }

    fn see(&mut self, coverage: Coverage, rows: &str, after_fault: bool) -> Summary {
        self.see_in("", coverage, rows, after_fault)
    }

    fn see_in(
        &mut self,
        scope: &str,
        coverage: Coverage,
        rows: &str,
        after_fault: bool,
    ) -> Summary {
        let observation = Observation {
            scope: scope.to_owned(),
            coverage,
            rows: Rows::of_array(bytes::Bytes::copy_from_slice(rows.as_bytes())).unwrap(),
            cursor: None,
            snapshot: false,
            as_of_ms: 0,
        };
        scope.clone_into(&mut self.log.scope);
        let Ok(summary) = self.differ.observe(&observation, after_fault, &mut self.log);
        summary
    }

    fn delta(&mut self, rows: &str) -> Vec<String> {
        self.log.lines.clear();
        self.see(Coverage::Delta, rows, false);
        self.log.lines.clone()
    }

    fn full(&mut self, rows: &str) -> Vec<String> {
        self.log.lines.clear();
        self.see(Coverage::Full, rows, false);
        let mut lines = self.log.lines.clone();
        lines.sort();
        lines
    }
}

#[test]
fn invariant_1_a_change_of_content_is_published_once_and_in_order() {
    let mut feed = Feed::new();
    assert_eq!(
        feed.delta(r#"[{"id":1,"message":"a"},{"id":2,"message":"x"}]"#),
        ["c 1 - a", "c 2 - x"]
    );
    assert_eq!(feed.delta(r#"[{"id":1,"message":"a"}]"#), [""; 0]);
    assert_eq!(
        feed.delta(r#"[{"id":1,"message":"b"},{"id":1,"message":"c"},{"id":2,"message":"x"}]"#),
        ["u 1 a b", "u 1 b c"]
    );
    assert_eq!(
        feed.delta(r#"[{"id":1,"message":"a"}]"#),
        ["u 1 c a"],
        "back to an earlier state is a change"
    );
}

#[test]
fn invariant_1_noise_is_no_change() {
    let mut feed = Feed::new();
    feed.delta(r#"[{"id":1,"message":"a","timestamp":5}]"#);
    for same in [
        r#"[{"message":"a","timestamp":5,"id":1}]"#,
        r#"[ { "id" : 1 , "message" : "\u0061" , "timestamp" : 5 } ]"#,
        r#"[{"id":1,"message":"a","timestamp":6}]"#,
    ] {
        assert_eq!(feed.delta(same), [""; 0], "{same}");
    }
}

#[test]
fn invariant_1_a_restart_publishes_nothing_again() {
    let mut feed = Feed::new();
    feed.full(r#"[{"id":1,"message":"a"},{"id":2,"message":"b"},{"id":3,"message":"c"}]"#);
    feed.full(r#"[{"id":1,"message":"a"},{"id":2,"message":"B"}]"#);
    let mut restarted = feed.restarted();
    assert_eq!(restarted.full(r#"[{"id":1,"message":"a"},{"id":2,"message":"B"}]"#), [""; 0]);
    assert_eq!(
        restarted.full(r#"[{"id":1,"message":"A"},{"id":2,"message":"B"}]"#),
        ["u 1 a A"],
        "the value before is recovered too"
    );
}

#[test]
fn an_event_made_again_from_the_same_past_has_the_same_id_and_any_other_has_another() {
    let mut feed = Feed::new();
    let rows = [r#"[{"id":1,"message":"a"}]"#, "[]", r#"[{"id":1,"message":"a"}]"#, "[]"];
    for rows in rows {
        feed.see(Coverage::Full, rows, false);
    }
    let ids: Vec<EventId> = feed.log.records.iter().map(|record| record.id).collect();
    for (i, id) in ids.iter().enumerate() {
        assert!(!ids[..i].contains(id), "event {i} of create, delete, create, delete");
    }
    // The last event was lost in a crash: made again, it is the same.
    let lost = feed.log.records.pop().unwrap();
    let mut restarted = feed.restarted();
    restarted.see(Coverage::Full, "[]", false);
    assert_eq!(restarted.log.records, [lost]);
}

#[test]
fn invariant_4_only_a_full_list_deletes() {
    let mut feed = Feed::new();
    feed.full(r#"[{"id":1,"message":"a"},{"id":2,"message":"b"}]"#);
    assert_eq!(feed.delta(r#"[{"id":1,"message":"a"}]"#), [""; 0]);
    assert_eq!(feed.full(r#"[{"id":1,"message":"a"}]"#), ["d 2 b -"]);
    assert_eq!(feed.full(r#"[{"id":1,"message":"a"}]"#), [""; 0], "once");
    assert_eq!(feed.full(r#"[{"id":1,"message":"a"},{"id":2,"message":"b"}]"#), ["c 2 - b"]);
}

#[test]
fn invariant_4_an_implausible_list_deletes_nothing_and_its_rows_are_published() {
    let mut feed = Feed::new();
    feed.full(r#"[{"id":1,"message":"a"},{"id":2,"message":"b"},{"id":3,"message":"c"}]"#);
    feed.log.lines.clear();
    let summary = feed.see(Coverage::Full, r#"[{"id":1,"message":"A"}]"#, false);
    assert_eq!(summary.withheld, Some((2, Withheld::TooMany)));
    assert_eq!(feed.log.lines, ["u 1 a A"]);
    assert_eq!(
        feed.full(r#"[{"id":1,"message":"A"},{"id":2,"message":"b"}]"#),
        ["d 3 c -"],
        "what is plausible again is believed"
    );
}

#[test]
fn invariant_4_an_empty_list_after_a_fault_deletes_nothing() {
    let mut feed = Feed::new();
    feed.full(r#"[{"id":1,"message":"a"}]"#);
    let summary = feed.see(Coverage::Full, "[]", true);
    assert_eq!(summary.withheld, Some((1, Withheld::EmptyAfterFault)));
    assert_eq!(feed.full("[]"), ["d 1 a -"], "a second time it is believed");
}

/// A list of rows with these ids.
fn rows(ids: impl IntoIterator<Item = u64>) -> String {
    let rows: Vec<String> =
        ids.into_iter().map(|id| format!(r#"{{"id":{id},"message":"m"}}"#)).collect();
    format!("[{}]", rows.join(","))
}

impl Feed {
    /// A full list of a scope; what it published, without values.
    fn list(&mut self, scope: &str, ids: impl IntoIterator<Item = u64>) -> Vec<String> {
        self.log.lines.clear();
        self.see_in(scope, Coverage::Full, &rows(ids), false);
        let short = |line: &String| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let mut lines: Vec<String> = self.log.lines.iter().map(short).collect();
        lines.sort();
        lines
    }
}

#[test]
fn invariant_4_a_full_list_of_a_scope_tells_of_that_scope_alone() {
    let mut feed = Feed::new();
    feed.see_in("a", Coverage::Delta, &rows([11, 12]), false);
    feed.see_in("b", Coverage::Full, &rows([21]), false);
    feed.see_in("", Coverage::Delta, &rows([31]), false);
    assert_eq!(feed.restarted().list("a", [11]), ["d 12"], "also after a restart");
    assert_eq!(feed.list("a", [11]), ["d 12"]);
    assert_eq!(feed.list("a", 11..18), ["c 12", "c 13", "c 14", "c 15", "c 16", "c 17"]);
    feed.list("b", 21..26);
    // Four of seven are too many; of all thirteen they would not be.
    let summary = feed.see_in("a", Coverage::Full, &rows([11, 16, 17]), false);
    assert_eq!((summary.withheld, feed.log.lines.len()), (Some((4, Withheld::TooMany)), 4));
    assert_eq!(feed.list("", (11..18).chain(21..26)), ["d 31"], "the whole feed");
    assert_eq!(feed.list("c", []), [""; 0], "a scope that nothing lies in");
}

#[test]
fn invariant_4_a_row_that_moves_to_another_scope_is_not_absent_in_the_one_before() {
    let mut feed = Feed::new();
    feed.list("a", [1, 2, 3]);
    feed.list("b", [4, 5]);
    assert_eq!(feed.list("b", [3, 4, 5]), [""; 0], "the same content");
    assert_eq!(feed.list("a", [1, 2]), [""; 0]);
    assert_eq!(feed.list("b", [4, 5]), ["d 3"]);
    // Seen in two scopes in turn: no event, however often.
    feed.list("a", [1, 2, 5]);
    for _ in 0..3 {
        assert_eq!(feed.list("b", [4, 5]), [""; 0]);
        assert_eq!(feed.list("a", [1, 2, 5]), [""; 0]);
    }
    // What moved in is no evidence that a list is plausible.
    feed.list("b", 100..110);
    let summary = feed.see_in("a", Coverage::Full, &rows(100..110), false);
    assert_eq!(summary.withheld, Some((3, Withheld::TooMany)));
}

#[test]
fn invariant_4_an_entity_of_an_unknown_scope_is_absent_nowhere_until_it_is_seen() {
    let mut feed = Feed::new();
    feed.list("a", [1, 2]);
    let mut restarted = Feed::new();
    for Record { key, after, id, .. } in &feed.log.records {
        // Its event could not be read.
        restarted.differ.recover(key, after.as_deref(), id.chain());
    }
    assert_eq!(restarted.list("a", [1]), [""; 0]);
    assert_eq!(restarted.list("a", [1, 2]), [""; 0]);
    assert_eq!(restarted.list("a", [1]), ["d 2"]);
}

#[test]
fn invariant_9_a_log_is_known_for_one_to_two_retentions_after_it_was_seen() {
    let differ = Differ::new("t.n.f".to_owned(), contract(), Arc::new(Messages), GUARD, true);
    let mut feed = Feed { differ: differ.with_retention(1_000), log: Log::default() };
    feed.see(Coverage::Delta, &rows([999_999]), false);
    for id in 0..10_000_u64 {
        feed.differ.forget_old(i64::try_from(id).unwrap() * 10);
        assert_eq!(feed.delta(&rows([id])).len(), 1);
        // What an overlap gives again, and what is listed all the time.
        assert_eq!(feed.delta(&rows([id.saturating_sub(99), 999_999])), [""; 0]);
        // Those of two retentions, what was seen again of the one before them, and what stays listed.
        assert!(feed.differ.index().len() <= 302, "{} at {id}", feed.differ.index().len());
    }
    assert_eq!(feed.delta(&rows([7])).len(), 1, "its record is gone too");
}

#[test]
fn invariant_4_a_list_in_parts_tells_of_absence_after_its_last_part() {
    let [one, two, three] = [
        r#"[{"id":1,"message":"a"}]"#,
        r#"[{"id":2,"message":"b"}]"#,
        r#"[{"id":3,"message":"c"}]"#,
    ];
    let mut feed = Feed::new();
    feed.full(r#"[{"id":1,"message":"a"},{"id":2,"message":"b"},{"id":3,"message":"c"}]"#);
    let mut see = |parts: &[(Coverage, &str)], after_fault| {
        feed.log.lines.clear();
        for (coverage, rows) in parts {
            feed.see(*coverage, rows, after_fault);
        }
        feed.log.lines.clone()
    };
    use Coverage::{Last, Part};
    assert_eq!(see(&[(Part(0), one), (Part(1), two), (Last(2), three)], false), [""; 0]);
    assert_eq!(see(&[(Part(0), one), (Last(2), three)], false), [""; 0], "a part is missing");
    assert_eq!(see(&[(Last(1), three)], false), [""; 0], "so is the beginning");
    assert_eq!(see(&[(Part(0), one), (Part(0), two), (Last(1), three)], false), ["d 1 a -"]);
    assert_eq!(see(&[(Part(0), two), (Last(1), three)], true), [""; 0], "reopened in between");
    assert_eq!(see(&[(Part(0), two), (Last(1), "[]")], false), ["d 3 c -"]);
}

#[test]
fn invariant_6_a_row_that_cannot_be_read_is_put_aside_once_and_what_follows_flows_on() {
    let mut feed = Feed::new();
    let rows = r#"[{"id":1,"message":"a"},{"id":"x"},{"id":2,"message":"b"}]"#;
    assert_eq!(feed.full(rows), ["c 1 - a", "c 2 - b", r#"dead x {"id":"x"}"#]);
    assert_eq!(feed.full(rows), [""; 0]);
}

#[test]
fn noise_in_rows_that_cannot_be_read_puts_none_aside_again() {
    let mut feed = Feed::new();
    let dead = feed.full(r#"[{"id":1,"message":"poison"},{"id":"x","list":[1.50]}]"#);
    assert_eq!(dead.len(), 2, "{dead:?}");
    let other = r#"[{ "message":"p\u006fison", "id":1},{"list":[ 15e-1 ],"id" : "\u0078"}]"#;
    assert_eq!(feed.full(other), [""; 0]);
    assert_eq!(feed.full(r#"[{"id":1,"message":"poison"},{"id":"x","list":[1.51]}]"#).len(), 1);
}

#[test]
fn invariant_4_a_row_that_cannot_be_read_may_be_any_absent_one() {
    let mut feed = Feed::new();
    feed.full(r#"[{"id":1,"message":"a"},{"id":2,"message":"b"},{"id":3,"message":"c"}]"#);
    let summary =
        feed.see(Coverage::Full, r#"[{"id":1,"message":"a"},{"id":2,"message":"b"},[]]"#, false);
    assert_eq!(summary.withheld, Some((1, Withheld::UnreadableRow)));
    // With its key readable, it stands for itself alone.
    feed.log.lines.clear();
    let summary =
        feed.see(Coverage::Full, r#"[{"id":1,"message":"a"},{"id":2,"message":5}]"#, false);
    assert_eq!(summary.withheld, None);
    assert_eq!(feed.log.lines, [r#"dead 2 {"id":2,"message":5}"#, "d 3 c -"]);
}

#[test]
fn invariant_6_a_row_that_is_no_json_hides_no_other_and_is_put_aside_once() {
    for bad in [
        r#"{"id":2,"n":NaN}"#,
        "{\"id\":2,\"message\":\"a\nb],[\u{1}\"}",
        r#"{"id":2,"message":"\x"}"#,
        r#"{"id":2,"message":"\ud8","n":-Infinity}"#,
    ] {
        let mut feed = Feed::new();
        let rows = format!(r#"[{{"id":1,"message":"a"}},{bad},{{"id":3,"message":"c"}}]"#);
        assert_eq!(feed.full(&rows), ["c 1 - a", "c 3 - c", &format!("dead 2 {bad}")]);
        assert_eq!(feed.full(&rows), [""; 0]);
    }
}

#[test]
fn invariant_4_a_row_that_is_no_json_stands_for_itself_alone_only_if_it_holds_no_other() {
    let known = r#"[{"id":1,"message":"a"},{"id":2,"message":"b"},{"id":3,"message":"c"}]"#;
    let absent = |rows: &str| {
        let mut feed = Feed::new();
        feed.full(known);
        let Summary { withheld, .. } = feed.see(Coverage::Full, rows, false);
        (withheld, feed.full(rows).len(), feed.log.lines.clone())
    };
    // Its key stands before what is bad: only what is not there is absent.
    let (withheld, ..) = absent(r#"[{"id":1,"message":"a"},{"id":2,"n":NaN}]"#);
    assert_eq!(withheld, None);
    for rows in [
        // Its key stands behind what is bad.
        r#"[{"id":1,"message":"a"},{"n":NaN,"id":2}]"#,
        // Two quotes are missing: one row that holds two.
        r#"[{"id":1,"message":"a"},{"id":2,"message":"b},{"id":3,"message":"c}]"#,
        // A row was left out between two commas.
        r#"[{"id":1,"message":"a"},,{"id":2,"message":"b"}]"#,
        r#"[{"id":1,"message":"a"},{"id":2,"message":"say "b""}]"#,
    ] {
        let (withheld, again, lines) = absent(rows);
        assert!(matches!(withheld, Some((_, Withheld::UnreadableRow))), "{rows}: {withheld:?}");
        assert_eq!(again, 0, "{rows}: {lines:?}");
    }
}

#[test]
fn two_rows_under_one_key_in_a_list_do_not_flap() {
    let mut feed = Feed::new();
    let rows = r#"[{"id":1,"message":"a"},{"id":1,"message":"b"}]"#;
    assert_eq!(feed.full(rows), ["c 1 - a", r#"dead 1 {"id":1,"message":"b"}"#]);
    assert_eq!(feed.full(rows), [""; 0]);
}

#[test]
fn invariant_6_a_row_at_which_the_codec_panics_is_put_aside_once_and_what_follows_flows_on() {
    let mut feed = Feed::new();
    feed.full(r#"[{"id":1,"message":"a"},{"id":2,"message":"b"},{"id":4,"message":"d"}]"#);
    let list =
        r#"[{"id":1,"message":"poison"},{"id":3,"message":"poison"},{"id":2,"message":"B"}]"#;
    assert_eq!(
        feed.full(list),
        [
            "d 4 d -",
            r#"dead 1 {"id":1,"message":"poison"}"#,
            r#"dead 3 {"id":3,"message":"poison"}"#,
            "u 2 b B"
        ]
    );
    assert_eq!(feed.full(list), [""; 0]);
    assert_eq!(
        feed.full(r#"[{"id":1,"message":"a"},{"id":3,"message":"c"}]"#),
        ["c 3 - c", "d 2 B -"]
    );
}
