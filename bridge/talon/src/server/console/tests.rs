//! The pages, and how they are answered.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use talon_contractor::contracts::CALL;
use talon_runtime::bus::{Found, Looked, Position};
use talon_runtime::engine::{FeedRow, Glance, UpstreamRow};
use talon_runtime::health::{Component, Severity, State as Word};
use talon_runtime::metrics::{FeedStatus, OldestScope};

use super::caller::Caller;
use super::overview::Filter;
use super::seen::Seen;
use super::*;
use crate::instances::{CLASS, Config, Info, Shown, Target};
use crate::server::connections::PATIENCE;
use crate::server::tests::Server;

const HOSTILE: &str = r#"</td><script>alert("1")</script><img src=x onerror='a&b'>"#;
const NOW: i64 = 1_700_000_000_000;
const HERE: &str = "here:8083";
const READER: Caller = Caller { may_operate: false };
const OPERATOR: Caller = Caller { may_operate: true };

fn component(severity: Severity, state: Word, message: &str) -> Component {
    Component { state, severity, since_ms: NOW - 60_000, message: message.to_owned() }
}

/// A connector `c` with a feed `doors` that is read every two seconds.
fn glance(observed_ms: Option<i64>, withheld: u64) -> Glance {
    let row = FeedRow {
        connector: "c".to_owned(),
        feed: "doors".into(),
        topic: "talon.c.doors".to_owned(),
        interval_ms: 2_000,
    };
    let status =
        FeedStatus { observed_ms, oldest: None, entities: 1_234_567, withheld, published: 89 };
    let up = component(Severity::Vital, Word::Up, "");
    let components = BTreeMap::from([("bus".to_owned(), up.clone()), ("c".to_owned(), up)]);
    Glance {
        status: "up",
        components,
        feeds: vec![(row, status)],
        commands: vec![],
        backfills: BTreeMap::new(),
        relays: vec![],
        quotas: BTreeMap::new(),
        now_ms: NOW,
    }
}

type One = (String, Info, Shown);

fn connector(name: &str, state: &str, worker: &str, trace: &str) -> One {
    let config = Config::from([(CLASS.to_owned(), "contractor".to_owned())]);
    let info = Info { config, target: Target::Running, of_file: false };
    let shown = Shown {
        connector: state.to_owned(),
        task: (state != "STOPPED").then(|| state.to_owned()),
        worker: worker.to_owned(),
        trace: trace.to_owned(),
    };
    (name.to_owned(), info, shown)
}

/// The overview, with its title.
fn page_of(glance: &Glance, connectors: &[One], filter: &Filter) -> String {
    let recent = [HOSTILE.to_owned()];
    let seen = Seen {
        glance,
        connectors,
        trouble: None,
        worker: HERE,
        upstreams: &BTreeMap::new(),
        recent: &recent,
    };
    let (words, main) = overview::main(&seen, filter);
    format!("<title>{words}</title>{}", main.into_string())
}

fn page(glance: &Glance) -> String {
    page_of(glance, &[connector("c", "RUNNING", HERE, "")], &Filter::of(&HashMap::new()))
}

