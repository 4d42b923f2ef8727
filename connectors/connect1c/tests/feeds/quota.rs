//! The quota is never exceeded, whatever happens to the process.

use std::sync::atomic::Ordering;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use talon_sdk::{Clock, Fault, UpstreamMetrics};
use talon_simulators::connect1c::{
    Counting, Fault as Misbehaviour, FaultKind, Operation, Settings,
};

use crate::driver::{
    DAY, Driver, HOUR, configured, connector, for_a_while, published, truth, upstream,
};

fn lively() -> Settings {
    Settings {
        since: "2024-03-01T00:00:00Z".to_owned(),
        opened_every_ms: HOUR / 2,
        ..Settings::noisy()
    }
}

/// Kills at random moments: also between the commit and the call, and in the middle of one.
#[tokio::test]
async fn kills_do_not_burn_the_quota_in_any_way_of_counting() {
    for (number, counting) in
        [Counting::Sliding, Counting::ClockHour, Counting::FirstCall].into_iter().enumerate()
    {
        let seed: u64 = rand::rng().random();
        println!("{counting:?}, seed {seed}");
        let mut random = SmallRng::seed_from_u64(seed);
        let upstream = upstream(Settings { counting, seed, ..lively() }).await;
        let night = ("quota.night.hours", "20:00-08:00");
        let texts = [("backfill.from", "2024-03-01"), night];
        let texts = if number == 0 { &texts[..1] } else { &texts[..] };
        let connector = connector(&upstream, texts);
        let mut drivers =
            ["treatment", "open_treatment"].map(|feed| Driver::new(feed, &upstream, &connector));
        for _ in 0..600 {
            let driver = &mut drivers[random.random_range(0..2)];
            match random.random_range(0..6) {
                0 => driver.kill(),
                1 => {
                    // Killed in the middle of a call, or of its reply.
                    let cursor = driver.cursor();
                    let ms = random.random_range(0..4);
                    for_a_while(driver.feed().next(cursor.as_ref()), ms).await;
                    driver.kill();
                }
                _ => {
                    driver.step().await;
                }
            }
            upstream.clock().fetch_add(random.random_range(0..60_000), Ordering::SeqCst);
        }
        let journal = upstream.journal();
        assert_eq!(journal.out_of_limit(), 0);
        // By night the upstream allows more.
        let most = if number == 0 { 8 } else { 48 };
        for operation in
            [Operation::GetHistoryOfServiceTreatments, Operation::GetOpenedServiceTreatments]
        {
            assert!(journal.most_in_an_hour(operation) <= most, "{operation:?}");
            let calls = journal.calls_of(operation).len();
            println!("{operation:?}: {calls} calls");
            assert!(calls > 10, "{operation:?} goes on");
        }
    }
}

#[tokio::test]
async fn a_process_that_dies_at_every_step_makes_no_more_calls_than_the_quota_has() {
    let upstream = upstream(lively()).await;
    let connector = connector(&upstream, &[("backfill.from", "2024-03-01")]);
    let mut driver = Driver::new("treatment", &upstream, &connector);
    for _ in 0..400 {
        let cursor = driver.cursor();
        for_a_while(driver.feed().next(cursor.as_ref()), 1).await;
        driver.step().await;
        driver.kill();
        upstream.clock().fetch_add(20_000, Ordering::SeqCst);
    }
    assert!(upstream.journal().most_in_an_hour(Operation::GetHistoryOfServiceTreatments) <= 8);
    assert_eq!(upstream.journal().out_of_limit(), 0);
}

#[tokio::test]
async fn a_lost_checkpoint_leaves_the_calls_that_may_have_been_made_uncalled() {
    let upstream = upstream(lively()).await;
    let connector = connector(&upstream, &[("backfill.from", "2024-03-01")]);
    let mut driver = Driver::new("treatment", &upstream, &connector);
    driver.run(HOUR, |_| ()).await;
    driver.forget();
    driver.run(2 * HOUR, |_| ()).await;
    // All of the day's, and not one more.
    assert!(upstream.journal().most_in_an_hour(Operation::GetHistoryOfServiceTreatments) <= 10);
    assert_eq!(upstream.journal().out_of_limit(), 0);
}

