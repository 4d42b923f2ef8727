//! A real Prometheus that scrapes a real process with the shipped rules.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use talon_brokers::{Prometheus, unique};
use talon_simulators::contractor::{Simulator, UserSeed};
use talon_simulators::enter_export;

use crate::support::{self, On, TOKEN, Talon, connect, until};
use crate::{dashboards, read, root, selections, texts};

/// What a process shows only where something else than this test is the case.
const ELSEWHERE: [(&str, &str); 6] = [
    ("talon_log_lines_dropped_total", "nobody reads its log"),
    ("talon_recovery_idle_seconds", "a connector is being opened"),
    ("talon_memory_limit_bytes", "its control group has a limit of memory"),
    ("talon_upstream_quota_left", "a connector reads under a quota"),
    ("talon_upstream_quota_limit", "a connector reads under a quota"),
    ("talon_upstream_quota_refused", "a connector reads under a quota"),
];

/// Panels that have nothing to show while all is well.
const QUIET: [&str; 2] =
    ["What does not work, and why", "Requests to the upstream that fail, by code"];

fn configuration(prefix: &str, address: &str, field: &str, hall: &str) -> BTreeMap<String, String> {
    let mut texts = support::process(prefix, address);
    let from = (jiff::Zoned::now() - jiff::Span::new().days(3)).date().to_string();
    let field = [
        ("class", "contractor"),
        ("upstream.url", field),
        ("auth.external.token", TOKEN),
        ("auth.user.name", "bot"),
        ("auth.user.password", "bot-пароль"),
    ];
    let hall = [("class", "enter-export"), ("upstream.url", hall), ("backfill.from", &from)];
    connect(&mut texts, "field", &field);
    connect(&mut texts, "hall", &hall);
    texts
}

fn scraping(target: &str) -> String {
    let rules = root().canonicalize().unwrap().join("helm/talon/files/rules.yaml");
    format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
         rule_files: [{}]\n\
         scrape_configs:\n  - job_name: talon\n    static_configs: [{{targets: [\"{target}\"]}}]\n",
        serde_json::json!(rules)
    )
}

/// How many series a query gives, or what is wrong with it.
fn count(prometheus: &Prometheus, query: &str) -> Result<usize, String> {
    let said = prometheus.query(query).map_err(|error| error.to_string())?;
    let answer: Value = serde_json::from_str(&said).map_err(|error| error.to_string())?;
    match answer["data"]["result"].as_array() {
        Some(series) if answer["status"] == "success" => Ok(series.len()),
        _ => Err(said),
    }
}

/// Queries as Grafana sends them, with everything chosen.
fn asked(query: &str) -> String {
    let mut query = query.replace("$__rate_interval", "15s");
    for variable in ["$job", "$connector", "$feed"] {
        query = query.replace(variable, ".*");
    }
    query
}

/// The panels of both dashboards: title and query.
fn queries() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (file, dashboard) in dashboards() {
        for panel in dashboard["panels"].as_array().into_iter().flatten() {
            let title = panel["title"].as_str().unwrap_or(&file);
            for target in panel["targets"].as_array().into_iter().flatten() {
                found.push((title.to_owned(), asked(target["expr"].as_str().unwrap())));
            }
        }
    }
    assert!(found.len() > 30, "{} queries", found.len());
    found
}

/// The names of metrics in the rules and in the dashboards.
fn names() -> BTreeSet<String> {
    let mut found = vec![read("helm/talon/files/rules.yaml")];
    dashboards().iter().for_each(|(_, dashboard)| texts(dashboard, &mut found));
    found.iter().flat_map(|text| selections(text)).map(|(name, _)| name).collect()
}

/// What lacks series, and why a query is refused.
fn missing(prometheus: &Prometheus) -> Vec<String> {
    let mut missing = Vec::new();
    for name in names() {
        if ELSEWHERE.iter().any(|(other, _)| *other == name) {
            continue;
        }
        match count(prometheus, &name) {
            Ok(0) => missing.push(name),
            Ok(_) => {}
            Err(said) => missing.push(format!("{name}: {said}")),
        }
    }
    for (title, query) in queries() {
        match count(prometheus, &query) {
            Ok(0) if QUIET.contains(&title.as_str()) => {}
            Ok(0) if ELSEWHERE.iter().any(|(name, _)| query.contains(name)) => {}
            Ok(0) => missing.push(format!("{title}: {query}")),
            Ok(_) => {}
            Err(said) => missing.push(format!("{title}: {said}")),
        }
    }
    missing
}

/// Rules that Prometheus could not evaluate, and what it says of them.
fn unwell(prometheus: &Prometheus) -> Vec<String> {
    let rules: Value = serde_json::from_str(&prometheus.get("/api/v1/rules").unwrap()).unwrap();
    let groups = rules["data"]["groups"].as_array().unwrap();
    let rules: Vec<&Value> =
        groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(rules.len() > 25, "{} rules are loaded", rules.len());
    rules.into_iter().filter(|rule| rule["health"] != "ok").map(ToString::to_string).collect()
}

fn send(file: &std::path::Path) {
    let parameters = ["call_id=1001", "message=hello", "--wait"];
    let sent = support::program()
        .args(["send", "--config"])
        .arg(file)
        .args(["field", "SendMessage"])
        .args(parameters)
        .output()
        .unwrap();
    assert!(sent.status.code().is_some_and(|code| code < 2), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_that_scrapes_a_process_finds_all_that_rules_and_dashboards_name() {
    let test = "a_prometheus_that_scrapes_a_process";
    let Some(address) = On::Nats.shared(test) else { return };
    let bot = vec![UserSeed::named("bot")];
    let settings = talon_simulators::contractor::Settings {
        users: bot,
        edits_per_second: 20.0,
        ..support::settings(60, 17)
    };
    let field = Simulator::start(settings).await.unwrap();
    let hall = enter_export::Simulator::start(enter_export::Settings::default()).await.unwrap();
    let texts = configuration(&unique("scraped"), address, &field.url(), &hall.url());
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    let target = talon.url().await.replace("http://", "");
    let started = tokio::task::block_in_place(|| Prometheus::start(test, &scraping(&target)));
    let Some(prometheus) = started else { return };
    let file = support::write(&texts);
    let mut last = Vec::new();
    until("everything that is named is there", async || {
        tokio::task::block_in_place(|| {
            // Again and again, since a rate wants commands of its own time.
            send(file.path());
            let now = missing(&prometheus);
            if now != last {
                eprintln!("not yet: {now:#?}");
                last = now;
            }
        });
        last.is_empty()
    })
    .await;
    assert_eq!(count(&prometheus, "up == 1"), Ok(1));
    assert_eq!(unwell(&prometheus), Vec::<String>::new());
    let (_, scraped) = talon.get("/metrics").await;
    let Some(said) = Prometheus::complaints(test, &scraped) else { return };
    // It takes the days that are counted for a time that is measured.
    let wrong: Vec<&str> = said.lines().filter(|line| !line.contains("backfill_days")).collect();
    assert_eq!(wrong, [""; 0]);
}
