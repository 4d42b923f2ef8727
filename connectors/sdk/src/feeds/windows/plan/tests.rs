use std::collections::BTreeMap;

use jiff::civil::{date, time};

use super::*;
use crate::quota::{Limits, Quota};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// 2024-07-10 12:00 in Yekaterinburg.
const NOON: i64 = 1_720_594_800_000;

fn zone() -> TimeZone {
    TimeZone::get("Asia/Yekaterinburg").unwrap()
}

fn settings(backfill_from: Option<Date>) -> Settings {
    Settings {
        zone: zone(),
        backfill_from,
        interval: Duration::from_secs(900),
        overlap: Duration::from_secs(3600),
        lag: Duration::from_secs(60),
        most_days: 34,
        sweep_at: time(3, 0, 0, 0),
    }
}

fn limits() -> Limits {
    Limits {
        day: 10,
        night: 50,
        reserve: 2,
        night_hours: None,
        zone: zone(),
        latest: Duration::from_secs(90),
    }
}

/// How many days of the calendar the request of a window touches.
fn days(window: &Window, zone: &TimeZone) -> i32 {
    let (from, to) = (window.asked_from(zone), window.asked_to(zone));
    to.date().since((jiff::Unit::Day, from.date())).unwrap().get_days() + 1
}

fn take(position: &mut Position, now: i64, settings: &Settings) -> Option<Window> {
    let window = position.next(now, settings)?;
    position.read(&window, settings);
    *position = serde_json::from_str(&serde_json::to_string(position).unwrap()).unwrap();
    Some(window)
}

#[test]
fn the_past_is_read_newest_first_in_windows_that_meet_and_touch_34_days() {
    let settings = settings(Some(date(2024, 1, 1)));
    let mut position = Position::begin(NOON, &settings);
    let mut end = NOON - 60_000;
    let mut windows = Vec::new();
    while let Some(window) = take(&mut position, NOON, &settings) {
        assert_eq!((window.lane, window.snapshot), (Lane::Past, true));
        assert_eq!(window.to_ms, end, "windows meet");
        assert!(days(&window, &zone()) <= 34, "{window:?}");
        end = window.from_ms;
        windows.push(window);
    }
    assert_eq!(windows.len(), 6);
    assert_eq!(local(end, &zone()), date(2024, 1, 1).to_datetime(Time::midnight()));
    assert_eq!(position.days_missing(), 0);
    assert_eq!(position.due_at(NOON, &settings), NOON + 900_000);
}

#[test]
fn no_window_touches_more_days_whatever_the_zone_and_the_hour() {
    for name in ["Asia/Yekaterinburg", "America/Sao_Paulo", "Pacific/Apia", "Europe/Berlin"] {
        let zone = TimeZone::get(name).unwrap();
        let settings = Settings { zone: zone.clone(), ..settings(Some(date(2010, 1, 1))) };
        for hour in 0..24 {
            let now = NOON + hour * HOUR_MS + 7 * 60_000;
            let mut position = Position::begin(now, &settings);
            while let Some(window) = take(&mut position, now, &settings) {
                let days = days(&window, &zone);
                assert!(days <= 34 && window.from_ms < window.to_ms, "{name} {days} {window:?}");
            }
        }
    }
}

#[test]
fn what_was_closed_lately_is_read_up_to_a_lag_and_overlaps_the_read_before() {
    let settings = settings(None);
    let mut position = Position::begin(NOON, &settings);
    let first = take(&mut position, NOON, &settings).unwrap();
    assert_eq!((first.lane, first.to_ms), (Lane::Recent, NOON - 60_000));
    assert_eq!(take(&mut position, NOON + 899_999, &settings), None);
    assert_eq!(position.due_at(NOON, &settings), NOON + 900_000);
    let second = take(&mut position, NOON + 900_000, &settings).unwrap();
    assert_eq!(second.from_ms, first.to_ms - HOUR_MS);
    assert_eq!(second.asked_from(&zone()).to_string(), "2024-07-10T10:58:59");
    assert_eq!(second.asked_to(&zone()).to_string(), "2024-07-10T12:14:00");
}

#[test]
fn what_is_new_comes_before_what_is_old() {
    let settings = settings(Some(date(2024, 1, 1)));
    let mut position = Position::begin(NOON, &settings);
    assert_eq!(take(&mut position, NOON, &settings).unwrap().lane, Lane::Past);
    let later = NOON + 900_000;
    assert_eq!(take(&mut position, later, &settings).unwrap().lane, Lane::Recent);
    assert_eq!(take(&mut position, later, &settings).unwrap().lane, Lane::Past);
}

#[test]
fn what_was_missed_while_nothing_ran_is_made_up_for() {
    let settings = settings(None);
    let mut position = Position::begin(NOON, &settings);
    take(&mut position, NOON, &settings).unwrap();
    let back = NOON + 100 * DAY_MS;
    position.adopt(back, &settings);
    let mut windows = Vec::new();
    while let Some(window) = take(&mut position, back, &settings) {
        assert!(!window.snapshot, "it is no first read");
        windows.push(window);
    }
    let lanes: Vec<Lane> = windows.iter().map(|window| window.lane).collect();
    assert_eq!(lanes, [Lane::Recent, Lane::Sweep, Lane::Past, Lane::Past, Lane::Past]);
    assert_eq!(windows[2].to_ms, windows[0].from_ms);
    assert!(windows[2..].windows(2).all(|two| two[1].to_ms == two[0].from_ms));
    assert_eq!(windows[4].from_ms, NOON - 60_000 - HOUR_MS);
}