fn query(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// The text without its tags, blanks in one.
fn words(page: &str) -> String {
    let mut text = String::new();
    for part in page.split('<') {
        text += part.split_once('>').map_or(part, |(_, after)| after);
    }
    text.replace(['\u{a0}', '\u{202f}'], " ")
}

fn has(page: &str, what: &str) {
    let words = words(page);
    assert!(words.contains(what), "`{what}` is not in {words}");
}

fn has_headline(page: &str, headline: &str) {
    assert!(page.contains(&format!("<title>{headline}</title>")), "{page}");
    assert!(page.contains(&format!("</span>{headline}</h1>")), "{page}");
}

fn found(at: i64, value: Option<Vec<u8>>) -> Found {
    Found {
        key: Some("42".to_owned()),
        value,
        headers: vec![("talon-event-id".to_owned(), b"0000-1".to_vec())],
        at_ms: NOW + at,
        position: Position { partition: 3, offset: at },
        stands: format!("topic t, partition 3, offset {at}"),
    }
}

#[test]
fn a_feed_that_is_read_is_up() {
    let page = page(&glance(Some(NOW - 11_000), 0));
    has_headline(&page, "Up");
    has(&page, "11 s ago");
    has(&page, "1 234 567");
    has(&page, "All feeds are read: 1");
    assert!(!page.contains("What is the matter"));
}

#[test]
fn a_feed_that_stands_still_is_shown_with_what_to_do() {
    let page = page(&glance(Some(NOW - 11_001), 0));
    has_headline(&page, "Up, with warnings");
    has(&page, "c/doors is late: last read 11 s ago, due every 2 s");
    has(&page, "late: due every 2 s");
    assert!(page.contains("console/runbook#talonfeedstale"), "{page}");
}

#[test]
fn a_feed_that_never_gave_anything_stands_still() {
    let page = page(&glance(None, 0));
    has(&page, "not yet");
    assert!(page.contains("console/runbook#talonfeedneverread"), "{page}");
}

#[test]
fn a_feed_that_is_pushed_is_never_late() {
    let mut glance = glance(Some(NOW - 3_600_000), 0);
    glance.feeds[0].0.interval_ms = 0;
    has_headline(&page(&glance), "Up");
}

#[test]
fn a_feed_that_cannot_be_read_degrades_the_whole_and_is_said_once() {
    let mut glance = glance(Some(NOW - 60_000), 0);
    let faulty = component(Severity::Feed, Word::Misconfigured, "401 from `/doors`");
    glance.components.insert("c/doors".to_owned(), faulty);
    glance.status = "degraded";
    let page = page(&glance);
    has_headline(&page, "Degraded");
    has(&page, "c/doors is misconfigured: 401 from `/doors`");
    has(&page, "needs a person");
    assert!(page.contains("console/runbook#talonmisconfigured"), "{page}");
    assert!(!words(&page).contains("is late"));
}

#[test]
fn the_bus_is_named_before_the_connectors_it_takes_along() {
    let mut glance = glance(Some(NOW), 0);
    let faulty = component(Severity::Vital, Word::Unavailable, "connection refused");
    for name in ["a", "bus", "c"] {
        glance.components.insert(name.to_owned(), faulty.clone());
    }
    glance.status = "unavailable";
    let page = page(&glance);
    has_headline(&page, "Unavailable");
    has(&page, "bus is unavailable: connection refused and 2 more");
    assert!(page.contains("console/runbook#talonbusdown"), "{page}");
}

#[test]
fn a_start_is_no_alarm() {
    let mut glance = glance(None, 0);
    let starting = component(Severity::Vital, Word::Starting, "starting");
    glance.components.insert("c".to_owned(), starting);
    glance.status = "unavailable";
    has_headline(&page(&glance), "Unavailable, starting");
}

#[test]
fn withheld_deletes_are_shown_and_explained() {
    let page = page(&glance(Some(NOW), 1_200));
    has_headline(&page, "Up, with warnings");
    has(&page, "c/doors is withheld: 1 200 deletes");
    has(&page, "which is not believed");
}

#[test]
fn unknown_commands_are_a_matter_and_lead_to_their_list() {
    let mut glance = glance(Some(NOW), 0);
    glance.commands.push(talon_runtime::commands::LaneStatus {
        connector: "c".to_owned(),
        waiting: 5,
        outcomes: BTreeMap::from([("APPLIED", 7), ("UNKNOWN", 3)]),
    });
    let page = page(&glance);
    has(&page, "waiting: 5; APPLIED: 7; ▲ UNKNOWN: 3");
    assert!(page.contains("console/commands?connector=c&amp;state=UNKNOWN"), "{page}");
    assert!(page.contains("console/runbook#taloncommandunknown"), "{page}");
}

#[test]
fn a_backfill_a_quota_and_the_oldest_scope_are_shown() {
    let mut glance = glance(Some(NOW), 0);
    let standing = talon_sdk::Standing { total: 2_000, done: 500, left_ms: Some(7_200_000) };
    glance.backfills.insert("c".to_owned(), standing);
    let quota = talon_sdk::Left { left: 0, limit: 8, next_ms: NOW + 600_000, is_refused: false };
    glance.quotas.insert("c".to_owned(), BTreeMap::from([("Read", quota)]));
    glance.feeds[0].1.oldest =
        Some(OldestScope { scope: "7/2024-07-05".to_owned(), at_ms: NOW - 7_200_000 });
    let page = page(&glance);
    has(&page, "Backfill: 500 of 2 000 days, 25 %; about 2 h left");
    has(&page, "Quota of Read: 0 of 8 calls an hour left; the next one in 10 min");
    has(&page, "just now oldest: 7/2024-07-05, 2 h");
    assert!(page.contains("console/runbook#talonupstreamquotausedup"), "{page}");
}

#[test]
fn a_relay_shows_how_fresh_it_is_and_what_is_behind() {
    let mut glance = glance(Some(NOW), 0);
    glance.relays.push(talon_runtime::relay::RelayRow {
        relay: HOSTILE.to_owned(),
        task: 3,
        way: "Kafka at a to Kafka at b".to_owned(),
        parts: 2,
        behind: 1_234,
        carried: 56,
        dead_letters: 7,
        fresh_ms: Some(NOW - 7_200_000),
    });
    let page = page(&glance);
    has(&page, "2 h ago2");
    has(&page, "1 234567");
}

#[test]
fn connectors_of_other_processes_are_shown_with_who_runs_them_and_what_is_wrong() {
    let all = [
        connector("broken", "FAILED", "there:8083", "file `/x` is missing"),
        connector("c", "RUNNING", HERE, ""),
        connector("far", "RUNNING", "there:8083", ""),
        connector("lost", "UNASSIGNED", HERE, ""),
        connector("still", "STOPPED", "there:8083", ""),
    ];
    let page = page_of(&glance(Some(NOW), 0), &all, &Filter::default());
    has_headline(&page, "Up, with warnings");
    has(&page, "broken is failed: file `/x` is missing");
    has(&page, "run by there:8083");
    has(&page, "run by this process");
    assert_eq!(words(&page).matches("run by nobody").count(), 2);
    assert!(page.contains("console/runbook#talonconnectorunowned"), "{page}");
}

#[test]
fn a_thousand_connectors_come_in_pages_and_are_found_by_name_class_process_and_state() {
    let all: Vec<One> = (0..1_000)
        .map(|n| {
            let state = if n == 777 { "FAILED" } else { "PAUSED" };
            connector(&format!("c{n:04}"), state, "there:8083", "")
        })
        .collect();
    let glance = glance(Some(NOW), 0);
    let first = page_of(&glance, &all, &Filter::of(&query(&[])));
    has(&first, "1 000 connectors, page 1 of 20");
    assert!(first.contains(">c0049<") && !first.contains(">c0050<"));
    assert!(first.contains("?find=&amp;state=&amp;page=2") && first.len() < 60_000);
    let last = page_of(&glance, &all, &Filter::of(&query(&[("page", "99")])));
    assert!(last.contains(">c0999<"));
    let failed = page_of(&glance, &all, &Filter::of(&query(&[("state", "FAILED")])));
    has(&failed, "1 of 1 000 connectors");
    assert!(failed.contains(">c0777<"));
    for (find, count) in [("C01", "100 of 1 000"), ("contr", "1 000 conn"), ("there", "1 000 conn")]
    {
        has(&page_of(&glance, &all, &Filter::of(&query(&[("find", find)]))), count);
    }
}

#[test]
fn names_states_and_messages_of_others_are_text_on_every_page() {
    let mut glance = glance(None, 0);
    glance.feeds[0].0.connector = HOSTILE.to_owned();
    glance.feeds[0].0.topic = HOSTILE.to_owned();
    glance.feeds[0].0.feed = HOSTILE.into();
    let faulty = component(Severity::Vital, Word::Unavailable, HOSTILE);
    glance.components.insert(HOSTILE.to_owned(), faulty);
    let mut all = [connector(HOSTILE, "FAILED", HOSTILE, HOSTILE)];
    all[0].1.config.insert(HOSTILE.to_owned(), HOSTILE.to_owned());
    let upstreams = BTreeMap::from([(
        HOSTILE.to_owned(),
        UpstreamRow { codes: BTreeMap::from([(HOSTILE.to_owned(), 1)]), ..UpstreamRow::default() },
    )]);
    let filter = Filter::of(&query(&[("find", HOSTILE), ("state", HOSTILE)]));
    let seen = Seen {
        glance: &glance,
        connectors: &all,
        trouble: Some(HOSTILE),
        worker: HOSTILE,
        upstreams: &upstreams,
        recent: &[HOSTILE.to_owned()],
    };
    let topics = [HOSTILE.to_owned()];
    let feed = topics::Feed {
        name: HOSTILE.into(),
        topic: HOSTILE.to_owned(),
        key: HOSTILE.to_owned(),
        contract: &CALL,
    };
    let event = json!({"op": "u", "source": {}, "ts_ms": 1,
        "before": {"status": "a", HOSTILE: HOSTILE}, "after": {"status": HOSTILE}});
    let records = vec![found(2, Some(event.to_string().into_bytes()))];
    let looked = Looked { records, is_there: true, is_complete: false, read: 1 };
    let rows =
        || results::rows(Looked { records: vec![found(1, result(HOSTILE))], ..Looked::default() });
    let sent = serde_json::from_value(json!({"params": {HOSTILE: HOSTILE}})).unwrap();
    for page in [
        overview::main(&seen, &filter).1,
        overview::main(&seen, &Filter::default()).1,
        connector::main(&seen, &topics, OPERATOR, Some(HOSTILE)),
        entity::entity(&feed, HOSTILE, &looked, OPERATOR),
        commands::list(rows(), HOSTILE, "", false),
        command::main(HOSTILE, HOSTILE, &rows(), true, &Ok((sent, HOSTILE.to_owned())), OPERATOR),
        command::main(HOSTILE, HOSTILE, &rows(), true, &Err(HOSTILE.to_owned()), READER),
    ] {
        let page = page.into_string();
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(&quot;1&quot;)"), "{page}");
    }
}

#[test]
fn a_name_cannot_turn_the_direction_of_the_text() {
    let page = layout::clean("a\u{202e}b\u{7}c\n".to_owned());
    assert_eq!(page, "a\u{fffd}b\u{fffd}c\n");
}

/// A result whose texts are of others.
fn result(text: &str) -> Option<Vec<u8>> {
    let record = json!({
        "command_id": text, "type": text, "key": text, "phase": "OUTCOME", "outcome": "UNKNOWN",
        "attempts": 2, "sent_at": NOW * 1_000, "settled_at": NOW * 1_000, "upstream_status": 504,
        "upstream_code": null, "message": text, "response": json!({"who": text}).to_string(),
        "evidence": json!({"before": {"phone": text, "version": 7}}).to_string(),
        "position": "2/17",
    });
    Some(record.to_string().into_bytes())
}

fn outcome(id: &str, at: i64, phase: &str, outcome: Option<&str>) -> Found {
    let record = json!({
        "command_id": id, "type": "SetCallStatus", "key": "42", "phase": phase, "outcome": outcome,
        "attempts": 1, "sent_at": null, "settled_at": null, "upstream_status": null,
        "upstream_code": null, "message": null, "response": null, "evidence": null,
        "position": "0/1",
    });
    found(at, Some(record.to_string().into_bytes()))
}

#[test]
fn commands_stand_by_their_newest_result_and_unknown_ones_first() {
    let records = vec![
        outcome("new", 9, "OUTCOME", Some("APPLIED")),
        outcome("new", 8, "INTENT", None),
        outcome("open", 7, "INTENT", None),
        outcome("odd", 3, "OUTCOME", Some("UNKNOWN")),
        outcome("odd", 2, "INTENT", None),
        found(1, Some(b"what is none".to_vec())),
    ];
    let looked = Looked { records, is_there: true, is_complete: true, read: 6 };
    let rows = || results::rows(looked.clone());
    let page = commands::list(rows(), "c", "", true).into_string();
    has(&page, "Looked at the newest 3 commands");
    let place = |id: &str| page.find(&format!(">{id}</a>")).unwrap();
    assert!(place("odd") < place("open") && place("open") < place("new"), "{page}");
    has(&page, "no outcome yet");
    let unknown = commands::list(rows(), "c", "UNKNOWN", true).into_string();
    assert!(unknown.contains(">odd</a>") && !unknown.contains(">open</a>"), "{unknown}");
}

#[test]
fn a_command_shows_its_evidence_and_what_to_do_and_masks_texts_for_readers() {
    let rows =
        || results::rows(Looked { records: vec![found(5, result("+7 905"))], ..Looked::default() });
    let sent = || {
        Ok((
            serde_json::from_value(json!({"params": {"phone": "+7 905", "call_id": 4}})).unwrap(),
            "p".to_owned(),
        ))
    };
    let page = |caller| command::main("c", "id", &rows(), true, &sent(), caller).into_string();
    let operator = page(OPERATOR);
    has(&operator, "before.phone+7 905");
    has(&operator, "params.phone+7 905");
    has(&operator, "send it as a new command with a new id");
    has(&operator, "offset 5");
    assert!(operator.contains("runbook#taloncommandunknown"), "{operator}");
    let reader = page(READER);
    has(&reader, "before.phone****");
    has(&reader, "before.version7");
    has(&reader, "params.phone****");
    has(&reader, "who****");
}

#[test]
fn an_entity_shows_what_it_is_what_changed_and_where_that_stands() {
    let event = |op: &str, before: serde_json::Value, after: serde_json::Value| {
        let event = json!({"op": op, "ts_ms": 1, "source": {"absent": op == "d"},
            "before": before, "after": after});
        Some(event.to_string().into_bytes())
    };
    let call = |status: &str| json!({"id": 42, "status": status, "contact_person_phone": status});
    let feed = topics::Feed {
        name: "call".into(),
        topic: "talon.c.call".to_owned(),
        key: "id".to_owned(),
        contract: &CALL,
    };
    let page = |records: Vec<Found>, caller| {
        let looked = Looked { records, is_there: true, is_complete: true, read: 3 };
        entity::entity(&feed, "42", &looked, caller).into_string()
    };
    let null = serde_json::Value::Null;
    let changed = || {
        vec![
            // Without its before: what it was stands in the event before it.
            found(9, event("u", null.clone(), call("Closed"))),
            found(8, event("u", call("New"), call("Done"))),
            found(7, event("c", null.clone(), call("New"))),
        ]
    };
    let reader = page(changed(), READER);
    has(&reader, "statusDoneClosed");
    has(&reader, "statusNewDone");
    has(&reader, "contact_person_phone********");
    has(&reader, "partition 3, offset 9");
    has(&reader, "event 0000-1");
    has(&page(changed(), OPERATOR), "contact_person_phoneDoneClosed");
    let deleted = vec![found(9, None), found(8, event("d", call("Done"), null.clone()))];
    let deleted = page(deleted, READER);
    has(&deleted, "It is deleted.");
    has(&deleted, "inferred from its absence");
    has(&page(vec![], READER), "Nothing is on talon.c.call under the key 42");
    has(&page(vec![found(1, Some(vec![7, 7]))], READER), "This version cannot read");
}

#[test]
fn an_event_is_read_in_whichever_form_it_was_written() {
    use talon_schemas::Message;
    let json = json!({
        "before": null, "after": null, "op": "d", "ts_ms": NOW,
        "source": {"version": "1", "connector": "contractor", "name": "c", "db": "c",
            "table": "call", "feed": "call", "scope": "", "ts_ms": NOW, "snapshot": "false",
            "absent": true},
    });
    let message: &Message = CALL.as_ref();
    let Ok(datum) = message.from_json(json.to_string().as_bytes()) else {
        panic!("the envelope has other fields")
    };
    for wire in
        [talon_schemas::wire::Wire::SingleObject, talon_schemas::wire::Wire::Confluent { id: 7 }]
    {
        let mut value = Vec::new();
        wire.put_prefix(&*CALL, &mut value);
        value.extend_from_slice(&datum);
        let read = topics::json(message, &found(1, Some(value))).unwrap();
        assert_eq!((&read["op"], &read["source"]["absent"]), (&json!("d"), &json!(true)));
    }
    assert!(topics::json(message, &found(1, Some(vec![1, 2, 3]))).is_none());
}

#[test]
fn the_runbook_has_a_section_for_every_advice_and_links_nowhere_else() {
    let page = runbook::main().into_string();
    let sources = [include_str!("matters.rs"), include_str!("command.rs")].concat();
    let mut advised = 0;
    for part in sources.split("\"Talon").skip(1) {
        let name = part.split('"').next().unwrap();
        advised += 1;
        let id = format!("id=\"talon{}\"", name.to_lowercase());
        assert!(page.contains(&id), "the runbook has no section Talon{name}");
    }
    assert!(advised > 15);
    for address in page.split("href=\"").skip(1) {
        assert!(address.starts_with('#'), "{}", &address[..40]);
    }
    assert!(!page.contains("<script"));
}

/// A server that knows its connectors.
async fn server() -> Server {
    let server = Server::start(PATIENCE).await;
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while !server.ask("GET", "/health").await.0.contains(" 200 ") {
        assert!(tokio::time::Instant::now() < end);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let body = json!({"name": "desk", "initial_state": "PAUSED", "config": {
        "connector.class": "contractor", "upstream.url": "http://127.0.0.1:9", "time.zone": "UTC",
        "auth.external.token": "${env:PATH}",
    }});
    let json = "content-type: application/json\r\n";
    let (head, body) = server.send("POST", "/connectors", json, &body.to_string()).await;
    assert!(head.contains(" 201 "), "{head} {body}");
    server
}

const PATHS: [&str; 6] = [
    "/",
    "/console/connector?name=desk",
    "/console/commands?connector=desk",
    "/console/command?connector=desk&id=x",
    "/console/entity?connector=desk&feed=call&key=42",
    "/console/runbook",
];

#[tokio::test]
async fn every_page_is_complete_without_a_script_and_styles_and_runs_nothing_in_place() {
    let server = server().await;
    for path in PATHS {
        let (head, page) = server.ask("GET", path).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        assert!(head.contains("content-type: text/html; charset=utf-8"), "{path}: {head}");
        for policy in ["default-src 'none'", "script-src 'self'", "form-action 'self'"] {
            assert!(head.contains(policy), "{path}: {head}");
        }
        assert!(!head.contains("unsafe") && !page.contains(" style="), "{path}");
        assert_eq!(page.matches("<script").count(), 1, "{path}: the console's own");
        for handler in [" onclick", " onload", " onerror", "javascript:"] {
            assert!(!page.contains(handler), "{path}");
        }
        for part in ["<h1", "<main", "<header", "<footer", "<nav", "class=\"skip\"", "lang=\"en\""]
        {
            assert!(page.contains(part), "{path}: no {part}");
        }
        assert_eq!(page.matches("<h1").count(), 1, "{path}");
        assert_eq!(page.matches("<table").count(), page.matches("<caption").count(), "{path}");
    }
    for (path, media) in [
        ("/console/console.css", "text/css"),
        ("/console/console.js", "text/javascript"),
        ("/console/icon.svg", "image/svg+xml"),
    ] {
        let (head, _) = server.ask("GET", path).await;
        assert!(head.starts_with("HTTP/1.1 200") && head.contains(media), "{path}: {head}");
    }
}

#[tokio::test]
async fn no_page_shows_a_secret() {
    let server = server().await;
    let secret = std::env::var("PATH").unwrap();
    for path in PATHS {
        let (_, page) = server.ask("GET", path).await;
        assert!(!page.contains(&secret), "{path}");
    }
    let (_, page) = server.ask("GET", "/console/connector?name=desk").await;
    assert!(page.contains("${env:PATH}"), "{page}");
}

#[tokio::test]
async fn a_button_changes_a_connector_and_a_form_of_another_page_does_not() {
    let server = server().await;
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let own = format!("{form}origin: http://localhost\r\nsec-fetch-site: same-origin\r\n");
    let path = "/console/change";
    let (_, page) = server.ask("GET", "/console/connector?name=desk").await;
    assert!(page.contains("value=\"resume\"") && !page.contains("value=\"pause\""), "{page}");
    for (headers, code) in [
        (form.to_owned(), 403),
        (format!("{form}origin: http://evil.example\r\n"), 403),
        (format!("{own}x-forwarded-for: 10.0.0.1\r\n"), 403),
        (own.clone(), 303),
    ] {
        let (head, page) = server.send("POST", path, &headers, "name=desk&change=stop").await;
        assert!(head.contains(&format!(" {code} ")), "{headers}: {head} {page}");
        if code == 303 {
            assert!(head.contains("location: connector?name=desk&done=stop"), "{head}");
        }
    }
    let (_, page) = server.ask("GET", "/console/connector?name=desk&done=stop").await;
    has(&page, "Stop was asked for");
    has(&page, "Wantedstopped");
    for (body, code) in [("name=none&change=stop", 404), ("name=desk&change=x", 400)] {
        let (head, page) = server.send("POST", path, &own, body).await;
        assert!(head.contains(&format!(" {code} ")) && page.contains("<h1"), "{head}");
    }
}

#[tokio::test]
async fn what_is_on_the_bus_is_looked_at_within_bounds() {
    let server = server().await;
    let call = |phone: &str| {
        json!({"op": "u", "ts_ms": NOW, "source": {}, "before": null,
            "after": {"status": "New", "contact_person_phone": phone}})
    };
    {
        let mut records = server.records.lock().unwrap();
        for n in 0..100 {
            let value = call(&format!("+7 {n}")).to_string().into_bytes();
            records.push(("talon.desk.call".to_owned(), "42".to_owned(), Some(value)));
        }
        let result = outcome("made", 1, "OUTCOME", Some("UNKNOWN")).value;
        records.push(("talon.desk.results".to_owned(), "made".to_owned(), result));
    }
    let (_, page) = server.ask("GET", "/console/entity?connector=desk&feed=call&key=42").await;
    has(&page, "contact_person_phone+7 99");
    assert_eq!(page.matches("<section").count(), 20, "the newest twenty");
    let proxied = "accept: text/html\r\nx-forwarded-for: 10.0.0.1\r\n";
    let path = "/console/entity?connector=desk&feed=call&key=42";
    let (_, page) = server.send("GET", path, proxied, "").await;
    has(&page, "contact_person_phone****");
    assert!(!page.contains("+7 99"), "{page}");
    let (_, page) = server.ask("GET", "/console/commands").await;
    has(&page, "UNKNOWN");
    let (_, page) = server.ask("GET", "/console/commands?connector=desk&id=made").await;
    has(&page, "Look at its entity in the upstream");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let server = server().await;
    let (head, page) = server.ask("GET", "/console/connector?name=%3Cb%3E").await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    has(&page, "there is no connector `&lt;b&gt;`");
    let (head, _) = server.ask("GET", "/console/command?connector=desk").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    let (_, page) = server.ask("GET", "/console/commands?connector=none").await;
    has(&page, "no connector carries commands");
}
