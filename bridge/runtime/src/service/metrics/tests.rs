use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use talon_schemas::Op;
use talon_sdk::{Coverage, Observation, Rows};

use super::*;
use crate::commands::{LaneMetrics, Outcome};

#[test]
fn metric_names_do_not_change_by_accident() {
    let metrics = Metrics::new().unwrap();
    let feed = metrics.feed("c", "f", Duration::from_secs(5), &Clock::System);
    let mut tally = feed.tally();
    tally.change(Op::Update, 5);
    tally.dead_letter(Stage::Decode);
    feed.count(&mut tally);
    feed.observation("ok");
    feed.settled(&observation("", Coverage::Full, 0), 1, 0);
    feed.refresh(0);
    metrics.published("c", Duration::ZERO);
    metrics.recovered("c", Duration::ZERO);
    metrics.owned("c", true);
    metrics.fenced("c", 0);
    let _recovery = metrics.recovering("c");
    metrics.component("bus", "up", Some(true));
    metrics.log_dropped.with_label_values(&["full"]).inc();
    metrics.upstream.requests.with_label_values(&["c", "200"]).inc();
    metrics.upstream.duration.with_label_values(&["c"]).observe(0.0);
    metrics.upstream.budget_wait.with_label_values(&["c"]).observe(0.0);
    let lane = LaneMetrics::new("c", &metrics);
    lane.behind(Some(0));
    lane.settled("SetCallStatus", Outcome::Applied, Duration::ZERO);
    lane.refresh(0);
    metrics.relays.count("r", "carried", 1);
    metrics.relays.show_lag("r", "t/0", 1, 1);
    metrics.relays.show_freshness("r", "0", Some(0.0));
    metrics.process.show(Some(1));
    let (name, metrics_of) = ("c".to_owned(), metrics.upstream.clone());
    let context = talon_sdk::Context { name, clock: Clock::System, metrics: metrics_of };
    context.progress().begin(2, 1);
    let left = talon_sdk::Left { left: 1, limit: 2, next_ms: 0, is_refused: false };
    let _shown = context.metrics.quotas.show("c", "Read", move || left);
    let text = TextEncoder::new().encode_to_string(&metrics.registry.gather()).unwrap();
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names: Vec<&str> = names.filter(|name| name.starts_with("talon_")).collect();
    assert_eq!(
        names,
        [
            "talon_backfill_days gauge",
            "talon_backfill_days_done gauge",
            "talon_build_info gauge",
            "talon_changes_total counter",
            "talon_command_duration_seconds histogram",
            "talon_command_idle_seconds gauge",
            "talon_command_lag_records gauge",
            "talon_command_oldest_seconds gauge",
            "talon_commands_total counter",
            "talon_component_state gauge",
            "talon_component_up gauge",
            "talon_dead_letters_total counter",
            "talon_feed_entities gauge",
            "talon_feed_freshness_seconds gauge",
            "talon_feed_interval_seconds gauge",
            "talon_feed_lag_seconds histogram",
            "talon_feed_withheld_deletes gauge",
            "talon_gap_changes_total counter",
            "talon_log_lines_dropped_total counter",
            "talon_memory_limit_bytes gauge",
            "talon_memory_lost_total counter",
            "talon_observations_total counter",
            "talon_oversize_total counter",
            "talon_publish_duration_seconds histogram",
            "talon_recovery_idle_seconds gauge",
            "talon_recovery_seconds gauge",
            "talon_relay_freshness_seconds gauge",
            "talon_relay_lag_records gauge",
            "talon_relay_lag_seconds gauge",
            "talon_relay_records_total counter",
            "talon_shard_fenced_total counter",
            "talon_shard_owned gauge",
            "talon_upstream_budget_wait_seconds histogram",
            "talon_upstream_quota_left gauge",
            "talon_upstream_quota_limit gauge",
            "talon_upstream_quota_refused gauge",
            "talon_upstream_request_duration_seconds histogram",
            "talon_upstream_requests_total counter",
        ]
    );
}

fn observation(scope: &str, coverage: Coverage, as_of_ms: i64) -> Observation {
    let (scope, rows) = (scope.to_owned(), Rows::default());
    Observation { scope, coverage, rows, cursor: None, snapshot: false, as_of_ms }
}

fn series(metrics: &Metrics, name: &str) -> Option<String> {
    let text = metrics.text();
    let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")))?;
    line.split(' ').next_back().map(str::to_owned)
}

#[test]
fn freshness_grows_while_nothing_happens() {
    let metrics = Metrics::new().unwrap();
    let clock = Clock::Manual(Arc::new(AtomicI64::new(5_000)));
    let feed = metrics.feed("c", "f", Duration::from_secs(5), &clock);
    let fresh = |now_ms: i64| {
        feed.refresh(now_ms);
        series(&metrics, "talon_feed_freshness_seconds")
    };
    assert_eq!(fresh(12_000).unwrap(), "7");
    feed.settled(&observation("", Coverage::Full, 11_000), 0, 0);
    assert_eq!(fresh(12_500).unwrap(), "1.5");
    for coverage in [Coverage::Part(0), Coverage::Incomplete] {
        feed.settled(&observation("", coverage, 12_500), 0, 0);
    }
    assert_eq!(fresh(12_500).unwrap(), "1.5", "a part is not the whole");
}

