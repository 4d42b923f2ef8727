//! The turn of the day, which deletes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use talon_simulators::enter_rest::{Fault, FaultKind, Settings};

use super::hall::Hall;
use crate::hall::{HOUR, until};

/// What is read in each step.
const READ: [&str; 4] = [
    "GET queue/admin/tickets",
    "GET queue/admin/booking",
    "GET booking/schedule/days",
    "GET booking/schedule/days/:date",
];

const FEEDS: (&str, &str) = ("feeds", "ticket,booking,booking_day,booking_slot");

/// A hall in which a ticket stands in the list of its day until midnight, whatever becomes of it.
fn hall(zone: &str) -> Settings {
    Settings {
        zone: zone.to_owned(),
        workplaces: 2,
        visitors_per_hour: 4.0,
        bookings_per_hour: 2.0,
        lists_done: true,
        ..Settings::noisy()
    }
}

/// Two and a half days in steps that meet no midnight exactly.
async fn days_pass(hall: &Hall) {
    for _ in 0..36 {
        hall.pass(HOUR * 5 / 3);
        hall.read_again(&READ).await;
    }
}

/// What is checked of all zones: who was deleted went for a reason of the day, not with it.
fn check(hall: &Hall) {
    assert_eq!(hall.deleted("ticket"), Vec::<String>::new(), "no ticket left its list by day");
    assert_eq!(hall.deleted("booking_day"), Vec::<String>::new(), "days only pass");
    let history = hall.upstream.history();
    let last = |id: &String| history[id].last().unwrap()["Products"][0]["State"].clone();
    for id in hall.deleted("booking") {
        // 14 is what midnight makes of a booking that nobody came for.
        assert_ne!(last(&id), 14, "the booking {id} was deleted by the turn of its day");
    }
    let booked: BTreeSet<String> = history
        .values()
        .map(|states| states[0]["Products"][0]["StartTime"].as_str().unwrap()[..16].to_owned())
        .collect();
    for key in hall.deleted("booking_slot") {
        let (day, time) = key.rsplit_once('/').unwrap();
        let at = format!("{}T{time}", day.rsplit_once('/').unwrap().1);
        assert!(booked.contains(&at), "the time {key} was deleted, and nobody took it");
    }
    let days: BTreeSet<String> = hall
        .newest("ticket")
        .values()
        .map(|ticket| ticket["day"].as_str().unwrap().to_owned())
        .collect();
    assert!(days.len() >= 3, "there were midnights: {days:?}");
    assert!(!hall.deleted("booking").is_empty(), "and bookings that went by day");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_delete_comes_from_the_turn_of_the_day_in_a_branch_of_any_zone() {
    for zone in ["Asia/Kamchatka", "Europe/Kaliningrad", "America/St_Johns"] {
        let mut hall = Hall::open(hall(zone), &[FEEDS]).await;
        let engine = hall.start();
        days_pass(&hall).await;
        check(&hall);
        drop(engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_delete_comes_from_the_turn_of_the_day_also_where_each_step_is_another_process() {
    let mut hall = Hall::open(hall("Europe/Moscow"), &[FEEDS]).await;
    for _ in 0..12 {
        let engine = hall.start();
        hall.pass(HOUR * 5);
        hall.read_again(&READ).await;
        assert!(engine.stop(Duration::from_secs(30)).await);
    }
    check(&hall);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_empty_deletes_no_ticket_and_one_that_is_shorter_does() {
    let settings = Settings { operators_work: false, visitors_per_hour: 0.0, ..Settings::noisy() };
    let mut hall = Hall::open(settings, &[("feeds", "ticket")]).await;
    let engine = hall.start();
    hall.agrees(&["ticket"]).await;
    assert_eq!(hall.newest("ticket").len(), 12);
    hall.upstream.fault(Fault::from(FaultKind::EmptyList).at("GET queue/admin/tickets"));
    hall.read_again(&READ[..1]).await;
    assert_eq!(hall.deleted("ticket").len(), 0);
    hall.upstream.faults().clear();
    hall.upstream.change_settings(&json!({ "operators_work": true })).unwrap();
    let waiting = || hall.upstream.look("queue/admin/tickets", None).unwrap();
    while waiting().as_array().unwrap().len() > 9 {
        hall.pass(20_000);
    }
    hall.agrees(&["ticket"]).await;
    let deleted = hall.deleted("ticket");
    assert!(!deleted.is_empty() && deleted.len() < 12, "{}", deleted.len());
    let last = |id: &String| hall.upstream.history()[id].last().unwrap()["State"].clone();
    assert!(deleted.iter().all(|id| last(id) == 3), "who is served leaves the list");
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_of_the_upstream_that_is_ahead_or_behind_deletes_nothing_at_midnight() {
    // The connector takes another zone for the branch's, so its day turns hours before or after.
    for zone in ["Asia/Yekaterinburg", "Europe/Kaliningrad"] {
        let texts = [FEEDS, ("time.zone", zone)];
        let mut hall = Hall::open(hall("Europe/Moscow"), &texts).await;
        let engine = hall.start();
        for _ in 0..18 {
            hall.pass(HOUR);
            hall.read_again(&READ[..1]).await;
        }
        assert_eq!(hall.deleted("ticket"), Vec::<String>::new(), "{zone}");
        until("there are tickets of two days", || {
            let tickets = hall.newest("ticket");
            let days: BTreeSet<&str> =
                tickets.values().filter_map(|ticket| ticket["day"].as_str()).collect();
            days.len() >= 2
        })
        .await;
        drop(engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_that_was_made_later_than_now_tells_that_the_day_turns_earlier_upstream() {
    // The connector takes a zone for the branch's whose day turns an hour later.
    let texts = [("feeds", "booking"), ("time.zone", "Europe/Kaliningrad")];
    let settings = Settings { bookings_per_hour: 6.0, ..hall("Europe/Moscow") };
    let mut hall = Hall::open(settings, &texts).await;
    let engine = hall.start();
    for _ in 0..40 {
        hall.pass(HOUR);
        hall.read_again(&READ[1..2]).await;
    }
    let history = hall.upstream.history();
    let last = |id: &String| history[id].last().unwrap()["Products"][0]["State"].clone();
    let deleted = hall.deleted("booking");
    assert!(!deleted.is_empty(), "bookings went by day");
    for id in deleted {
        assert_ne!(last(&id), 14, "the booking {id} was deleted by the turn of its day");
    }
    drop(engine);
}
