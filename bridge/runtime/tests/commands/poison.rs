//! One command that cannot be processed, among others that can.

use std::time::Duration;

use crate::memory::{Failing, Memory};
use crate::upstream::{Next, Upstream};
use crate::{put, settle, start, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_panics_ends_one_command_and_not_the_lane() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "bad", "Add", 7);
    put(&bus, "behind", "Add", 7);
    put(&bus, "beside", "Add", 8);
    // Surely not there when it is read back, so it is sent again, until its time is over.
    upstream.plan("bad", vec![Next::Panic; 100]);
    let engine = start(&bus, &upstream, |lane| {
        lane.patience.retry_budget = Duration::from_millis(300);
        lane.patience.settle = Duration::from_millis(10);
    });
    until("everything is settled", || bus.is_settled()).await;
    assert!(engine.stop(Duration::from_secs(10)).await);
    let outcomes = bus.outcomes();
    assert_eq!(outcomes["bad"], ["FAILED"]);
    assert_eq!((&*outcomes["behind"][0], &*outcomes["beside"][0]), ("APPLIED", "APPLIED"));
    assert_eq!(bus.owners(), 1, "the lane was not opened anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_is_too_large_for_the_bus_is_written_without_what_the_upstream_said() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "long", "Add", 7);
    put(&bus, "behind", "Add", 7);
    upstream.plan("long", [Next::Chatter]);
    settle(&bus, &upstream).await;
    let outcomes = bus.outcomes();
    assert_eq!((&*outcomes["long"][0], &*outcomes["behind"][0]), ("APPLIED", "APPLIED"));
    let results = bus.results();
    let long = results.iter().find(|r| r.command_id == "long" && r.outcome.is_some()).unwrap();
    assert_eq!((long.message.as_ref().unwrap().len(), &long.response), (200, &None));
    assert_eq!(bus.owners(), 1, "the lane was not opened anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_asks_for_more_time_than_there_is_ends_the_command() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "a", "Add", 7);
    upstream.plan("a", [Next::LeaveAlone(Duration::from_secs(3_600))]);
    settle(&bus, &upstream).await;
    assert_eq!(bus.outcomes()["a"], ["FAILED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_is_opened_anew_gives_no_command_its_time_anew() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "busy", "Add", 7);
    upstream.plan("busy", vec![Next::Busy; 10_000]);
    let engine = start(&bus, &upstream, |lane| {
        lane.patience.retry_budget = Duration::from_millis(300);
        lane.patience.settle = Duration::from_millis(10);
    });
    until("it was tried", || upstream.0.lock().unwrap().most == 1).await;
    let left = || upstream.0.lock().unwrap().plans["busy"].len();
    // Each failure drops the commands that are under way; the pauses take longer than its time.
    bus.fail(0, Failing::Before);
    for turn in 1..=3 {
        put(&bus, &format!("other-{turn}"), "Set", 8);
        until("the lane is opened anew", || bus.owners() > turn).await;
        if turn < 3 {
            bus.fail(0, Failing::Before);
        }
    }
    let before = left();
    until("everything is settled", || bus.is_settled()).await;
    assert_eq!(bus.outcomes()["busy"], ["FAILED"]);
    assert_eq!(left(), before, "it was sent again after its time");
    assert!(engine.stop(Duration::from_secs(10)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_the_upstream_has_its_time_from_when_the_reply_was_given_up() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "a", "Add", 7);
    // It is done only after the reply was given up, which was later than `settle` after sending.
    upstream.plan("a", [Next::TryAndLinger(Duration::from_millis(400))]);
    let engine = start(&bus, &upstream, |lane| {
        lane.patience.settle = Duration::from_millis(300);
    });
    until("everything is settled", || bus.is_settled()).await;
    assert!(engine.stop(Duration::from_secs(10)).await);
    assert_eq!(bus.outcomes()["a"], ["APPLIED"]);
    assert_eq!(upstream.effects(), ["a"], "not sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_command_is_counted_when_it_is_committed() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    bus.put(0, "", "hello");
    bus.fail(0, Failing::Before);
    let engine = start(&bus, &upstream, |_| {});
    until("everything is settled", || bus.is_settled()).await;
    let counted = || {
        let text = engine.view().metrics.text();
        let line = text.lines().find(|line| line.starts_with("talon_dead_letters_total"))?;
        line.rsplit(' ').next().map(str::to_owned)
    };
    // Counters are there from the start, with 0.
    until("it is counted", || counted().is_some_and(|count| count != "0")).await;
    assert_eq!(counted().as_deref(), Some("1"), "once, though it was written twice");
    assert_eq!(bus.owners(), 2);
    assert!(engine.stop(Duration::from_secs(10)).await);
}
