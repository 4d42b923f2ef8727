//! The store in memory keeps what every store promises.
#![allow(clippy::unwrap_used)]

mod contract;

use std::sync::Arc;

use talon_runtime::bus::{MemoryStore, Store};

/// Inside a runtime, with what opens one store again and again.
fn with_store(test: impl FnOnce(&contract::Open<'_>)) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap();
    let _inside = runtime.enter();
    let store = MemoryStore::default();
    test(&|| Arc::new(store.clone()) as Arc<dyn Store>);
}

#[test]
fn a_follower_is_told_what_is_there_then_each_change() {
    with_store(contract::a_follower_is_told_what_is_there_then_each_change);
}

#[test]
fn only_what_is_expected_is_written_over() {
    with_store(contract::only_what_is_expected_is_written_over);
}

#[test]
fn every_text_is_a_key() {
    with_store(contract::every_text_is_a_key);
}

#[test]
fn increments_by_many_writers_are_all_counted() {
    with_store(|open| {
        contract::increments_by_many_writers_are_all_counted(open, (8, 2_000), || ())
    });
}

#[test]
fn every_follower_sees_the_same_in_the_end() {
    with_store(|open| contract::every_follower_sees_the_same_in_the_end(open, || ()));
}
