//! The shard goes to another process while commands are at work.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::memory::Memory;
use crate::upstream::{Next, Upstream};
use crate::{put, start, until};

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_a_shard_is_free_only_when_its_commands_have_ended() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "slow", "Add", 7);
    put(&bus, "behind", "Add", 7);
    upstream.plan("slow", [Next::WaitAtGate]);
    let engine = start(&bus, &upstream, |_| {});
    until("it is being sent", || upstream.0.lock().unwrap().most == 1).await;
    let release = bus.ownership().grant(&BTreeSet::new());
    assert!(!release.is_done(), "its request is under way");
    upstream.0.lock().unwrap().gate.notify_one();
    until("it is let go", || release.is_done()).await;
    assert!(bus.outcomes().is_empty(), "what is not settled is the next owner's");
    assert_eq!(upstream.0.lock().unwrap().most, 1, "what waited behind it was not begun");
    assert!(engine.stop(Duration::from_secs(10)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_what_a_lost_grant_leaves_is_read_back_by_the_next_owner() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    put(&bus, "sent", "Add", 7);
    put(&bus, "waits", "Add", 7);
    upstream.plan("sent", [Next::Hang]);
    let engine = start(&bus, &upstream, |_| {});
    until("it is sent", || upstream.effects() == ["sent"]).await;
    // The process stood still, and the shard is another's.
    bus.ownership().withdraw();
    bus.ownership().grant(&BTreeSet::from(["upstream".to_owned()]));
    until("everything is settled", || bus.is_settled()).await;
    assert!(engine.stop(Duration::from_secs(10)).await);
    let outcomes = bus.outcomes();
    assert_eq!((&*outcomes["sent"][0], &*outcomes["waits"][0]), ("APPLIED", "APPLIED"));
    assert_eq!(upstream.effects(), ["sent", "waits"]);
    assert_eq!(bus.owners(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_comes_back_at_once_is_opened_anew() {
    let (bus, upstream) = (Memory::default(), Upstream::default());
    let engine = start(&bus, &upstream, |_| {});
    until("it is open", || bus.owners() == 1).await;
    let shard = BTreeSet::from(["upstream".to_owned()]);
    for turn in 2..6 {
        let release = bus.ownership().grant(&BTreeSet::new());
        bus.ownership().grant(&shard);
        until("it was let go", || release.is_done()).await;
        until("it is open again", || bus.owners() == turn).await;
    }
    put(&bus, "a", "Add", 7);
    until("everything is settled", || bus.is_settled()).await;
    assert!(engine.stop(Duration::from_secs(10)).await);
}
