//! The connector `enter-export` against a simulated central server.
//!
//! Here with the runtime alone and a bus in memory: time is the simulator's, and years pass in seconds.
//! The modules of tests beside run the whole program on real brokers.
#![allow(clippy::unwrap_used)]

mod astray;
mod bus;
mod hall;
mod killed;
mod large;
mod later;
mod lively;
mod program;
mod rest;
mod samples;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};

use hall::{DAY, HOUR, Hall, until};
use jiff::civil::{Date, date};
use rand::RngExt;
use serde_json::json;
use talon_simulators::enter_export::{Fault, FaultKind, Settings};

const TODAY: Date = date(2024, 7, 10);

fn small() -> Settings {
    Settings {
        branches: 3,
        tickets_per_day: 6,
        since: "2024-06-01".to_owned(),
        ..Settings::noisy()
    }
}

/// All branches of [`small`].
const ALL: [usize; 3] = [0, 1, 2];

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_backfill_that_is_killed_at_random_is_complete_and_exactly_once() {
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let settings = Settings { seed, ..small() };
    for before_image in ["full", "none"] {
        let texts = [
            ("backfill.from", "2024-06-01"),
            ("before.image", before_image),
            // So that a day of the past is asked for by the backfill alone.
            ("late.max.age.days", "0"),
        ];
        let mut hall = Hall::open(settings.clone(), &texts).await;
        // Slow enough to be killed in the middle.
        hall.upstream.fault(Fault::from(FaultKind::Slow { ms: 5 }).at("/api/1/queue"));
        hall.bus.fail_every(Some(17));
        let kills = 6;
        for kill in 0..kills {
            let engine = hall.start();
            let next = hall.bus.commits() + 3 + (seed >> (8 * kill)) % 8;
            until("something is committed", || {
                hall.bus.commits() > next || hall.is_settled(&ALL, date(2024, 6, 1), TODAY)
            })
            .await;
            drop(engine);
        }
        hall.bus.fail_every(None);
        hall.upstream.faults().clear();
        let engine = hall.start();
        until("all is there", || hall.is_settled(&ALL, date(2024, 6, 1), TODAY)).await;
        hall.check_exactly_once();
        // All may have been there before this process has begun with it.
        let standing = |hall: &Hall| hall.metrics.upstream.backfills.standing("queue");
        let is_done = || standing(&hall).is_some_and(|standing| standing.percent() == 100);
        until("the backfill says so", is_done).await;
        assert_eq!(standing(&hall).unwrap().total, 3 * 39);
        assert!(hall.metrics.text().contains("talon_backfill_days_done{connector=\"queue\"} 117"));
        drop(engine);

        // What is done is not read again, but for what was under way at a kill or at a failed commit.
        let asked = hall.upstream.asked();
        let past = asked.iter().filter(|(asked, _)| asked.day < date(2024, 7, 9));
        let extra: u64 = past.map(|(_, count)| count - 1).sum();
        let restarts = kills + 1 + hall.bus.commits() / 17;
        println!("{extra} days were read again after {restarts} restarts");
        assert!(extra <= restarts * 12, "{extra} days were read again after {restarts} restarts");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn today_goes_on_while_the_past_is_read() {
    let texts = [("backfill.from", "2023-07-10"), ("backfill.concurrency", "1")];
    let settings = Settings { since: "2023-07-10".to_owned(), booked: 0.0, ..small() };
    let mut hall = Hall::open(settings, &texts).await;
    hall.upstream.fault(Fault::from(FaultKind::Slow { ms: 20 }).at("/api/1/queue"));
    let engine = hall.start();
    for _ in 0..4 {
        hall.pass(HOUR);
        let today = hall.truth(&ALL, TODAY, TODAY).into_keys().collect::<BTreeSet<_>>();
        until("today's tickets are published", || {
            today.is_subset(&hall.tickets().into_keys().collect())
        })
        .await;
    }
    let standing = hall.metrics.upstream.backfills.standing("queue").unwrap();
    assert!(standing.done < standing.total / 2, "long before the past is: {standing:?}");
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_branches_is_read_while_days_wait_for_their_turn_to_ask() {
    // Days always wait, and the list is due all the time.
    let texts = [
        ("backfill.from", "2024-06-01"),
        ("late.max.age.days", "0"),
        ("upstream.requests.per.second", "40"),
    ];
    let mut hall = Hall::open(small(), &texts).await;
    let engine = hall.start();
    until("the past is read", || {
        let standing = hall.metrics.upstream.backfills.standing("queue");
        standing.is_some_and(|standing| standing.done >= 60)
    })
    .await;
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_reads_nothing_of_the_past_again() {
    let texts = [("backfill.from", "2024-06-01"), ("late.max.age.days", "0")];
    let mut hall = Hall::open(small(), &texts).await;
    let engine = hall.start();
    until("all is there", || hall.is_settled(&ALL, date(2024, 6, 1), TODAY)).await;
    assert!(engine.stop(std::time::Duration::from_secs(30)).await);
    let before = hall.upstream.asked();
    assert!(before.keys().map(|asked| asked.day).min() == Some(date(2024, 6, 1)));
    let events = hall.events("ticket").len();
    let engine = hall.start();
    let today = |hall: &Hall| {
        let asked = hall.upstream.asked();
        asked.iter().filter(|(asked, _)| asked.day == TODAY).map(|(_, count)| count).sum::<u64>()
    };
    let then = today(&hall);
    until("today is read again", || today(&hall) > then + 9).await;
    let past = |asked: &BTreeMap<_, u64>| -> Vec<u64> { asked.values().copied().collect() };
    let after = hall.upstream.asked();
    let days: BTreeSet<_> = after
        .iter()
        .filter(|(asked, count)| before.get(asked) != Some(count))
        .map(|(asked, _)| asked.day)
        .collect();
    assert_eq!(days, BTreeSet::from([TODAY]), "{:?}", past(&after).len());
    assert_eq!(hall.events("ticket").len(), events);
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn midnight_comes_to_kamchatka_and_kaliningrad_when_it_does_there() {
    let zones = ["Asia/Kamchatka", "Europe/Kaliningrad"].map(str::to_owned).to_vec();
    let settings = Settings {
        branches: 2,
        zones,
        tickets_per_day: 30,
        opens_at: 0.0,
        closes_at: 24.0,
        booked: 0.0,
        ..small()
    };
    // What the replies say is right; the default is wrong for both.
    for tells_zone in [true, false] {
        let settings = Settings { tells_zone, ..settings.clone() };
        let mut hall = Hall::open(settings, &[("time.zone", "Europe/Moscow")]).await;
        if !tells_zone {
            let ids = hall.upstream.branches();
            hall.set(&format!("time.zone.{}", ids[0]), "Asia/Kamchatka");
            hall.set(&format!("time.zone.{}", ids[1]), "Europe/Kaliningrad");
        }
        let engine = hall.start();
        // Two and a half days in steps that meet no midnight exactly.
        for _ in 0..72 {
            hall.pass(HOUR * 5 / 6);
            let count = |hall: &Hall| hall.upstream.asked().values().sum::<u64>();
            let then = count(&hall);
            until("every day is read", || count(&hall) > then + 8).await;
        }
        // Noon of the 10th in Moscow and 60 hours: past midnight of the 12th in both.
        for (branch, today) in [(0, date(2024, 7, 13)), (1, date(2024, 7, 12))] {
            let asked: BTreeSet<Date> = hall
                .upstream
                .asked()
                .keys()
                .filter(|asked| asked.branch == branch)
                .map(|asked| asked.day)
                .collect();
            assert_eq!(asked.last(), Some(&today), "no day before it has begun there");
            assert_eq!(asked.first(), Some(&TODAY), "and reading began with today");
        }
        until("no ticket of a whole day is missed", || {
            hall.is_settled(&[0, 1], TODAY, date(2024, 7, 13))
        })
        .await;
        for ticket in hall.tickets().values() {
            let created = ticket["created_local"].as_str().unwrap();
            assert_eq!(ticket["day"], created[..10]);
        }
        hall.check_exactly_once();
        drop(engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_that_changes_sixty_days_later_is_one_update_and_its_facts_come_once() {
    let settings = Settings { branches: 1, booked: 1.0, tickets_per_day: 12, ..small() };
    for before_image in ["full", "none"] {
        // Sixty days are read again in each round, so the rounds leave the test some time.
        let texts = [("before.image", before_image), ("late.poll.interval.ms", "1000")];
        let mut hall = Hall::open(settings.clone(), &texts).await;
        let engine = hall.start();
        until("today is read", || hall.is_settled(&[0], TODAY, TODAY)).await;
        hall.pass(12 * HOUR);
        until("its last tickets are read", || {
            hall.is_settled(&[0], TODAY, TODAY.tomorrow().unwrap())
        })
        .await;
        let waiting: Vec<String> = {
            let tickets = hall.tickets();
            let open = tickets
                .iter()
                .filter(|(_, ticket)| ticket["day"] == "2024-07-10" && ticket["is_open"] == true);
            open.map(|(key, _)| key.clone()).collect()
        };
        assert!(waiting.len() > 2, "{} bookings wait", waiting.len());
        let count = |hall: &Hall, key: &str| {
            hall.events("ticket").iter().filter(|event| event.key == key).count()
        };
        let counts: Vec<usize> = waiting.iter().map(|key| count(&hall, key)).collect();
        drop(engine);

        // The log has let go of its facts, and the process is another one.
        let facts = hall.events("ticket_operation").len();
        hall.bus.let_go_of("t.queue.ticket_operation");
        hall.pass(62 * DAY);
        let engine = hall.start();
        let last = date(2024, 9, 11);
        until("the bookings have ended", || hall.is_settled(&[0], TODAY, last)).await;
        for (key, before) in waiting.iter().zip(counts) {
            assert_eq!(count(&hall, key), before + 1, "one update of {key}");
            assert_eq!(hall.tickets()[key]["is_open"], false);
        }
        let all: usize = hall
            .tickets()
            .values()
            .map(|ticket| ticket["operations"].as_array().unwrap().len())
            .sum();
        let new = hall.events("ticket_operation").len();
        assert_eq!(facts + new, all, "no fact twice, though the log has forgotten");
        drop(engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_server_gives_the_same_tickets_without_operations_until_it_is_new() {
    let mut hall = Hall::open(small(), &[]).await;
    hall.upstream.change_settings(&json!({ "history_method": false })).unwrap();
    let engine = hall.start();
    let truth = hall.truth(&ALL, TODAY, TODAY);
    until("all tickets are there", || {
        hall.tickets().keys().collect::<Vec<_>>() == truth.keys().collect::<Vec<_>>()
    })
    .await;
    assert!(hall.tickets().values().all(|ticket| ticket["operations"] == json!([])));
    assert_eq!(hall.events("ticket_operation").len(), 0);
    hall.upstream.change_settings(&json!({ "history_method": true })).unwrap();
    until("operations come", || hall.is_settled(&ALL, TODAY, TODAY)).await;
    hall.check_exactly_once();
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_a_cut_is_published_and_the_day_is_read_again() {
    let settings = Settings { tickets_per_day: 40, ..small() };
    for fault in [FaultKind::Cut { tickets: 5 }, FaultKind::Unfinished { tickets: 5 }] {
        let mut hall = Hall::open(settings.clone(), &[("backfill.from", "2024-07-05")]).await;
        hall.upstream.fault(Fault::from(fault).at("/api/1/queue").branch(1).times(4));
        let engine = hall.start();
        until("all is there", || hall.is_settled(&ALL, date(2024, 7, 5), TODAY)).await;
        hall.check_exactly_once();
        assert_eq!(hall.bus.records("t.queue.dlq").len(), 0);
        drop(engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_cannot_be_read_holds_up_no_other() {
    let mut hall = Hall::open(small(), &[("backfill.from", "2024-07-01")]).await;
    let broken = FaultKind::Status { code: 500, retry_after_seconds: None };
    hall.upstream.fault(Fault::from(broken).branch(1));
    let engine = hall.start();
    until("the others are read", || hall.is_settled(&[0, 2], date(2024, 7, 1), TODAY)).await;
    hall.upstream.faults().clear();
    until("it is read when it can be", || hall.is_settled(&ALL, date(2024, 7, 1), TODAY)).await;
    hall.check_exactly_once();
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_was_away_is_read_again_and_one_of_a_wrong_protocol_never() {
    // Without bookings nothing changes after its day, and the slow pace is waited for by nobody.
    let settings = Settings { booked: 0.0, ..small() };
    let mut hall = Hall::open(settings, &[("late.poll.interval.ms", "100000")]).await;
    hall.upstream.change_settings(&json!({ "wrong_protocol": [2] })).unwrap();
    let engine = hall.start();
    until("today is read", || hall.is_settled(&[0, 1], TODAY, TODAY)).await;
    let away = |hall: &Hall, away: bool| {
        let offline: &[usize] = if away { &[1] } else { &[] };
        hall.upstream.change_settings(&json!({ "offline": offline })).unwrap();
    };
    away(&hall, true);
    let is_connected = |hall: &Hall, id: &str| {
        let events = hall.events("branch");
        let last =
            events.iter().rev().find(|event| event.key == id).map(|event| event.after.clone());
        last.unwrap_or_default()["is_connected"].clone()
    };
    let id = hall.upstream.branches()[1].clone();
    until("its state is an event", || is_connected(&hall, &id) == false).await;
    // What the branch did while it was away reaches the central server when it is back.
    hall.pass(3 * DAY);
    let day = date(2024, 7, 13);
    let today = |hall: &Hall, branch| {
        hall.upstream
            .asked()
            .keys()
            .filter(|asked| asked.branch == branch)
            .map(|asked| asked.day)
            .max()
    };
    until("the days went on", || today(&hall, 0) == Some(day)).await;
    let count = |hall: &Hall| -> u64 {
        let asked = hall.upstream.asked();
        let days =
            asked.iter().filter(|(asked, _)| asked.branch == 1 && asked.day == date(2024, 7, 11));
        days.map(|(_, count)| *count).sum()
    };
    until("the days that it was away for are read", || count(&hall) > 0).await;
    let before = count(&hall);
    away(&hall, false);
    until("and again when it is back", || count(&hall) > before).await;
    until("all is there", || hall.is_settled(&[0, 1], TODAY, day)).await;
    assert!(hall.upstream.asked().keys().all(|asked| asked.branch != 2), "never asked");
    assert!(hall.events("ticket").iter().all(|event| event.op != "d"));
    hall.check_exactly_once();
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_4_what_vanishes_from_a_day_is_deleted_only_where_that_is_wanted() {
    // Rows so large that a day comes in many parts.
    let settings = Settings { tickets_per_day: 60, padding: 120_000, booked: 0.0, ..small() };
    for deletes in ["true", "false"] {
        let texts = [("deletes", deletes), ("backfill.from", "2024-07-08")];
        let mut hall = Hall::open(settings.clone(), &texts).await;
        let engine = hall.start();
        until("all is there", || hall.is_settled(&ALL, date(2024, 7, 8), TODAY)).await;
        assert!(hall.events("ticket").iter().all(|event| event.op != "d"));
        hall.upstream.fault(Fault::from(FaultKind::Missing { tickets: 2 }).branch(0));
        let deleted =
            |hall: &Hall| hall.events("ticket").iter().filter(|event| event.op == "d").count();
        if deletes == "true" {
            until("what vanished is deleted", || deleted(&hall) >= 2).await;
            for event in hall.events("ticket").iter().filter(|event| event.op == "d") {
                assert!(event.key.starts_with(&hall.upstream.branches()[0]));
            }
        } else {
            let count = |hall: &Hall| hall.upstream.asked().values().sum::<u64>();
            let then = count(&hall);
            until("days are read again", || count(&hall) > then + 12).await;
            assert_eq!(deleted(&hall), 0);
        }
        drop(engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_goes_offline_between_two_reads_of_the_catalogue_loses_no_ticket() {
    let first = date(2024, 7, 7);
    // A day comes in one part, and in many.
    for padding in [0, 100_000] {
        // To spell so much anew at each read takes longer than all the rest.
        let noise = if padding == 0 { small().noise } else { 0.0 };
        let settings = Settings { tickets_per_day: 12, padding, booked: 0.0, noise, ..small() };
        let texts = [("deletes", "true"), ("backfill.from", "2024-07-07")];
        let mut hall = Hall::open(settings, &texts).await;
        let offline = |hall: &Hall, tickets| {
            hall.upstream.fault(Fault::from(FaultKind::Offline { tickets }).branch(0));
        };
        let deleted =
            |hall: &Hall| hall.events("ticket").iter().filter(|event| event.op == "d").count();
        let asked = |hall: &Hall, day: Date| -> u64 {
            let asked = hall.upstream.asked();
            let days = asked.iter().filter(|(asked, _)| asked.branch == 0 && asked.day == day);
            days.map(|(_, count)| *count).sum()
        };
        // In the backfill: the catalogue says at each read that the branch is connected.
        offline(&hall, 9);
        let engine = hall.start();
        let others = hall.truth(&[1, 2], first, TODAY);
        until("the others are read", || {
            let tickets = hall.tickets();
            others
                .iter()
                .all(|(key, truth)| tickets.get(key).map(hall::of_event).as_ref() == Some(truth))
        })
        .await;
        until("its past is asked for", || asked(&hall, first) > 0).await;
        hall.upstream.faults().clear();
        until("it is read again when it is back", || hall.is_settled(&ALL, first, TODAY)).await;
        assert_eq!(deleted(&hall), 0);
        // Of today, and of days that were read whole before.
        for tickets in [11, 0] {
            offline(&hall, tickets);
            let then = asked(&hall, TODAY);
            until("today is read again", || asked(&hall, TODAY) > then + 2).await;
            hall.upstream.faults().clear();
            until("it is back", || hall.is_settled(&ALL, first, TODAY)).await;
            assert_eq!(deleted(&hall), 0);
        }
        // A branch that is connected does lose what is not there any more.
        hall.upstream.fault(Fault::from(FaultKind::Missing { tickets: 1 }).branch(0));
        until("what vanished is deleted", || deleted(&hall) >= 1).await;
        drop(engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_6_an_undecodable_ticket_is_put_aside_and_the_rest_flows_on() {
    let mut hall = Hall::open(small(), &[]).await;
    hall.upstream.fault(Fault::from(FaultKind::UndecodableRow).branch(0));
    let engine = hall.start();
    let truth = hall.truth(&ALL, TODAY, TODAY);
    until("the others are there", || hall.tickets().len() == truth.len() - 1).await;
    until("it is put aside", || hall.bus.records("t.queue.dlq").len() == 1).await;
    hall.upstream.faults().clear();
    until("it comes when it can be read", || hall.is_settled(&ALL, TODAY, TODAY)).await;
    drop(engine);
}
