//! Programs that do all that Talon does and end badly: the checker catches each. A script runs Talon and
//! breaks the one promise.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use talon_brokers::Nats;
use talon_torture::broker::On;
use talon_torture::cast;
use talon_torture::check::{Finding, Property};
use talon_torture::scenario::History;
use talon_torture::world::{self, Plan, Times, WhichRegistry};

const LENGTH: Duration = Duration::from_secs(8);
const SEED: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_ends_in_order_has_no_finding() {
    let Some(found) = findings("in_order", r#"exec "$talon" "$@""#).await else { return };
    assert_eq!(found, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_fails_when_asked_to_stop_is_caught() {
    let script = r#"
        "$talon" "$@" &
        trap 'kill -s TERM $!; wait $!; exit 3' TERM
        wait $!"#;
    caught("fails", script, "asked to stop in peace, it ended with 3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_ends_unasked_is_caught() {
    // Once: the next one is to last.
    let script = r#"
        if mkdir "$0.once" 2>/dev/null; then
            (sleep 5; kill -s KILL $$) >/dev/null 2>&1 &
        fi
        exec "$talon" "$@""#;
    caught("unasked", script, "it ended by itself: signal: 9 (SIGKILL)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_whose_thread_panics_is_caught() {
    let script = r#"
        echo "thread 'feed' panicked at feed.rs:1:1:" >&2
        exec "$talon" "$@""#;
    caught("panics", script, "thread 'feed' panicked at feed.rs:1:1:").await;
}

async fn caught(test: &str, script: &str, text: &str) {
    let Some(found) = findings(test, script).await else { return };
    let text = format!("process 0: {text}");
    assert_eq!(found, [Finding { property: Property::EndsInOrder, text }]);
}

/// What is found where nothing goes wrong but what the script does. `None` where there is no broker.
async fn findings(test: &str, script: &str) -> Option<Vec<Finding>> {
    tokio::task::block_in_place(|| Nats::shared(test))?;
    let place = tempfile::tempdir().unwrap();
    let program = place.path().join("talon");
    let talon = talon();
    std::fs::write(&program, format!("#!/bin/sh\ntalon='{}'\n{script}\n", talon.display()))
        .unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
    let plan = Plan {
        connectors: cast::alone("contractor", SEED, 10.0),
        on: On::Nats,
        processes: 1,
        length: LENGTH,
        registry: WhichRegistry::None,
        over_rest: false,
        small_disk: false,
        times: Times::Short,
        program,
        next_program: None,
    };
    let history = History::default();
    Some(world::run(&plan, &history).await.unwrap().findings)
}

/// The program as built beside this test.
fn talon() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let talon = test.parent().and_then(Path::parent).unwrap().join("talon");
    assert!(talon.exists(), "no `{}`: `cargo build -p talon` first", talon.display());
    talon
}
