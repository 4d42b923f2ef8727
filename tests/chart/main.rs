//! Rules and dashboards name metrics and labels that Talon has, and nothing else; all of them are there in a
//! real Prometheus; and the chart has recipes for what there is.
#![allow(clippy::unwrap_used)]

mod live;
mod recipes;
#[path = "../scenarios/support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Labels that Prometheus or its operator gives to every series.
const OF_THE_SCRAPE: [&str; 3] = ["job", "instance", "namespace"];

/// What Prometheus' clients have of their process, on Linux.
const OF_THE_PROCESS: [&str; 7] = [
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
    "process_virtual_memory_bytes",
];

#[derive(Debug)]
struct Metric {
    is_histogram: bool,
    labels: BTreeSet<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metrics that the contract pins, with the labels that their registration names.
fn metrics() -> BTreeMap<String, Metric> {
    let of_runtime =
        ["", "/commands", "/components", "/feeds", "/process", "/recovery", "/relays", "/shards"]
            .map(|file| format!("bridge/runtime/src/service/metrics{file}.rs"));
    let of_sdk =
        ["metrics", "progress", "quota/shown"].map(|file| format!("connectors/sdk/src/{file}.rs"));
    let sources: Vec<String> = of_runtime.iter().chain(&of_sdk).map(|path| read(path)).collect();
    let pinned = read("bridge/runtime/src/service/metrics/tests.rs");
    let lines = pinned.lines().filter_map(|line| line.trim().strip_prefix("\"talon_"));
    let metrics: BTreeMap<String, Metric> = lines
        .filter_map(|line| line.strip_suffix("\",")?.split_once(' '))
        .map(|(name, kind)| {
            let name = format!("talon_{name}");
            let labels = sources.iter().find_map(|source| labels_of(source, &name));
            let labels = labels.unwrap_or_else(|| panic!("`{name}` is registered nowhere"));
            (name, Metric { is_histogram: kind == "histogram", labels })
        })
        .collect();
    assert!(metrics.len() > 20, "{} metrics are pinned", metrics.len());
    let of_process = OF_THE_PROCESS
        .map(|name| (name.to_owned(), Metric { is_histogram: false, labels: BTreeSet::new() }));
    metrics.into_iter().chain(of_process).collect()
}

/// The labels behind a metric's name, or in front of it where a closure names them.
fn labels_of(source: &str, name: &str) -> Option<BTreeSet<String>> {
    let behind = &source[source.find(&format!("\"{name}\""))?..];
    let own = behind[1..].split("\"talon_").next()?;
    if own.contains("&[],") {
        return Some(BTreeSet::new());
    }
    let list = own.split_once("&[\"").or_else(|| source.split_once("&[\""))?.1;
    let list = list.split_once(']')?.0;
    Some(list.split('"').step_by(2).map(str::to_owned).collect())
}

/// All texts of a JSON value.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(map) => map.values().for_each(|item| texts(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Names in a text that may be metrics, each with the labels that it is selected by.
fn selections(text: &str) -> Vec<(String, Vec<String>)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(start) = rest.find(is_name) {
        let end = rest[start..].find(|c| !is_name(c)).map_or(rest.len(), |end| start + end);
        let (name, behind) = (&rest[start..end], &rest[end..]);
        if name.contains("talon_") || name.starts_with("process_") {
            let selector = behind.strip_prefix('{').and_then(|behind| behind.split_once('}'));
            let labels = selector.map(|(selector, _)| labels_in(selector)).unwrap_or_default();
            found.push((name.to_owned(), labels));
        }
        rest = behind;
    }
    found
}

/// The labels in front of the values of a selector; what is quoted is a value.
fn labels_in(selector: &str) -> Vec<String> {
    let outside = selector.split('"').step_by(2);
    outside
        .map(|part| {
            part.trim_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).to_owned()
        })
        .filter(|label| !label.is_empty())
        .collect()
}

/// What is wrong with the names in a text.
fn wrong(text: &str, metrics: &BTreeMap<String, Metric>, records: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, labels) in selections(text) {
        if name.contains(':') {
            if !records.contains(&name) {
                wrong.push(format!("`{name}` is recorded by no rule"));
            }
            continue;
        }
        let part = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        let of_histogram = part.and_then(|base| metrics.get(base)).filter(|base| base.is_histogram);
        match of_histogram.or_else(|| metrics.get(&name).filter(|metric| !metric.is_histogram)) {
            None => wrong.push(format!("`{name}` is no metric of Talon")),
            Some(metric) => wrong.extend(
                labels
                    .iter()
                    .filter(|label| !metric.labels.contains(*label))
                    .filter(|label| !OF_THE_SCRAPE.contains(&label.as_str()))
                    .map(|label| format!("`{name}` has no label `{label}`")),
            ),
        }
    }
    wrong
}

