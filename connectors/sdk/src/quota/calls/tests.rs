use jiff::civil::time;
use proptest::prelude::*;

use super::*;

/// 2024-07-10 12:00 UTC.
const NOON: i64 = 1_720_612_800_000;
const MINUTE: i64 = 60_000;
const LATEST: Duration = Duration::from_secs(90);
const PATIENCE: Duration = Duration::from_secs(30);

fn limits() -> Limits {
    Limits {
        day: 10,
        night: 50,
        reserve: 2,
        night_hours: None,
        zone: TimeZone::UTC,
        latest: LATEST,
    }
}

fn with_nights() -> Limits {
    Limits { night_hours: Some((time(20, 0, 0, 0), time(8, 0, 0, 0))), ..limits() }
}

/// Makes calls as early as they may be made, each answered after a second.
fn calls(quota: &mut Quota, from: i64, until: i64, limits: &Limits) -> Vec<i64> {
    let mut made = Vec::new();
    let mut now = from;
    loop {
        quota.settle(now, limits);
        now = quota.next_at(now, limits);
        if now >= until {
            return made;
        }
        quota.begin(now, limits);
        assert!(quota.may_send(now, PATIENCE));
        made.push(now);
        now += 1000;
        quota.end(now);
    }
}

#[test]
fn so_many_calls_go_at_once_and_the_next_when_the_first_is_an_hour_old() {
    let made = calls(&mut Quota::default(), NOON, NOON + 2 * HOUR_MS, &limits());
    assert_eq!(made.len(), 16);
    assert_eq!(made[7] - made[0], 7_000);
    assert_eq!(made[8] - made[0], HOUR_MS + MARGIN_MS + 1000, "counted from its end");
}

#[test]
fn by_night_there_are_more_but_not_in_its_last_hour() {
    let limits = with_nights();
    let at = |hour: i64| NOON + (hour - 12) * HOUR_MS;
    let night = calls(&mut Quota::default(), at(21), at(22), &limits);
    assert_eq!(night.len(), 48);
    let end = calls(&mut Quota::default(), at(24 + 7), at(24 + 8), &limits);
    assert_eq!(end.len(), 8, "they count in the first hour of the day");
    // A night's worth right before holds up the beginning of the day's limit, not longer.
    let mut quota = Quota::default();
    assert_eq!(calls(&mut quota, at(24 + 6), at(24 + 7), &limits).len(), 48);
    let next = quota.next_at(at(24 + 7), &limits);
    assert!(next < at(24 + 8), "{next}");
    assert_eq!(Limits { night_hours: None, ..limits.clone() }.night, 50);
    assert_eq!(calls(&mut Quota::default(), at(21), at(22), &super::tests::limits()).len(), 8);
}

#[test]
fn what_is_known_of_a_first_start_leaves_the_reserve_alone() {
    let limits = limits();
    let mut quota = Quota::unknown(NOON, &limits);
    assert_eq!(quota.left(NOON, &limits), 2);
    let made = calls(&mut quota, NOON, NOON + HOUR_MS, &limits);
    assert_eq!(made.len(), 2);
    let strict = Limits { reserve: 0, ..limits };
    assert_eq!(Quota::unknown(NOON, &strict).left(NOON, &strict), 0);
}

#[test]
fn a_refused_call_is_followed_by_an_hour_without_calls() {
    let limits = limits();
    let mut quota = Quota::default();
    quota.begin(NOON, &limits);
    quota.refused(NOON + 1000);
    assert_eq!(quota.left(NOON + 2000, &limits), 0);
    assert_eq!(quota.next_at(NOON + 2000, &limits), NOON + 1000 + HOUR_MS + MARGIN_MS);
    let text = serde_json::to_string(&quota).unwrap();
    let read: Quota = serde_json::from_str(&text).unwrap();
    assert_eq!(read, quota, "also in another process");
}

#[test]
fn calls_without_an_end_go_on_at_once_while_half_of_them_are_left_and_then_in_even_shares() {
    let limits = limits();
    let mut quota = Quota::default();
    let mut now = NOON;
    let mut waits = Vec::new();
    for _ in 0..7 {
        quota.settle(now, &limits);
        let at = quota.next_at(now, &limits);
        waits.push(at - now);
        now = at;
        quota.begin(now, &limits);
    }
    assert_eq!(waits[..5], [0; 5]);
    assert!(waits[5..].iter().all(|wait| *wait >= HOUR_MS / 8), "{waits:?}");
}

#[test]
fn a_call_that_was_taken_in_is_not_sent_when_it_would_come_too_late() {
    let limits = limits();
    let mut quota = Quota::default();
    assert!(!quota.may_send(NOON, PATIENCE), "nothing was taken in");
    quota.begin(NOON, &limits);
    assert!(quota.may_send(NOON + MINUTE, PATIENCE));
    assert!(!quota.may_send(NOON + MINUTE + 1, PATIENCE));
    quota.end(NOON + 1);
    assert!(!quota.may_send(NOON + 2, PATIENCE), "it was sent");
}