#[test]
fn freshness_is_that_of_the_oldest_scope_and_goes_with_the_feed() {
    let metrics = Metrics::new().unwrap();
    let clock = Clock::Manual(Arc::new(AtomicI64::new(0)));
    let feed = metrics.feed("c", "f", Duration::from_secs(5), &clock);
    let fresh = |now_ms: i64| {
        feed.refresh(now_ms);
        series(&metrics, "talon_feed_freshness_seconds")
    };
    feed.follow(&["a".to_owned(), "b".to_owned()], 1_000);
    feed.settled(&observation("a", Coverage::Full, 600_000), 0, 0);
    assert_eq!(fresh(601_000).unwrap(), "600");
    let status = feed.status();
    assert_eq!(status.observed_ms, Some(600_000));
    assert_eq!(status.oldest, Some(OldestScope { scope: "b".to_owned(), at_ms: 1_000 }));
    // The group was lost and came back; nobody else has read it.
    feed.wake(700_000);
    assert_eq!(fresh(701_000).unwrap(), "700");
    feed.rest();
    assert_eq!((fresh(702_000), feed.status().oldest), (None, None));
    feed.wake(800_000);
    assert_eq!(fresh(801_000).unwrap(), "1");
}

#[test]
fn what_is_aborted_is_not_counted() {
    let metrics = Metrics::new().unwrap();
    let feed = metrics.feed("c", "f", Duration::from_secs(5), &Clock::System);
    let mut tally = feed.tally();
    tally.change(Op::Update, 5);
    tally.dead_letter(Stage::Publish);
    drop(tally);
    feed.count(&mut feed.tally());
    assert_eq!(series(&metrics, "talon_dead_letters_total").unwrap(), "0");
    assert_eq!(series(&metrics, "talon_feed_lag_seconds_count").unwrap(), "0");
}

#[test]
fn what_an_alert_waits_for_is_there_from_the_start_with_0() {
    let metrics = Metrics::new().unwrap();
    metrics.feed("c", "f", Duration::ZERO, &Clock::System);
    LaneMetrics::new("c", &metrics).expect(["SetCallStatus"]);
    for name in [
        r#"talon_changes_total{connector="c",feed="f",op="d"}"#,
        r#"talon_gap_changes_total{connector="c",feed="f"}"#,
        r#"talon_memory_lost_total{connector="c",feed="f"}"#,
        r#"talon_oversize_total{connector="c",feed="f",handling="dead-letter"}"#,
        r#"talon_dead_letters_total{connector="c",feed="f",stage="decode"}"#,
        r#"talon_dead_letters_total{connector="c",feed="f",stage="publish"}"#,
        r#"talon_dead_letters_total{connector="c",feed="commands",stage="command"}"#,
        r#"talon_commands_total{connector="c",outcome="UNKNOWN",type="SetCallStatus"}"#,
        r#"talon_commands_total{connector="c",outcome="FAILED",type="SetCallStatus"}"#,
        r#"talon_commands_total{connector="c",outcome="EXPIRED",type="SetCallStatus"}"#,
    ] {
        let text = metrics.text();
        assert!(text.lines().any(|line| line == format!("{name} 0")), "{name}: {text}");
    }
}

#[test]
fn a_feed_shows_its_interval_while_it_is_read_here_and_one_that_is_pushed_or_has_scopes_has_none() {
    let metrics = Metrics::new().unwrap();
    let polled = metrics.feed("c", "f", Duration::from_millis(1_500), &Clock::System);
    let pushed = metrics.feed("c", "g", Duration::ZERO, &Clock::System);
    polled.refresh(0);
    pushed.refresh(0);
    let text = metrics.text();
    let of = |feed: &str| format!("talon_feed_interval_seconds{{connector=\"c\",feed=\"{feed}\"}}");
    assert!(text.contains(&format!("{} 1.5", of("f"))) && !text.contains(&of("g")), "{text}");
    polled.follow(&["a".to_owned(), "b".to_owned()], 0);
    polled.refresh(0);
    assert!(!metrics.text().contains(&of("f")), "each of them takes its turn");
    polled.follow(&[], 0);
    polled.refresh(0);
    assert!(metrics.text().contains(&of("f")));
    polled.rest();
    assert!(!metrics.text().contains(&of("f")));
}

#[test]
#[cfg(target_os = "linux")]
fn the_process_shows_what_other_processes_show_of_themselves() {
    let text = Metrics::new().unwrap().text();
    for name in [
        "process_cpu_seconds_total",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
    ] {
        assert!(text.contains(&format!("\n{name} ")), "{name}: {text}");
    }
}
