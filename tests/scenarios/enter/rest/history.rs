//! What is over: tickets of the past, and what was measured on each day.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use talon_simulators::enter_rest::{Fault, FaultKind, Settings};

use super::hall::Hall;
use crate::hall::{HOUR, until};

const DAY: i64 = 24 * HOUR;

/// The day on which a hall is opened.
const FIRST: &str = "2024-07-10";

fn days(from: &str, feeds: &str) -> [(&'static str, String); 2] {
    [("feeds", feeds.to_owned()), ("backfill.from", from.to_owned())]
}

/// A hall that has worked for some days before anybody reads it.
async fn hall(settings: Settings, passed: i64, texts: &[(&str, String)]) -> Hall {
    let texts: Vec<(&str, &str)> = texts.iter().map(|(key, text)| (*key, &**text)).collect();
    let hall = Hall::open(settings, &texts).await;
    hall.upstream.look("queue/statistics", None).unwrap();
    hall.pass(passed);
    hall.upstream.look("queue/statistics", None).unwrap();
    hall
}

/// A hall in which little happens, so that weeks pass soon.
fn of_few() -> Settings {
    Settings {
        workplaces: 2,
        visitors_per_hour: 1.0,
        bookings_per_hour: 0.3,
        step_ms: 120_000,
        ..Settings::noisy()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_whole_whatever_an_end_date_means_and_however_dates_are_written() {
    for (form, setting, ends_before) in [
        ("%Y-%m-%d", "yyyy-MM-dd", true),
        ("%d.%m.%Y", "dd.MM.yyyy", false),
        ("%Y-%m-%dT%H:%M:%S", "yyyy-MM-ddTHH:mm:ss", false),
    ] {
        let settings = Settings { query_date_form: form.to_owned(), ends_before, ..of_few() };
        let [feeds, from] = days(FIRST, "ticket_history,service_indicator");
        let end = if ends_before { "next" } else { "same" };
        let texts = [
            feeds,
            from,
            ("interval.date.form", setting.to_owned()),
            ("service_indicator.end.date", end.to_owned()),
        ];
        let mut hall = hall(settings, 3 * DAY, &texts).await;
        let engine = hall.start();
        hall.agrees(&["ticket_history", "service_indicator"]).await;
        drop(engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_late_in_a_ticket_is_seen_by_the_look_at_the_last_days() {
    let texts = days(FIRST, "ticket_history");
    let mut hall = hall(of_few(), DAY, &texts).await;
    let engine = hall.start();
    hall.agrees(&["ticket_history"]).await;
    // Booked days ahead, and served or expired then.
    for _ in 0..6 {
        hall.pass(DAY);
        hall.agrees(&["ticket_history"]).await;
    }
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_cannot_be_read_holds_up_the_past_and_not_what_happens_now() {
    let texts = days(FIRST, "ticket_history");
    let mut hall = hall(of_few(), 2 * DAY, &texts).await;
    hall.upstream.fault(Fault::from(FaultKind::Cut).at("GET tickets/history/list").times(4));
    let engine = hall.start();
    hall.agrees(&["ticket_history"]).await;
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_of_several_windows_goes_on_with_the_one_in_which_its_process_ended() {
    const DAYS: i64 = 45;
    // Windows have 31 days: the process ends on the sixth of the second one.
    const ENDS_AT: u64 = 31 + 6;
    const LIST: &str = "GET tickets/history/list";
    let settings = Settings { visitors_per_hour: 0.5, step_ms: HOUR / 2, ..of_few() };
    let texts = days(FIRST, "ticket_history");
    let mut hall = hall(settings, DAYS * DAY, &texts).await;
    let upstream = hall.upstream.clone();
    let asked = || upstream.requests().get(LIST).copied().unwrap_or(0);
    upstream.fault(Fault::from(FaultKind::HeldReply).at(LIST).after(ENDS_AT - 1));
    let engine = hall.start();
    until("a day of the second window is asked for", || asked() == ENDS_AT).await;
    assert!(engine.stop(Duration::from_secs(60)).await);
    let known = hall.newest("ticket_history");
    upstream.faults().clear();
    upstream.release();

    let engine = hall.start();
    hall.agrees(&["ticket_history"]).await;
    // The windows meet on a day, and a request begins a second before its window.
    let second = u64::try_from(DAYS + 1).unwrap() - 31 + 2;
    assert_eq!(
        asked(),
        ENDS_AT + second,
        "the window is read from its beginning, the first not again"
    );
    assert!(known.len() > 20 && known.len() < hall.newest("ticket_history").len());
    assert!(hall.histories("ticket_history").values().all(|history| history.len() == 1));
    drop(engine);
}

/// The indicators that were told, each once.
fn told(hall: &Hall) -> BTreeMap<String, Value> {
    let all = hall.histories("service_indicator").into_iter();
    all.map(|(key, history)| {
        assert_eq!(history.len(), 1, "{key}: {history:?}");
        (key, history[0]["after"].clone())
    })
    .collect()
}

fn days_of(told: &BTreeMap<String, Value>) -> Vec<String> {
    let mut days: Vec<String> =
        told.values().map(|one| one["period"].as_str().unwrap().to_owned()).collect();
    days.dedup();
    days
}

#[tokio::test(flavor = "multi_thread")]
async fn the_indicators_of_each_day_that_is_over_are_told_once_also_where_nothing_ran() {
    let texts = days(FIRST, "service_indicator");
    let mut hall = hall(of_few(), 2 * DAY, &texts).await;
    let engine = hall.start();
    until("two days are told", || told(&hall).len() == 12).await;
    assert_eq!(days_of(&told(&hall)), ["2024-07-10", "2024-07-11"]);
    let served = told(&hall);
    let served = served.values().filter(|one| one["extra"]["ServedCount"] != "0").count();
    assert!(served > 0, "somebody was served");
    hall.pass(11 * HOUR);
    hall.read_again(&[]).await;
    assert_eq!(told(&hall).len(), 12, "today is not over");
    hall.pass(2 * HOUR);
    until("today is over", || told(&hall).len() == 18).await;
    assert!(engine.stop(Duration::from_secs(30)).await);

    hall.pass(3 * DAY);
    let engine = hall.start();
    until("missed days are told", || told(&hall).len() == 36).await;
    assert_eq!(days_of(&told(&hall)).len(), 6);
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_first_day_the_indicators_begin_with_yesterday() {
    let texts = [("feeds", "service_indicator".to_owned())];
    let mut hall = hall(of_few(), 5 * DAY, &texts).await;
    let engine = hall.start();
    hall.agrees(&["service_indicator"]).await;
    assert_eq!(days_of(&told(&hall)), ["2024-07-14"]);
    drop(engine);
}