#[test]
fn a_clock_that_was_set_back_delays_the_next_call_by_an_hour_at_the_most() {
    let limits = limits();
    let mut quota = Quota::default();
    calls(&mut quota, NOON, NOON + MINUTE, &limits);
    quota.refused(NOON + MINUTE);
    let before = NOON - 400 * 24 * HOUR_MS;
    quota.settle(before, &limits);
    let longest = HOUR_MS + MARGIN_MS + i64::try_from(LATEST.as_millis()).unwrap();
    assert!(quota.next_at(before, &limits) <= before + longest);
}

/// A call of the model: how long after the last moment it is wanted, when it arrives, and what follows.
#[derive(Debug, Clone)]
struct Step {
    pause_ms: i64,
    /// After how much of the time that it has it reaches the upstream; `None` if it never does.
    arrives: Option<u8>,
    /// Whether its end is known; else the process died.
    ends: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![Just(0), 0..5 * MINUTE, 0..2 * HOUR_MS];
    let step = (pause, prop::option::weighted(0.9, 0..=100_u8), prop::bool::weighted(0.7));
    let step = step.prop_map(|(pause_ms, arrives, ends)| Step { pause_ms, arrives, ends });
    prop::collection::vec(step, 1..400)
}

/// When each call arrived at the upstream.
fn arrivals(steps: &[Step], limits: &Limits) -> Vec<i64> {
    let mut quota = Quota::default();
    let (mut now, mut arrivals) = (NOON, Vec::new());
    for step in steps {
        now += step.pause_ms;
        // Each call is made by what the cursor says, as by a process that was just started.
        quota = serde_json::from_str(&serde_json::to_string(&quota).unwrap()).unwrap();
        quota.settle(now, limits);
        now = quota.next_at(now, limits);
        quota.begin(now, limits);
        let latest = i64::try_from(limits.latest.as_millis()).unwrap();
        let arrival = step.arrives.map(|share| now + latest * i64::from(share) / 100);
        arrivals.extend(arrival);
        if step.ends {
            now = arrival.unwrap_or(now);
            quota.end(now);
        }
    }
    arrivals.sort_unstable();
    arrivals
}

fn limit_at(at: i64, limits: &Limits) -> usize {
    let limit = if is_night(at, limits) { limits.night } else { limits.day };
    usize::try_from(limit - limits.reserve).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_hour_has_more_calls_than_its_limit_however_it_is_counted(
        steps in steps(),
        nights in any::<bool>(),
        shift in 0..HOUR_MS,
    ) {
        let limits = if nights { with_nights() } else { limits() };
        let arrivals = arrivals(&steps, &limits);
        let mut first: Option<i64> = None;
        let mut in_first = 0;
        for (place, &at) in arrivals.iter().enumerate() {
            let limit = limit_at(at, &limits);
            let since = |begin: i64| arrivals[..=place].iter().filter(|one| **one >= begin).count();
            prop_assert!(since(at - HOUR_MS) <= limit, "sliding, at {at}");
            // The upstream's clock need not show this machine's hours.
            let hour = (at + shift).div_euclid(HOUR_MS) * HOUR_MS - shift;
            prop_assert!(since(hour) <= limit, "by the clock, at {at}");
            if first.is_none_or(|first| at >= first + HOUR_MS) {
                (first, in_first) = (Some(at), 0);
            }
            in_first += 1;
            prop_assert!(in_first <= limit, "by first calls, at {at}");
        }
    }

    #[test]
    fn the_next_call_is_never_more_than_an_hour_and_a_share_away(steps in steps()) {
        let limits = limits();
        let mut quota = Quota::default();
        let mut now = NOON;
        for step in steps {
            now += step.pause_ms;
            quota.settle(now, &limits);
            let at = quota.next_at(now, &limits);
            prop_assert!(at - now <= HOUR_MS + MARGIN_MS + 90_000 + HOUR_MS / 8);
            now = at;
            quota.begin(now, &limits);
            if step.ends {
                quota.end(now);
            }
        }
    }
}

#[test]
fn the_cursor_stays_small_however_large_the_quota_is_and_nothing_is_counted_too_little() {
    let limits = Limits { day: 1_252, ..limits() };
    let mut quota = Quota::default();
    let made = calls(&mut quota, NOON, NOON + 3 * HOUR_MS, &limits);
    for (place, at) in made.iter().enumerate() {
        let within = made[place..].iter().take_while(|later| **later < at + HOUR_MS).count();
        assert!(within <= 1_250, "{within}");
    }
    assert!(made.len() > 2_500, "and most of it is used: {}", made.len());
    let cursor = serde_json::to_string(&quota).unwrap();
    assert!(cursor.len() < 2_000, "{} bytes", cursor.len());
}
