//! What the connector's reader makes of every spelling.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use talon_connect1c::soap::{self, Filter};
use talon_http::soap::{Limits, ReplyFault, TableReader, Whole};
use talon_sdk::quota;
use talon_simulators::connect1c::{Counting, Fault, FaultKind};

use super::*;

/// The rows of a reply as they come over the wire, and what became of it.
async fn read(
    upstream: &Simulator,
    operation: Operation,
    body: String,
) -> (Vec<Value>, Result<Whole, ReplyFault>) {
    let mut answer = post(upstream, body).await.unwrap();
    let mut reader = TableReader::new(soap::SERVICE, operation.name(), &[], Limits::default());
    let mut rows = Vec::new();
    let mut take = |reader: &mut TableReader| {
        let taken = reader.take_rows();
        rows.extend(taken.iter().map(|row| serde_json::from_slice::<Value>(row).unwrap()));
    };
    while let Ok(Some(piece)) = answer.chunk().await {
        let pushed = reader.push(&piece);
        take(&mut reader);
        if let Err(fault) = pushed {
            return (rows, Err(fault));
        }
    }
    let whole = reader.finish();
    take(&mut reader);
    (rows, whole)
}

fn history() -> String {
    let at = |text: &str| text.parse().unwrap();
    soap::history(at(WINDOW[0].1), at(WINDOW[1].1), &Filter::default()).body()
}

/// A row with typed values, as an event is to have them.
fn typed(row: &Value) -> Value {
    let zone = jiff::tz::TimeZone::get("Asia/Yekaterinburg").unwrap();
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let id =
        |name: &str| Some(text(name)).filter(|id| !id.is_empty() && !id.starts_with("00000000-"));
    let time = |name: &str| {
        let local = text(name).parse::<jiff::civil::DateTime>().ok().filter(|at| at.year() > 1)?;
        Some(zone.to_timestamp(local).ok()?.as_microsecond())
    };
    let number = |name: &str| match &row[name] {
        Value::Null => None,
        number => Some(number.as_f64().unwrap() as i64),
    };
    json!({
        "ServiceTreatmentID": id("ServiceTreatmentID"),
        "ClientID": id("ClientID"),
        "ServiceUserID": id("ServiceUserID"),
        "ServiceID": id("ServiceID"),
        "Initialized": time("Initialized"),
        "SpecAppointed": time("SpecAppointed"),
        "QueueWaitingTime": number("QueueWaitingTime"),
        "QueueLength": number("QueueLength"),
        "Specialist": id("ClosedSpecialistID").or_else(|| id("CurrentSpecialist")),
        "ReactionStarted": time("ReactionStarted"),
        "Closed": time("Closed"),
        "Duration": number("Duration"),
        "ServiceQualityAssessment": number("ServiceQualityAssessment").filter(|rating| *rating != 0),
    })
}

#[tokio::test]
async fn every_spelling_of_a_reply_reads_as_the_same_rows() {
    let settings = Settings { day_limit: 1000, noise: 1.0, ..Settings::noisy() };
    let upstream = upstream(settings).await;
    let closed = upstream.closed(NOON - 3 * DAY, NOON);
    let truths: BTreeMap<String, (Value, String)> =
        closed.into_iter().map(|one| (one.id.clone(), (one.truth(), one.topic))).collect();
    let mut topics = 0;
    for _ in 0..20 {
        let (rows, whole) = read(&upstream, HISTORY, history()).await;
        assert_eq!(whole, Ok(Whole { rows: truths.len() as u64, has_table: true }));
        for row in &rows {
            let (truth, topic) = &truths[row["ServiceTreatmentID"].as_str().unwrap()];
            assert_eq!(&typed(row), truth);
            if let Some(found) = row.get("Topic") {
                // References keep a line break, and XML's rule for those that are written makes one of it.
                assert_eq!(found.as_str().unwrap(), topic);
                topics += 1;
            }
        }
        let (rows, _) = read(&upstream, OPENED, soap::opened(&Filter::default()).body()).await;
        let open = upstream.open();
        assert_eq!(rows.len(), open.len());
        for (row, one) in rows.iter().zip(&open) {
            assert_eq!(typed(row), one.truth());
        }
    }
    assert!(topics > 0, "some have a column that no document has");
}

#[tokio::test]
async fn whatever_goes_wrong_is_no_whole_reply() {
    let upstream = upstream(Settings { day_limit: 1000, ..Settings::default() }).await;
    let text = || "нет <прав>".to_owned();
    for (kind, rows) in [
        (FaultKind::Cut { rows: 5 }, 5),
        (FaultKind::Unfinished { rows: 5, between: true }, 5),
        (FaultKind::Unfinished { rows: 5, between: false }, 5),
        (FaultKind::HtmlError, 0),
        (FaultKind::OtherAnswer { body: String::new() }, 0),
        (FaultKind::OtherAnswer { body: "{\"error\":1}".to_owned() }, 0),
        (FaultKind::Refused { code: "NO_RIGHTS".to_owned(), text: text() }, 0),
        (FaultKind::SoapFault { text: text(), version: None }, 0),
        (FaultKind::DocumentType, 0),
    ] {
        upstream.fault(Fault::from(kind.clone()).times(1));
        let (found, outcome) = read(&upstream, HISTORY, history()).await;
        assert_eq!(found.len(), rows, "{kind:?}");
        let fault = outcome.expect_err("it is not whole").to_string();
        assert!(!kind_tells(&kind) || fault.contains("нет <прав>"), "{kind:?}: {fault}");
    }
    upstream.fault(Fault::from(FaultKind::NoData).times(1));
    let (_, whole) = read(&upstream, HISTORY, history()).await;
    assert_eq!(whole, Ok(Whole { rows: 0, has_table: false }));
    upstream.fault(Fault::from(FaultKind::ShortRow).times(1));
    let (rows, whole) = read(&upstream, HISTORY, history()).await;
    assert!(whole.is_ok() && rows[0].is_array() && rows[1].is_object());
}

fn kind_tells(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::Refused { .. } | FaultKind::SoapFault { .. })
}

#[tokio::test]
async fn by_the_connectors_rule_no_call_is_one_too_many_however_the_upstream_counts() {
    let limits = quota::Limits {
        day: 10,
        night: 50,
        reserve: 2,
        night_hours: Some((jiff::civil::time(20, 0, 0, 0), jiff::civil::time(8, 0, 0, 0))),
        zone: jiff::tz::TimeZone::get("Asia/Yekaterinburg").unwrap(),
        latest: std::time::Duration::from_secs(90),
    };
    for counting in [Counting::Sliding, Counting::ClockHour, Counting::FirstCall] {
        // Two calls an hour are another program's.
        let upstream =
            upstream(Settings { counting, others_per_hour: 2, ..Settings::default() }).await;
        // Two hours of the day, and two of the night.
        let mut now = NOON + 6 * HOUR;
        let mut quota = quota::Quota::unknown(now, &limits);
        while now < NOON + 10 * HOUR {
            quota.settle(now, &limits);
            now = quota.next_at(now, &limits);
            quota.begin(now, &limits);
            // It arrives as late as it may.
            now += 90_000;
            upstream.clock().store(now, Ordering::SeqCst);
            let (_, outcome) =
                read(&upstream, OPENED, soap::opened(&Filter::default()).body()).await;
            assert!(outcome.is_ok(), "{counting:?}: {outcome:?}");
            quota.end(now);
        }
        let most = upstream.journal().most_in_an_hour(OPENED);
        assert!(most <= 48, "{most}");
        assert_eq!(upstream.journal().out_of_limit(), 0);
    }
}
