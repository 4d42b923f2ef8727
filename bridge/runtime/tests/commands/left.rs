//! What an earlier owner left, and what was changed since.

use std::time::Duration;

use talon_sdk::Clock;

use crate::memory::Memory;
use crate::upstream::{HOUR_MS, Next, Upstream};
use crate::{command, partition, put, settle, start, until};

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_a_type_that_is_switched_off_is_read_back_where_it_may_have_been_sent() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "sent", "Add", 7);
    upstream.plan("sent", [Next::Hang]);
    let engine = start(&bus, &upstream, |_| {});
    until("it is sent", || upstream.effects() == ["sent"]).await;
    drop(engine);

    upstream.0.lock().unwrap().off.insert("Add");
    put(&bus, "lost", "Add", 8);
    bus.leave("lost", &format!("{}/1", partition("8")));
    put(&bus, "new", "Add", 9);
    settle(&bus, &upstream).await;
    let outcomes = bus.outcomes();
    assert_eq!(outcomes["sent"], ["APPLIED"]);
    assert_eq!(
        (&outcomes["lost"][..], &outcomes["new"][..]),
        (&["REJECTED".to_owned()][..], &["REJECTED".to_owned()][..])
    );
    assert_eq!(upstream.effects(), ["sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_what_is_no_command_does_not_take_the_outcome_of_one_that_waits() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    upstream.plan("slow", [Next::Hang]);
    put(&bus, "slow", "Add", 7);
    put(&bus, "waits", "Add", 7);
    let malformed =
        |id: &str| format!(r#"{{"id": "{id}", "type": "Add", "params": {{"call_id": "x"}}}}"#);
    bus.put(partition("7"), "7", &malformed("waits"));
    let engine = start(&bus, &upstream, |_| {});
    until("the first is sent", || upstream.effects() == ["slow"]).await;
    until("the malformed one has its outcome", || bus.outcomes().contains_key("waits")).await;
    drop(engine);
    // To whoever wrote this intent it was a command.
    bus.put(0, "", &malformed("odd"));
    bus.leave("odd", "0/0");
    settle(&bus, &upstream).await;
    let outcomes = bus.outcomes();
    assert_eq!(outcomes["waits"], ["DUPLICATE", "APPLIED"]);
    assert_eq!(outcomes["odd"], ["UNKNOWN"]);
    let odd = bus.results().into_iter().rfind(|result| result.command_id == "odd").unwrap();
    assert_eq!((odd.attempts, odd.evidence.as_deref()), (1, Some("{\"mark\":1}")));
    assert_eq!(upstream.effects(), ["slow", "waits"]);
    assert_eq!(bus.dead().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_an_old_intent_may_have_been_sent_a_moment_ago() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "a", "Add", 7);
    bus.leave("a", &format!("{}/0", partition("7")));
    let engine = start(&bus, &upstream, |lane| lane.patience.settle = Duration::from_secs(2));
    until("it is read back", || upstream.0.lock().unwrap().probes > 0).await;
    // The request of the earlier owner was still at work.
    upstream.0.lock().unwrap().effects.push("a".to_owned());
    until("everything is settled", || bus.is_settled()).await;
    assert!(engine.stop(Duration::from_secs(10)).await);
    assert_eq!(upstream.effects(), ["a"]);
    assert_eq!(bus.outcomes()["a"], ["APPLIED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_created_anew_has_new_commands_at_old_places() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "a", "Add", 7);
    settle(&bus, &upstream).await;
    bus.empty_commands();
    put(&bus, "b", "Add", 7);
    settle(&bus, &upstream).await;
    assert_eq!(upstream.effects(), ["a", "b"]);
    assert_eq!(bus.outcomes()["b"], ["APPLIED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_6_a_dead_letter_with_a_huge_key_blocks_nothing() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    bus.put(1, &"ключ".repeat(20_000), "hello");
    bus.put(1, "7", &command("a", "Add", 7));
    settle(&bus, &upstream).await;
    assert_eq!(bus.outcomes()["a"], ["APPLIED"]);
    assert_eq!(bus.dead()[0].value, b"hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_an_old_command_is_not_run_where_it_may_have_been() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "known", "Add", 7);
    settle(&bus, &upstream).await;
    put(&bus, "old", "Add", 7);
    put(&bus, "young", "Add", 7);
    let now = Clock::System.now_ms();
    let at = |offset: u32| format!("{}/{offset}", partition("7"));
    let week = 7 * 24 * HOUR_MS;
    bus.forget_places();
    bus.taken(&[
        (&at(0), now - week - HOUR_MS),
        (&at(1), now - week - HOUR_MS),
        (&at(2), now - week + HOUR_MS),
    ]);
    settle(&bus, &upstream).await;
    let outcomes = bus.outcomes();
    assert_eq!(outcomes["known"], ["APPLIED"]);
    assert_eq!(outcomes["old"], ["UNKNOWN"]);
    assert_eq!(outcomes["young"], ["APPLIED"]);
    assert_eq!(upstream.effects(), ["known", "young"]);
    let old = bus.results().into_iter().find(|result| result.command_id == "old").unwrap();
    assert!(old.message.unwrap().contains("commands.ledger.retention.ms"));
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_a_command_that_waited_for_longer_than_results_are_kept_is_not_run() {
    // Nobody has reset anything: the connector was switched off, and an intent may be gone.
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "old", "Add", 7);
    put(&bus, "young", "Add", 7);
    let now = Clock::System.now_ms();
    let at = |offset: u32| format!("{}/{offset}", partition("7"));
    bus.taken(&[(&at(0), now - 8 * 24 * HOUR_MS), (&at(1), now - HOUR_MS)]);
    settle(&bus, &upstream).await;
    let outcomes = bus.outcomes();
    assert_eq!((&*outcomes["old"][0], &*outcomes["young"][0]), ("UNKNOWN", "APPLIED"));
    assert_eq!(upstream.effects(), ["young"]);
}