#[tokio::test]
async fn out_of_limit_is_waited_out_for_an_hour_also_after_a_kill() {
    let upstream = upstream(lively()).await;
    let connector = connector(&upstream, &[]);
    let mut driver = Driver::new("open_treatment", &upstream, &connector);
    upstream.spend("partner", Operation::GetOpenedServiceTreatments, 10);
    assert!(driver.run_until(DAY, |driver| !driver.faults.is_empty()).await);
    let Fault::Unavailable { reason, retry_after } = &driver.faults[0] else {
        panic!("{:?}", driver.faults)
    };
    assert!(reason.contains("OUT_OF_LIMIT"), "{reason}");
    assert_eq!(*retry_after, None, "the quota waits, and the feed is open meanwhile");
    let calls = || upstream.journal().calls().len();
    let (then, made) = (driver.now(), calls());
    driver.kill();
    // The fault was told after the cursor was committed, so a process that comes later knows.
    while upstream.now_ms() < then + HOUR - 3_600_000 / 60 {
        driver.step().await;
        upstream.clock().fetch_add(60_000, Ordering::SeqCst);
        driver.kill();
    }
    assert_eq!(calls(), made, "nothing is asked within the hour");
    driver.run(HOUR, |_| ()).await;
    assert!(calls() > made);
    upstream.clock().fetch_add(HOUR, Ordering::SeqCst);
    driver.read_all().await;
    assert_eq!(published(&driver), truth(&upstream.open()));
}

#[tokio::test]
async fn calls_that_fail_leave_some_for_later_in_the_hour() {
    let upstream = upstream(lively()).await;
    let connector = connector(&upstream, &[("backfill.from", "2024-03-01")]);
    for kind in [
        FaultKind::Status { code: 500, retry_after_seconds: None },
        FaultKind::LostReply,
        FaultKind::Cut { rows: 3 },
    ] {
        upstream.faults().clear();
        upstream.clock().fetch_add(2 * HOUR, Ordering::SeqCst);
        let mut driver = Driver::new("treatment", &upstream, &connector);
        driver.run(HOUR, |_| ()).await;
        upstream.fault(Misbehaviour::from(kind));
        let mut at = Vec::new();
        let from = driver.now();
        let faults = driver.faults.len();
        driver
            .run(2 * HOUR, |driver| {
                if driver.faults.len() > faults + at.len() {
                    at.push(driver.now() - from);
                }
            })
            .await;
        assert!(at.len() <= 16, "{at:?}");
        let last_quarter = at.iter().filter(|ms| (HOUR * 3 / 4..HOUR * 5 / 4).contains(*ms));
        assert!(last_quarter.count() > 0, "{at:?}");
    }
}

#[tokio::test]
async fn a_paused_process_that_wakes_up_behind_its_successor_makes_no_call() {
    let upstream = upstream(lively()).await;
    let connector = connector(&upstream, &[]);
    let mut driver = Driver::new("open_treatment", &upstream, &connector);
    // A call is taken in and committed, and the process stands still.
    while upstream.journal().calls().is_empty() && !driver.feed().waits_for_commit() {
        driver.step().await;
    }
    let made = upstream.journal().calls().len();
    upstream.clock().fetch_add(HOUR, Ordering::SeqCst);
    driver.step().await;
    assert_eq!(upstream.journal().calls().len(), made, "too late for the call that was taken in");
    driver.step().await;
    assert_eq!(upstream.journal().calls().len(), made + 1, "another one is taken in instead");
}

#[tokio::test]
async fn a_quota_that_others_have_used_up_is_shown_as_refused_until_the_hour_is_over() {
    let upstream = upstream(lively()).await;
    let registry = prometheus::Registry::new();
    let metrics = UpstreamMetrics::register(&registry).unwrap();
    let clock = Clock::Manual(upstream.clock());
    let connector = configured(&upstream.url(), clock, metrics.clone(), &[]);
    let mut driver = Driver::new("open_treatment", &upstream, &connector);
    upstream.spend("partner", Operation::GetOpenedServiceTreatments, 10);
    assert!(driver.run_until(DAY, |driver| !driver.faults.is_empty()).await);
    let is_refused = || metrics.quotas.of("lines")["GetOpenedServiceTreatments"].is_refused;
    // The runtime opens a feed anew after a fault.
    driver.kill();
    driver.step().await;
    assert!(is_refused());
    driver.run(2 * HOUR, |_| ()).await;
    assert!(!is_refused());
}

#[tokio::test]
async fn what_is_left_of_the_quota_is_a_metric() {
    let upstream = upstream(lively()).await;
    let registry = prometheus::Registry::new();
    let metrics = UpstreamMetrics::register(&registry).unwrap();
    let clock = Clock::Manual(upstream.clock());
    let connector =
        configured(&upstream.url(), clock, metrics.clone(), &[("backfill.from", "2023-01-01")]);
    let mut driver = Driver::new("treatment", &upstream, &connector);
    driver.run(3 * HOUR, |_| ()).await;
    let left = || metrics.quotas.of("lines")["GetHistoryOfServiceTreatments"];
    assert_eq!((left().left, left().limit), (0, 8), "the past takes all there is");
    assert!(left().next_ms > upstream.now_ms());
    upstream.clock().fetch_add(2 * HOUR, Ordering::SeqCst);
    assert_eq!(left().left, 8, "without anything happening");
    assert_eq!(metrics.backfills.standing("lines").map(|one| one.total > 500), Some(true));
}
