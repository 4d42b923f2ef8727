//! Each of the faults that an engineer is told of within a minute, by an alert that names it; and a quiet day,
//! on which nobody is told of anything. Real brokers, a real Prometheus with the rules that ship.
//!
//! In CI a few of the faults, twice as fast, and a minute of that day; all of them by hand:
//!
//! ```text
//! TALON_ALERTS=whole TALON_ALERTS_FACTOR=1 cargo test -p talon --test alerts -- --nocapture whole
//! ```
//!
//! which writes `RESULTS.md`.
#![allow(clippy::unwrap_used)]

#[path = "../../connectors/http/tests/http/authority.rs"]
#[allow(dead_code)]
mod authority;
mod bus;
mod commands;
mod fault;
mod group;
mod process;
mod quiet;
mod quota;
#[path = "../../bridge/kafka/tests/support/reassign.rs"]
mod reassignment;
#[path = "../../bridge/kafka/tests/support/rights.rs"]
#[allow(dead_code)]
mod rights;
mod rules;
mod site;
mod stage;
#[path = "../scenarios/support/mod.rs"]
mod support;
mod table;
mod upstream;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;

use fault::{Fault, Row, Watch, live_through};
use stage::Stage;
use support::On;

/// How much faster Prometheus is in CI, where faults are concerned.
const FACTOR: u32 = 2;

/// So long an engineer may be left in the dark.
const LIMIT: Duration = Duration::from_secs(60);

/// Those of CI: one of each kind.
const SHORT: [&str; 5] = [
    "upstream refuses credentials",
    "quota used up",
    "one scope stuck",
    "stream full",
    "command UNKNOWN",
];

/// The faults that are meant; `None` where the test is skipped.
async fn faults(
    test: &str,
    (nats, kafka): (&str, &str),
    is_meant: impl Fn(&str) -> bool,
) -> Option<Vec<Box<dyn Fault>>> {
    let mut all = upstream::all(nats).await;
    all.extend(commands::all(nats).await);
    all.push(Box::new(quota::QuotaUsedUp::new(nats).await));
    all.push(Box::new(quota::ScopeStuck::new(nats).await));
    all.push(Box::new(process::TlsExpired::new(nats).await));
    match process::MemoryNearLimit::new(nats).await {
        Some(fault) => all.push(Box::new(fault)),
        None => eprintln!("no control group can be made here: memory near its limit is left out"),
    }
    all.push(bus::Bus::full(nats).await);
    all.push(Box::new(group::NobodyOwns::new(kafka).await));
    all.push(Box::new(group::TwoGroups::new(kafka).await));
    all.push(Box::new(group::EndlessRecovery::new(kafka).await));
    all.retain(|fault| is_meant(fault.name()));
    // Each of these has brokers of its own.
    if is_meant("schema refused") {
        all.push(bus::Bus::schema_refused(test, nats).await?);
    }
    if is_meant("registry down") {
        all.push(bus::Bus::registry_down(test, nats).await?);
    }
    if is_meant("broker down") {
        all.push(bus::Bus::broker_down(test).await?);
    }
    if is_meant("a partition without leader") {
        all.push(bus::Bus::no_leader(test).await?);
    }
    if is_meant("the coordinator of groups without leader") {
        all.push(bus::Bus::no_coordinator(test).await?);
    }
    if is_meant("transactions refused") {
        all.push(bus::Bus::no_transactions(test).await?);
    }
    Some(all)
}

/// Some faults at once, each with processes of its own.
async fn together(faults: Vec<Box<dyn Fault>>, stage: &Arc<Stage>, watch: Watch) -> Vec<Row> {
    let lived = faults.into_iter().map(|fault| {
        let unseen = Row::unseen(fault.name(), fault.alert());
        // The others are of use where one cannot be brought in.
        let lived = AssertUnwindSafe(live_through(fault, stage, watch)).catch_unwind();
        lived.map(|row| row.unwrap_or(unseen))
    });
    join_all(lived).await
}

