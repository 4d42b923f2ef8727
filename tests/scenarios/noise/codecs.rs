//! Rows of every feed, spelled in other ways: also the whole numbers that the documents declare.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus::Registry;
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{Class, Clock, Connector, Context, Row, UpstreamMetrics};
use talon_simulators::contractor::Kind;
use talon_simulators::noise::respelled_whole;
use talon_simulators::{enter_export, quickq};

/// How often a row is spelled anew.
const TIMES: u64 = 12;

fn connector(class: &dyn Class, texts: &[(&str, &str)]) -> Arc<dyn Connector> {
    let texts: BTreeMap<String, String> =
        texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    let (keys, secrets) = (class.keys(), Secrets::Resolve(Arc::default()));
    let mut settings = Settings::new("", &keys, texts, &secrets);
    let metrics = UpstreamMetrics::register(&Registry::new()).unwrap();
    let context = Context { name: "c".to_owned(), clock: Clock::System, metrics };
    class.configure(&mut settings, context).unwrap()
}

/// What a row comes to: key, value, time, and the facts that it tells.
fn read(connector: &dyn Connector, feed: &str, scope: &str, row: &str) -> Vec<u8> {
    let plan = connector.feeds().into_iter().find(|plan| *plan.spec.name == *feed).unwrap();
    let mut out = Row::default();
    plan.codec
        .decode(row.as_bytes(), scope, &mut out)
        .unwrap_or_else(|fault| panic!("{fault}: {row}"));
    let mut key = String::new();
    if plan.codec.peek_key(row.as_bytes(), scope, &mut key) {
        assert_eq!(key, out.key, "{row}");
    }
    assert!(out.facts.faults().is_empty(), "{row}");
    let mut all = format!("{} {:?}", out.key, out.ts_ms).into_bytes();
    all.extend(&out.value);
    for fact in out.facts.iter() {
        all.extend(fact.key.as_bytes());
        all.extend(&fact.value);
    }
    all
}

fn check(connector: &dyn Connector, feed: &str, scope: &str, row: &str) {
    let expected = read(connector, feed, scope, row);
    for seed in 0..TIMES {
        let other = respelled_whole(row, seed);
        assert!(
            read(connector, feed, scope, &other) == expected,
            "`{feed}`: {row}\nis not {other}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_a_row_of_contractor_spelled_in_any_way_is_the_same_row() {
    let upstream = super::contractor().await;
    let texts = [("upstream.url", "http://localhost:1"), ("auth.external.token", "t")];
    let connector = connector(&talon_contractor::Contractor, &texts);
    for (kind, feed) in [
        (Kind::Calls, "call"),
        (Kind::Tasks, "call_task"),
        (Kind::Messages, "call_message"),
        (Kind::Jeopardies, "call_jeopardy"),
    ] {
        let rows = upstream.history().current(kind);
        assert!(!rows.is_empty());
        rows.values().for_each(|row| check(connector.as_ref(), feed, "", row));
    }
    let costs = upstream.history().current(Kind::Costs);
    assert!(!costs.is_empty());
    for (id, cost) in costs {
        check(connector.as_ref(), "call_cost", "", &format!("{{\"callId\":{id},\"cost\":{cost}}}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_a_row_of_quickq_spelled_in_any_way_is_the_same_row() {
    let settings =
        quickq::Settings { newer_fields: true, keep_history: true, ..quickq::Settings::noisy() };
    let upstream = quickq::Simulator::start(settings).await.unwrap();
    upstream.edit(200);
    let texts = [
        ("upstream.url", "ws://localhost:1/logic"),
        ("auth.login", "admin"),
        ("auth.password", "12345"),
        ("queue.workplaces", "1,2"),
    ];
    let connector = connector(&talon_quickq::QuickQ, &texts);
    let history = upstream.history();
    let mut rows = 0;
    for (kind, feed, scope) in [
        (quickq::Kind::Book(quickq::Book::Service), "service", ""),
        (quickq::Kind::Book(quickq::Book::Operation), "operation", ""),
        (quickq::Kind::Book(quickq::Book::Workplace), "workplace", ""),
        (quickq::Kind::Book(quickq::Book::Consumer), "consumer", ""),
        (quickq::Kind::Queue(1), "queue", "1"),
    ] {
        for state in history.states(kind).into_values().flatten().flatten() {
            rows += 1;
            check(connector.as_ref(), feed, scope, &state.to_string());
        }
    }
    assert!(rows > 50, "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_a_row_of_enter_export_spelled_in_any_way_is_the_same_row() {
    let upstream = enter_export::Simulator::start(enter_export::Settings::noisy()).await.unwrap();
    let texts = [("upstream.url", "http://localhost:1")];
    let connector = connector(&talon_enter::EnterExport, &texts);
    let day = jiff::civil::date(2024, 7, 9);
    let branch = upstream.branches().remove(0);
    let scope = format!("{branch}/{day}");
    let department = upstream.department(0);
    let states = upstream.states(0, day, upstream.now_ms());
    assert!(!states.is_empty());
    for ticket in states.into_values().flatten() {
        // The row itself is the connector's.
        let expected = format!("{{\"Ticket\":{ticket},\"Department\":{department}}}");
        let expected = read(connector.as_ref(), "ticket", &scope, &expected);
        for seed in 0..TIMES {
            let [ticket, department] =
                [ticket.clone(), department.to_string()].map(|json| respelled_whole(&json, seed));
            let row = format!("{{\"Ticket\":{ticket},\"Department\":{department}}}");
            assert!(read(connector.as_ref(), "ticket", &scope, &row) == expected, "{row}");
        }
    }
    for (feed, row) in [
        (
            "branch",
            r#"{"Id":"78e721bb-c691-7d58","Name":"A/Б","IsConnected":true,"new":{"b":1e2,"a":[35.500]}}"#,
        ),
        (
            "ticket_source",
            r#"{"Id":"78e721bb-c691-7d58","Name":"A","Type":3,"new":9007199254740993}"#,
        ),
    ] {
        check(connector.as_ref(), feed, "", row);
    }
}
