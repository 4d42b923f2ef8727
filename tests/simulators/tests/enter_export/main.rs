//! The ticket export of СУО Enter as a client sees it.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use jiff::civil::date;
use serde_json::{Value, json};
use talon_simulators::enter_export::{Fault, FaultKind, Settings, Simulator};

const HISTORY: &str = "/api/1/queue/statistics/tickets/history";
const OLD: &str = "/api/1/queue/statistics/tickets";
/// 2024-07-10 12:00 in Moscow.
const NOON: i64 = 1_720_602_000_000;

async fn upstream(settings: Settings) -> Simulator {
    // A second installation is refused, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let upstream = Simulator::start(settings).await.unwrap();
    upstream.clock().store(NOON, Ordering::SeqCst);
    upstream
}

async fn get(upstream: &Simulator, path: &str) -> reqwest::Response {
    reqwest::get(format!("{}{path}", upstream.url())).await.unwrap()
}

async fn json_of(upstream: &Simulator, path: &str) -> Value {
    let answer = get(upstream, path).await;
    assert_eq!(answer.status(), 200, "{path}");
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

fn day(upstream: &Simulator, method: &str, branch: usize, date: &str) -> String {
    format!("{method}?date={date}&serverId={}", upstream.branches()[branch])
}

#[tokio::test]
async fn the_lists_of_branches_and_sources_have_the_documents_fields() {
    let upstream = upstream(Settings { offline: vec![1], ..Settings::default() }).await;
    let branches = json_of(&upstream, "/api/1/config/servers").await;
    assert_eq!(branches.as_array().unwrap().len(), 3);
    assert_eq!(branches[0]["IsConnected"], true);
    assert_eq!(branches[1]["IsConnected"], false);
    assert!(branches[1].get("IntegrationId").is_none(), "omitted, not null");
    assert_eq!(branches[1]["OrganizationFullName"], Value::Null);
    let sources = json_of(&upstream, "/api/1/config/ticketSources").await;
    for source in sources.as_array().unwrap() {
        let has_system = source.get("ExternalSystemId").is_some();
        assert_eq!(has_system, (1..=3).contains(&source["Type"].as_i64().unwrap()), "{source}");
    }
}

#[tokio::test]
async fn a_day_is_the_same_whenever_it_is_asked_for_and_grows_with_the_clock() {
    let upstream = upstream(Settings::default()).await;
    let path = day(&upstream, HISTORY, 0, "10.07.2024");
    let noon = json_of(&upstream, &path).await;
    assert_eq!(noon, json_of(&upstream, &path).await);
    let tickets = noon[0]["Tickets"].as_array().unwrap();
    assert_eq!(tickets, &upstream.day(0, date(2024, 7, 10)));
    assert!((4..12).contains(&tickets.len()), "a third of the day has passed: {}", tickets.len());
    upstream.clock().fetch_add(24 * 3_600_000, Ordering::SeqCst);
    assert_eq!(json_of(&upstream, &path).await[0]["Tickets"].as_array().unwrap().len(), 20);
    assert_eq!(noon[0]["Department"]["TimeZone"]["Id"], "Europe/Moscow");
    let other = json_of(&upstream, &day(&upstream, HISTORY, 1, "10.07.2024")).await;
    assert_ne!(other[0]["Tickets"], noon[0]["Tickets"]);
}

#[tokio::test]
async fn both_methods_tell_of_the_same_tickets() {
    let upstream = upstream(Settings::default()).await;
    let new = json_of(&upstream, &day(&upstream, HISTORY, 0, "09.07.2024")).await;
    let old = json_of(&upstream, &day(&upstream, OLD, 0, "09.07.2024")).await;
    assert_eq!(old["ServerId"], upstream.branches()[0]);
    let (new, old) = (new[0]["Tickets"].as_array().unwrap(), old["Tickets"].as_array().unwrap());
    assert_eq!((new.len(), old.len()), (20, 20));
    for (new, old) in new.iter().zip(old) {
        assert_eq!((&new["Id"], &new["CreatedTime"]), (&old["Id"], &old["Created"]));
        assert_eq!(new["Source"]["Id"], old["SourceId"]);
        assert_eq!(new["Products"][0]["State"], old["Products"][0]["State"]);
        assert_eq!(new["Products"][0]["Product"]["Id"], old["Products"][0]["ProductId"]);
    }
    upstream.change_settings(&json!({ "history_method": false })).unwrap();
    let answer = get(&upstream, &day(&upstream, HISTORY, 0, "09.07.2024")).await;
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn a_booking_changes_months_later_under_its_creation_day() {
    let settings = Settings { booked: 1.0, tickets_per_day: 200, ..Settings::default() };
    let upstream = upstream(settings).await;
    let first = upstream.day(0, date(2024, 7, 9));
    assert!(first.iter().any(|ticket| ticket["Products"][0]["State"] == 13));
    upstream.clock().fetch_add(59 * 86_400_000, Ordering::SeqCst);
    let later = upstream.day(0, date(2024, 7, 9));
    upstream.clock().fetch_add(3 * 86_400_000, Ordering::SeqCst);
    let last = upstream.day(0, date(2024, 7, 9));
    assert_ne!(later, last, "some change in the last days");
    let states: HashSet<i64> =
        last.iter().map(|ticket| ticket["Products"][0]["State"].as_i64().unwrap()).collect();
    assert!(states.contains(&14) && states.contains(&9) && !states.contains(&13), "{states:?}");
    let activated = last.iter().find(|ticket| ticket.get("Activation").is_some()).unwrap();
    assert_eq!(activated["Products"][0]["IsPending"], true);
}

#[tokio::test]
async fn fractions_have_from_0_to_7_digits() {
    let upstream = upstream(Settings { tickets_per_day: 500, ..Settings::default() }).await;
    let digits: HashSet<usize> = upstream
        .day(0, date(2024, 7, 1))
        .iter()
        .map(|ticket| {
            let text = ticket["CreatedTime"].as_str().unwrap();
            text.split_once('.').map_or(0, |(_, fraction)| fraction.len())
        })
        .collect();
    assert!([0, 1, 2, 3, 7].iter().all(|digits_of| digits.contains(digits_of)), "{digits:?}");
}

#[tokio::test]
async fn faults_happen_to_the_branch_and_as_often_as_they_say() {
    let upstream = upstream(Settings::default()).await;
    let path = day(&upstream, HISTORY, 1, "09.07.2024");
    upstream.fault(Fault::from(FaultKind::Cut { tickets: 3 }).branch(1).times(1));
    let mut answer = get(&upstream, &path).await;
    let mut text = Vec::new();
    let failed = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(failed, "the body is cut");
    assert_eq!(String::from_utf8(text).unwrap().matches("\"Number\"").count(), 3);
    upstream.fault(
        Fault::from(FaultKind::Status { code: 503, retry_after_seconds: Some(7) })
            .at(HISTORY)
            .times(1),
    );
    let answer = get(&upstream, &path).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (503, &"7".parse().unwrap())
    );
    upstream.fault(Fault::from(FaultKind::Missing { tickets: 4 }).times(1));
    assert_eq!(json_of(&upstream, &path).await[0]["Tickets"].as_array().unwrap().len(), 16);
    assert_eq!(json_of(&upstream, &path).await[0]["Tickets"].as_array().unwrap().len(), 20);
    upstream.change_settings(&json!({ "token": "t" })).unwrap();
    assert_eq!(get(&upstream, &path).await.status(), 401);
}