fn records() -> Vec<String> {
    let rules = read("helm/talon/files/rules.yaml");
    let records = rules.lines().filter_map(|line| line.trim().strip_prefix("- record: "));
    records.map(str::to_owned).collect()
}

fn dashboards() -> Vec<(String, Value)> {
    let folder = root().join("helm/talon/files/dashboards");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let dashboards: Vec<_> = files
        .map(|path| {
            let value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            (path.file_name().unwrap().to_string_lossy().into_owned(), value)
        })
        .collect();
    assert_eq!(dashboards.len(), 2);
    dashboards
}

#[test]
fn every_metric_and_label_in_the_rules_is_one_of_talon() {
    let rules = read("helm/talon/files/rules.yaml");
    let rules: String =
        rules.lines().filter(|line| !line.trim().starts_with('#')).collect::<Vec<_>>().join("\n");
    assert_eq!(wrong(&rules, &metrics(), &records()), Vec::<String>::new());
}

#[test]
fn every_metric_and_label_in_the_dashboards_is_one_of_talon() {
    let (metrics, records) = (metrics(), records());
    for (file, dashboard) in dashboards() {
        let mut found = Vec::new();
        texts(&dashboard, &mut found);
        let wrong: Vec<String> =
            found.iter().flat_map(|text| wrong(text, &metrics, &records)).collect();
        assert_eq!(wrong, Vec::<String>::new(), "{file}");
    }
}

#[test]
fn rules_and_dashboards_name_no_bound_of_a_bucket() {
    let mut found = vec![read("helm/talon/files/rules.yaml")];
    dashboards().iter().for_each(|(_, dashboard)| texts(dashboard, &mut found));
    let bounds = found
        .iter()
        .flat_map(|text| selections(text))
        .filter(|(_, labels)| labels.contains(&"le".to_owned()));
    assert_eq!(bounds.count(), 0);
}

#[test]
fn dashboards_are_classic_and_made_for_connectors_and_feeds() {
    for (file, dashboard) in dashboards() {
        assert!(dashboard["schemaVersion"].is_u64(), "{file}");
        assert!(dashboard["apiVersion"].is_null() && dashboard["spec"].is_null(), "{file}");
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        let has = |name: &str| variables.iter().any(|variable| variable["name"] == name);
        assert!(has("datasource") && has("connector"), "{file}");
        assert_eq!(has("feed"), file == "freshness.json", "{file}");
        let panels = dashboard["panels"].as_array().unwrap();
        let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{file}: a panel's id is there twice");
        assert_eq!(covered(panels), Ok(()), "{file}");
    }
}

/// Panels lie within the 24 columns of a page, and none on another.
fn covered(panels: &[Value]) -> Result<(), String> {
    let mut taken = BTreeSet::new();
    for panel in panels {
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        let (left, top) = (side("x"), side("y"));
        for (x, y) in
            (left..left + side("w")).flat_map(|x| (top..top + side("h")).map(move |y| (x, y)))
        {
            if x >= 24 || !taken.insert((x, y)) {
                return Err(format!("{} at {x}, {y}", panel["title"]));
            }
        }
    }
    Ok(())
}

#[test]
fn a_name_or_label_that_is_not_there_is_found() {
    let metrics = metrics();
    let wrong = |text: &str| wrong(text, &metrics, &["a:talon_b:c".to_owned()]);
    assert_eq!(wrong("rate(talon_changes_total{connector=\"a\",op=~\"c|d\"}[5m])"), [""; 0]);
    assert_eq!(wrong("a:talon_b:c + talon_feed_lag_seconds_bucket"), [""; 0]);
    assert_eq!(wrong("talon_change_total"), ["`talon_change_total` is no metric of Talon"]);
    assert_eq!(wrong("talon_feed_lag_seconds"), ["`talon_feed_lag_seconds` is no metric of Talon"]);
    assert_eq!(
        wrong("talon_changes_total{feeds=\"a\"}"),
        ["`talon_changes_total` has no label `feeds`"]
    );
    assert_eq!(
        wrong("talon_backfill_days{feed=\"a\"}"),
        ["`talon_backfill_days` has no label `feed`"]
    );
    assert_eq!(wrong("a:talon_b:d"), ["`a:talon_b:d` is recorded by no rule"]);
    assert_eq!(wrong("process_open_fds"), [""; 0]);
    assert_eq!(wrong("process_files"), ["`process_files` is no metric of Talon"]);
}
