//! Odd answers to the feeds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::Value;
use talon_sdk::{Clock, Connector, Coverage, Cursor, Feed, Observation};
use talon_simulators::contractor::{self as simulators, Fault, FaultKind, Simulator};

use crate::world::{bare, configure, simulator_settings};

/// What comes with status 200 in place of an answer.
const NO_ANSWERS: [&str; 8] = [
    "{}",
    r#"{"errorCode":7}"#,
    "null",
    "7",
    "\"down\"",
    "<html><title>Log in</title></html>",
    r#"[{"id":1},{"id""#,
    "Service Unavailable",
];

async fn upstream(now: Clock) -> (Simulator, Arc<dyn Connector>) {
    let settings = simulators::Settings { calls: 12, ..simulator_settings() };
    let sim = Simulator::start(settings).await.unwrap();
    // A read of estimates goes on for an interval, at most.
    let patient = ("call_cost.poll.interval.ms".to_owned(), "600000".to_owned());
    let (connector, problems) = configure([bare(&sim.url()), vec![patient]].concat(), now);
    assert_eq!(problems, []);
    (sim, connector.unwrap())
}

fn texts(observation: &Observation) -> Vec<String> {
    observation.rows.iter().map(|row| String::from_utf8_lossy(row).into_owned()).collect()
}

fn mark(cursor: &Cursor) -> i64 {
    cursor.0.parse().unwrap()
}

#[tokio::test]
async fn a_200_that_is_no_answer_is_none_of_any_feed() {
    let (sim, connector) = upstream(Clock::System).await;
    for feed in ["call", "call_message", "call_jeopardy", "call_task", "call_cost"] {
        let path = match feed {
            "call_task" => "/calltask",
            "call_cost" => "/callCost/call",
            _ => "/call",
        };
        for body in NO_ANSWERS {
            sim.fault(Fault::from(FaultKind::OtherAnswer { body: body.to_owned() }).at(path));
            let read = connector.open(feed).unwrap().next(None).await;
            sim.faults().clear();
            if feed == "call_cost" && body.contains("errorCode") {
                // Each call is refused.
                assert!(read.unwrap().rows.is_empty());
                continue;
            }
            assert_eq!(read.unwrap_err().kind(), "unavailable", "{feed}: {body}");
        }
        sim.fault(Fault::from(FaultKind::OtherAnswer { body: String::new() }).at(path));
        let read = connector.open(feed).unwrap().next(None).await.unwrap();
        assert!(read.rows.is_empty(), "no content: {feed}");
        sim.faults().clear();
    }
}

#[tokio::test]
async fn one_call_with_another_answer_than_an_estimate_is_put_aside_and_the_others_flow() {
    let (sim, connector) = upstream(Clock::System).await;
    let mut feed = connector.open("call_cost").unwrap();
    let sound = feed.next(None).await.unwrap();
    assert!(sound.rows.len() > 1, "{:?}", texts(&sound));
    for after in [0, 1] {
        let error = FaultKind::OtherAnswer { body: r#"{"error":7}"#.to_owned() };
        sim.fault(Fault::from(error).at("/callCost/call").after(after).times(1));
        let mut feed = connector.open("call_cost").unwrap();
        let read = feed.next(None).await.unwrap();
        let odd: Vec<_> =
            texts(&read).into_iter().filter(|row| row.contains("{\"error\":7}")).collect();
        assert_eq!(odd.len(), 1, "{odd:?}");
        assert!(odd[0].ends_with(r#","error":{"error":7}}"#), "{odd:?}");
        assert_eq!(read.cursor, sound.cursor);
        // It is no estimate of nulls.
        let plans = connector.feeds();
        let plan = plans.iter().find(|plan| &*plan.spec.name == "call_cost").unwrap();
        let decoded = plan.codec.decode(odd[0].as_bytes(), "", &mut Default::default());
        assert!(decoded.is_err());
    }
}

#[tokio::test]
async fn a_row_that_is_no_json_hides_no_other_in_any_list() {
    let (sim, connector) = upstream(Clock::System).await;
    for (feed, path) in [("call", "/call/modifications"), ("call_task", "/calltask")] {
        let sound = texts(&connector.open(feed).unwrap().next(None).await.unwrap()).len();
        for value in ["NaN", "\"a\nb],[\"", "\"\\x\"", "-Infinity"] {
            sim.fault(Fault::from(FaultKind::OddRow { value: value.to_owned() }).at(path));
            let read = texts(&connector.open(feed).unwrap().next(None).await.unwrap());
            assert_eq!(read.len(), sound, "{feed}: {value}");
            let is_json = |row: &&String| serde_json::from_str::<Value>(row).is_ok();
            assert_eq!(read.iter().filter(is_json).count(), sound - 1, "{feed}: {value}");
            sim.faults().clear();
        }
    }
}

#[tokio::test]
async fn a_mark_that_leaps_is_told_and_hides_nothing() {
    const FAR: i64 = 9_000_000_000_000_000;
    let (sim, connector) = upstream(Clock::System).await;
    let sound = connector.open("call").unwrap().next(None).await.unwrap();
    let highest = mark(sound.cursor.as_ref().unwrap());
    sim.fault(Fault::from(FaultKind::LeapingMark { mark: FAR }).at("/call/modifications"));
    let mut feed: Box<dyn Feed> = connector.open("call").unwrap();
    let first = feed.next(None).await.unwrap();
    assert_eq!(first.rows.len(), sound.rows.len());
    let cursor = first.cursor.unwrap();
    assert!(mark(&cursor) <= highest, "{cursor:?}");
    let doubt = feed.doubt().unwrap();
    assert!(doubt.contains(&format!("to `{FAR}`")), "{doubt}");

    // What changes is seen, and the mark goes on below the leap.
    sim.edit(6);
    let next = feed.next(Some(&cursor)).await.unwrap();
    assert!(next.rows.len() > 1, "{:?}", texts(&next));
    let cursor = next.cursor.unwrap();
    assert!(mark(&cursor) < FAR && feed.doubt().is_some(), "{cursor:?}");
    sim.faults().clear();
    feed.next(Some(&cursor)).await.unwrap();
    assert_eq!(feed.doubt(), None);
}

#[tokio::test]
async fn once_in_an_interval_a_table_is_looked_at_from_the_beginning() {
    const DAY: i64 = 86_400_000;
    let now = Arc::new(AtomicI64::new(20_000 * DAY + 5));
    let (_sim, connector) = upstream(Clock::Manual(now.clone())).await;
    for (feed, is_table) in [("call", true), ("call_jeopardy", true), ("call_message", false)] {
        let mut feed = connector.open(feed).unwrap();
        let first = feed.next(None).await.unwrap();
        let far = Cursor("9000000000000000".to_owned());
        let next = feed.next(Some(&far)).await.unwrap();
        assert_eq!((next.coverage, next.rows.len()), (Coverage::Delta, 0));
        now.fetch_add(DAY, Ordering::Relaxed);
        let next = feed.next(Some(&far)).await.unwrap();
        if is_table {
            assert_eq!((next.coverage, next.cursor), (Coverage::Audit, None));
            assert_eq!(next.rows.len(), first.rows.len());
            let next = feed.next(Some(&far)).await.unwrap();
            assert_eq!((next.coverage, next.rows.len()), (Coverage::Delta, 0));
        } else {
            assert_eq!((next.coverage, next.rows.len()), (Coverage::Delta, 0));
        }
    }
}
