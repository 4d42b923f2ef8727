//! What all faults share: a Prometheus that evaluates the shipped rules, and who looks at it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use talon_brokers::Prometheus;

use crate::rules::faster;
use crate::support;

/// How often Prometheus asks and evaluates in production.
const SCRAPE: Duration = Duration::from_secs(15);

/// How often the alerts are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// An alert that fires, of one fault's processes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Firing {
    pub(crate) job: String,
    pub(crate) alert: String,
    /// What it tells the engineer.
    pub(crate) summary: String,
}

/// What fires now, and what has ever.
#[derive(Default)]
struct Seen {
    now: BTreeSet<Firing>,
    ever: BTreeMap<Firing, Instant>,
}

/// The Prometheus of all faults.
pub(crate) struct Stage {
    seen: Arc<Mutex<Seen>>,
    ended: Arc<AtomicBool>,
    targets: tempfile::TempDir,
    prometheus: Arc<Prometheus>,
}

impl Stage {
    /// `None` where the test is skipped.
    pub(crate) fn start(test: &str, factor: u32) -> Option<Stage> {
        let targets = tempfile::tempdir().unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../helm/talon/files/rules.yaml");
        let rules = std::fs::read_to_string(path).unwrap();
        let file = targets.path().join("rules.yaml");
        std::fs::write(&file, faster(&rules, factor)).unwrap();
        let every = (SCRAPE / factor).as_millis();
        let configuration = json!({
            "global": {
                "scrape_interval": format!("{every}ms"),
                "scrape_timeout": format!("{every}ms"),
                "evaluation_interval": format!("{every}ms"),
            },
            "rule_files": [file],
            "scrape_configs": [{
                "job_name": "talon",
                "file_sd_configs": [{
                    "files": [targets.path().join("*.json")],
                    "refresh_interval": "1s",
                }],
            }],
        });
        let prometheus = Arc::new(Prometheus::start(test, &configuration.to_string())?);
        let (seen, ended) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let (looked, until, of_thread) = (seen.clone(), ended.clone(), prometheus.clone());
        std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                if let Some(now) = firing(&of_thread) {
                    let mut seen = looked.lock().unwrap();
                    for one in &now {
                        seen.ever.entry(one.clone()).or_insert_with(Instant::now);
                    }
                    seen.now = now;
                }
                std::thread::sleep(LOOK);
            }
        });
        Some(Stage { seen, ended, targets, prometheus })
    }

    /// From now on these are the processes of a fault: the name of the instance, and its address.
    pub(crate) fn expose(&self, job: &str, processes: &[(String, String)]) {
        let targets: Vec<Value> = processes
            .iter()
            .map(|(instance, address)| {
                json!({"targets": [address], "labels": {"job": job, "instance": instance}})
            })
            .collect();
        let next = self.targets.path().join(format!("{job}.next"));
        std::fs::write(&next, Value::from(targets).to_string()).unwrap();
        std::fs::rename(next, self.targets.path().join(format!("{job}.json"))).unwrap();
    }

    /// The alerts of a job that fire now.
    pub(crate) fn firing(&self, job: &str) -> Vec<Firing> {
        let seen = self.seen.lock().unwrap();
        seen.now.iter().filter(|one| one.job == job).cloned().collect()
    }

    /// All alerts of a job that have fired since then.
    pub(crate) fn fired(&self, job: &str, since: Instant) -> Vec<(Firing, Duration)> {
        let seen = self.seen.lock().unwrap();
        let of_job = seen.ever.iter().filter(|(one, at)| one.job == job && **at >= since);
        of_job.map(|(one, at)| (one.clone(), at.duration_since(since))).collect()
    }

    /// Waits until Prometheus has asked a job's processes so often.
    pub(crate) async fn scraped(&self, job: &str, times: usize) {
        let query = format!("min(count_over_time(up{{job=\"{job}\"}}[1h]))");
        // For one after the other: some take minutes together, and each comes in its time.
        for times in 1..=times {
            support::until("the processes are scraped", async || {
                let said = tokio::task::block_in_place(|| self.prometheus.query(&query));
                let answer: Value = serde_json::from_str(&said.unwrap()).unwrap();
                let count = answer["data"]["result"][0]["value"][1].as_str();
                count.and_then(|text| text.parse::<usize>().ok()).is_some_and(|seen| seen >= times)
            })
            .await;
        }
    }
}

impl Stage {
    /// Waits until Prometheus does not ask a process any more.
    pub(crate) async fn forgotten(&self, job: &str, instance: &str) {
        let query = format!("up{{job=\"{job}\",instance=\"{instance}\"}}");
        support::until("a process is forgotten", async || {
            let said = tokio::task::block_in_place(|| self.prometheus.query(&query));
            let answer: Value = serde_json::from_str(&said.unwrap()).unwrap();
            answer["data"]["result"].as_array().is_some_and(Vec::is_empty)
        })
        .await;
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn firing(prometheus: &Prometheus) -> Option<BTreeSet<Firing>> {
    let said: Value = serde_json::from_str(&prometheus.get("/api/v1/alerts").ok()?).ok()?;
    let alerts = said["data"]["alerts"].as_array()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let firing = alerts.iter().filter(|alert| alert["state"] == "firing").map(|alert| Firing {
        job: text(&alert["labels"]["job"]),
        alert: text(&alert["labels"]["alertname"]),
        summary: text(&alert["annotations"]["summary"]),
    });
    Some(firing.collect())
}
