use std::sync::atomic::Ordering;

use serde_json::json;
use talon_simulators::connect1c::{Counting, Outcome};

use super::*;

async fn codes(upstream: &Simulator, calls: usize) -> Vec<String> {
    let mut codes = Vec::new();
    for _ in 0..calls {
        codes.push(code(&call(upstream, HISTORY, &WINDOW).await).to_owned());
    }
    codes
}

#[tokio::test]
async fn the_eleventh_call_of_an_hour_is_refused_by_day_with_status_200() {
    let upstream = upstream(Settings::default()).await;
    let codes = codes(&upstream, 11).await;
    assert!(codes[..10].iter().all(|code| code == "SUCCESS"));
    assert_eq!(codes[10], "OUT_OF_LIMIT");
    assert_eq!(code(&call(&upstream, OPENED, &[]).await), "SUCCESS", "each operation has its own");
    let journal = upstream.journal();
    assert_eq!(journal.out_of_limit(), 1);
    assert_eq!(journal.most_in_an_hour(HISTORY), 11);
    assert_eq!(journal.calls_of(HISTORY)[10].outcome, Outcome::OutOfLimit);
}

#[tokio::test]
async fn by_night_there_are_fifty_and_any_window() {
    let upstream = upstream(Settings::default()).await;
    upstream.clock().store(NOON + 10 * HOUR, Ordering::SeqCst);
    assert!(codes(&upstream, 50).await.iter().all(|code| code == "SUCCESS"));
    assert_eq!(codes(&upstream, 1).await, ["OUT_OF_LIMIT"]);
    upstream.clock().store(NOON + 11 * HOUR, Ordering::SeqCst);
    let year = [("ClosedFrom", "2024-06-01T00:00:00"), ("ClosedTo", "2024-07-10T00:00:00")];
    assert_eq!(code(&call(&upstream, HISTORY, &year).await), "SUCCESS");
}

#[tokio::test]
async fn refused_calls_count_too_unless_it_is_switched_off() {
    let upstream = upstream(Settings::default()).await;
    codes(&upstream, 10).await;
    upstream.clock().store(NOON + HOUR / 2, Ordering::SeqCst);
    assert_eq!(codes(&upstream, 10).await, ["OUT_OF_LIMIT"; 10]);
    upstream.clock().store(NOON + HOUR, Ordering::SeqCst);
    assert_eq!(codes(&upstream, 1).await, ["OUT_OF_LIMIT"]);
    upstream.change_settings(&json!({ "counts_refused": false })).unwrap();
    upstream.clock().store(NOON + 3 * HOUR, Ordering::SeqCst);
    codes(&upstream, 20).await;
    upstream.clock().store(NOON + 4 * HOUR, Ordering::SeqCst);
    assert_eq!(codes(&upstream, 1).await, ["SUCCESS"]);
}

#[tokio::test]
async fn other_programs_of_the_account_use_the_quota_up() {
    let upstream = upstream(Settings::default()).await;
    upstream.spend("partner", HISTORY, 8);
    assert_eq!(codes(&upstream, 3).await, ["SUCCESS", "SUCCESS", "OUT_OF_LIMIT"]);
    assert_eq!(upstream.journal().calls().len(), 3, "the journal has only what clients called");
    upstream.clock().store(NOON + HOUR, Ordering::SeqCst);
    upstream.change_settings(&json!({ "others_per_hour": 9 })).unwrap();
    assert_eq!(codes(&upstream, 2).await, ["SUCCESS", "OUT_OF_LIMIT"]);
}

#[tokio::test]
async fn an_hour_by_the_clock_begins_anew_in_the_cabinets_zone() {
    let settings = Settings {
        counting: Counting::ClockHour,
        zone: "Asia/Kolkata".to_owned(),
        ..Settings::default()
    };
    let upstream = upstream(settings).await;
    // Half past an hour UTC is a full hour there.
    upstream.clock().store(NOON + HOUR / 2 - 1, Ordering::SeqCst);
    assert_eq!(codes(&upstream, 11).await[10], "OUT_OF_LIMIT");
    upstream.clock().store(NOON + HOUR / 2, Ordering::SeqCst);
    assert_eq!(codes(&upstream, 1).await, ["SUCCESS"]);
}

#[tokio::test]
async fn by_day_a_window_touches_35_days_of_the_calendar_at_the_most() {
    let upstream = upstream(Settings::default()).await;
    for (from, to, expected) in [
        ("2024-06-06T00:00:00", "2024-07-10T23:59:59", "SUCCESS"),
        ("2024-06-05T23:59:59", "2024-07-10T00:00:00", "PERIOD_TOO_LONG"),
        ("2024-06-05T12:00:00", "2024-07-10T12:00:00", "PERIOD_TOO_LONG"),
    ] {
        let window = [("ClosedFrom", from), ("ClosedTo", to)];
        assert_eq!(code(&call(&upstream, HISTORY, &window).await), expected, "{from} {to}");
    }
    let open = [("ClosedFrom", "2024-06-05T00:00:00")];
    assert_eq!(code(&call(&upstream, HISTORY, &open).await), "PERIOD_TOO_LONG");
    assert_eq!(code(&call(&upstream, HISTORY, &[]).await), "PERIOD_TOO_LONG");
    let closed = upstream.journal().calls()[0].closed.clone();
    assert_eq!(closed.0.as_deref(), Some("2024-06-06T00:00:00"));
}