fn is_meant(name: &str, only: Option<&str>) -> bool {
    only.is_none_or(|only| only.split(',').any(|one| name.contains(one)))
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_told_by_the_alert_that_names_them_and_a_quiet_day_by_none() {
    let test = "alerts";
    let Some(nats) = On::Nats.shared(test) else { return };
    let started = tokio::task::block_in_place(|| Stage::start(test, FACTOR));
    let Some(stage) = started.map(Arc::new) else { return };
    // A start takes as long as ever, and is a part of the quiet day: nothing of that is shortened.
    let as_shipped = tokio::task::block_in_place(|| Stage::start(test, 1));
    let Some(as_shipped) = as_shipped.map(Arc::new) else { return };
    let is_short = |name: &str| SHORT.contains(&name);
    let Some(some) = faults(test, (nats, "none"), is_short).await else { return };
    assert_eq!(some.len(), SHORT.len());
    let (rows, fired) = tokio::join!(
        together(some, &stage, Watch::short()),
        quiet::day(&as_shipped, nats, Duration::from_secs(60)),
    );
    println!("{}", table::table(&rows));
    for row in &rows {
        assert!(row.seen.is_some(), "`{}` is not told by {}", row.fault, row.alert);
        assert!(row.before.is_empty(), "`{}`: {:?} before it", row.fault, row.before);
    }
    assert!(fired.is_empty(), "on a quiet day: {fired:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whole() {
    if std::env::var("TALON_ALERTS").as_deref() != Ok("whole") {
        return;
    }
    let number = |name: &str, usual: u32| {
        std::env::var(name).ok().map_or(usual, |text| text.parse().unwrap())
    };
    let factor = number("TALON_ALERTS_FACTOR", 1);
    let only = std::env::var("TALON_ALERTS_ONLY").ok();
    let test = "alerts_whole";
    let (Some(nats), Some(kafka)) = (On::Nats.shared(test), On::Kafka.shared(test)) else { return };
    let started = tokio::task::block_in_place(|| Stage::start(test, factor));
    let Some(stage) = started.map(Arc::new) else { return };
    let is_wanted = |name: &str| is_meant(name, only.as_deref());
    let Some(all) = faults(test, (nats, kafka), is_wanted).await else { return };
    let watch = Watch {
        scrapes: usize::try_from(number("TALON_ALERTS_SCRAPES", 8)).unwrap(),
        stays: LIMIT + Duration::from_secs(15),
        limit: LIMIT * 3,
        clears: Duration::from_secs(number("TALON_ALERTS_CLEAR_SECONDS", 90).into()),
    };
    let lasts = Duration::from_secs(number("TALON_ALERTS_QUIET_SECONDS", 600).into());
    // All at once, two processors would be the fault.
    let at_once = usize::try_from(number("TALON_ALERTS_AT_ONCE", 6)).unwrap();
    let (mut rows, mut waiting) = (Vec::new(), all.into_iter());
    loop {
        let some: Vec<_> = waiting.by_ref().take(at_once).collect();
        if some.is_empty() {
            break;
        }
        rows.extend(together(some, &stage, watch).await);
    }
    let quiet = match is_wanted("quiet day") {
        // A start takes as long as ever, and is a part of that day: nothing is shortened.
        true => {
            let Some(stage) = tokio::task::block_in_place(|| Stage::start(test, 1)) else { return };
            let stage = Arc::new(stage);
            let (nats, kafka) =
                tokio::join!(quiet::day(&stage, nats, lasts), quiet::day(&stage, kafka, lasts));
            Some([nats, kafka])
        }
        false => None,
    };
    let report = table::report(factor, &rows, lasts, quiet.as_ref());
    println!("{report}");
    if only.is_none() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/alerts/RESULTS.md");
        std::fs::write(path, &report).unwrap();
    }
    let late: Vec<&str> = rows
        .iter()
        .filter(|row| row.seen.is_none_or(|seen| seen > LIMIT) || !row.before.is_empty())
        .map(|row| row.fault)
        .collect();
    assert_eq!(late, [""; 0], "not told within a minute, or something fired before");
    for fired in quiet.into_iter().flatten() {
        assert!(fired.is_empty(), "on a quiet day: {fired:?}");
    }
}