#[test]
fn once_a_night_the_last_34_days_are_read_again() {
    let settings = settings(None);
    let mut position = Position::begin(NOON, &settings);
    let mut sweeps = Vec::new();
    let mut now = NOON;
    while now < NOON + 10 * DAY_MS {
        match take(&mut position, now, &settings) {
            Some(window) if window.lane == Lane::Sweep => {
                assert_eq!(days(&window, &zone()), 34);
                sweeps.push(local(now, &zone()).time().hour());
            }
            Some(_) => {}
            None => now = position.due_at(now, &settings).max(now + 1),
        }
    }
    assert_eq!(sweeps, [3; 10]);
}

#[test]
fn an_earlier_first_day_adds_to_what_is_missing_and_a_later_one_takes_away() {
    let from = |day| settings(Some(day));
    let mut position = Position::begin(NOON, &from(date(2024, 6, 1)));
    let wanted = position.days_missing();
    position.adopt(NOON, &from(date(2024, 5, 1)));
    assert_eq!(position.days_missing(), wanted + 31);
    position.adopt(NOON, &from(date(2024, 7, 1)));
    assert_eq!(position.days_missing(), wanted - 30);
    while take(&mut position, NOON, &from(date(2024, 7, 1))).is_some() {}
    position.adopt(NOON, &from(date(2024, 6, 1)));
    assert_eq!(position.days_missing(), 30, "what was read is not read again");
    let mut none = Position::begin(NOON, &settings(None));
    none.adopt(NOON, &from(date(2024, 7, 1)));
    assert_eq!(none.days_missing(), 10);
}

#[test]
fn a_clock_that_was_set_back_does_not_stop_reading() {
    let settings = settings(None);
    let mut position = Position::begin(NOON + 300 * DAY_MS, &settings);
    take(&mut position, NOON + 300 * DAY_MS, &settings).unwrap();
    position.adopt(NOON, &settings);
    assert_eq!(position.due_at(NOON, &settings), NOON + 900_000);
}

/// A treatment of the model.
struct Treatment {
    closed: i64,
    /// When it is rated, if it is.
    rated: Option<i64>,
}

/// Closed from two years before noon until a month after it, every 37 minutes.
fn treatments() -> Vec<Treatment> {
    let begin = NOON - 731 * DAY_MS;
    let count = (731 + 30) * DAY_MS / (37 * 60_000);
    (0..count)
        .map(|number| {
            let closed = begin + number * 37 * 60_000 + 11_000;
            let late = [None, Some(0), Some(HOUR_MS), Some(5 * DAY_MS), Some(30 * DAY_MS)];
            let rated = late[usize::try_from(number % 5).unwrap()].map(|late| closed + late);
            Treatment { closed, rated }
        })
        .collect()
}

#[test]
fn two_years_are_read_under_the_days_quota_each_treatment_once_and_late_ratings_as_updates() {
    let settings = settings(Some(date(2022, 7, 10)));
    let limits = limits();
    let treatments = treatments();
    // What is published: by number, whether it was rated.
    let mut published: BTreeMap<usize, bool> = BTreeMap::new();
    let (mut created, mut updated) = (0, 0);
    let mut calls: Vec<i64> = Vec::new();
    let mut quota = Quota::unknown(NOON, &limits);
    let mut position = Position::begin(NOON, &settings);
    let mut backfilled: Option<(i64, usize)> = None;
    let end = NOON + 30 * DAY_MS;
    let mut now = NOON;
    while now < end {
        quota.settle(now, &limits);
        if position.next(now, &settings).is_none() {
            now = position.due_at(now, &settings).max(now + 1);
            continue;
        }
        now = quota.next_at(now, &limits);
        let window = position.next(now, &settings).unwrap();
        quota.begin(now, &limits);
        calls.push(now);
        // Exclusive bounds, which is the worse case.
        let (from, to) = (window.from_ms - SECOND_MS, window.to_ms);
        let first = treatments.partition_point(|one| one.closed <= from);
        let behind = treatments.partition_point(|one| one.closed < to);
        for (number, one) in treatments.iter().enumerate().take(behind).skip(first) {
            let is_rated = one.rated.is_some_and(|at| at <= now);
            match published.insert(number, is_rated) {
                None => created += 1,
                Some(was) if was != is_rated => updated += 1,
                Some(_) => {}
            }
        }
        now += 20_000;
        quota.end(now);
        position.read(&window, &settings);
        if position.days_missing() == 0 && backfilled.is_none() {
            backfilled = Some((now - NOON, calls.len()));
        }
    }
    let seen_by = end - HOUR_MS;
    let is_wanted = |one: &&Treatment| one.closed > midnight(date(2022, 7, 10), &zone());
    let closed: Vec<&Treatment> =
        treatments.iter().filter(is_wanted).filter(|one| one.closed < seen_by).collect();
    assert!(created >= closed.len(), "{created} of {}", closed.len());
    assert_eq!(created, published.len(), "each once");
    // Rated late: those whose ratings came within what the sweeps look at, and after they were read.
    let late = closed.iter().filter(|one| {
        one.rated.is_some_and(|at| {
            at > NOON + HOUR_MS && at > one.closed + 20 * 60_000 && at < end - DAY_MS
        })
    });
    let late = late.count();
    assert!(late > 400 && updated >= late, "{updated} of {late}");
    let worst = calls
        .iter()
        .map(|at| calls.iter().filter(|one| (at - HOUR_MS..=*at).contains(one)).count());
    let worst = worst.max().unwrap();
    assert!(worst <= 8, "{worst} calls in an hour");
    let (took, needed) = backfilled.unwrap();
    println!(
        "two years: {needed} calls in {:.1} h; a month more: {} calls, at most {worst} in an hour; \
         {created} treatments, {updated} rated later",
        took as f64 / HOUR_MS as f64,
        calls.len() - needed,
    );
}
