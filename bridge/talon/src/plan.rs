//! `talon plan`: what the next observations would publish.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};
use talon_runtime::Setup;
use talon_runtime::plan::{PlanEnd, Planned, PlannedFeed, Planning, plan};
use talon_schemas::Op;
use talon_sdk::config::Secrets;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::end::End;
use crate::entity::{brief, decode, differences};
use crate::print::{err, out};
use crate::run::{complain, read, registry};

/// How long a connector may take its leave.
const FAREWELL: Duration = Duration::from_secs(5);

/// What `talon plan` is told.
#[derive(Args)]
pub(crate) struct Plan {
    /// The YAML file of the configuration
    #[arg(long)]
    config: PathBuf,
    /// Name of a connector instance; without it, all of the file
    name: Option<String>,
    /// Events of each feed that are shown
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    show: usize,
    /// Observations that are read of a feed at most, where it reads on and on
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    observations: usize,
    /// How long a feed may be read
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    /// One JSON object, with all numbers
    #[arg(long)]
    json: bool,
}

impl Plan {
    pub(crate) async fn run(self) -> anyhow::Result<End> {
        let loaded = match read(&self.config, &Secrets::of_process())? {
            Ok(loaded) => loaded,
            Err(problems) => return Ok(complain(&self.config, &problems)),
        };
        let is_wanted = |setup: &&Setup| self.name.as_ref().is_none_or(|name| *name == setup.name);
        let wanted: Vec<Setup> = loaded.connectors.iter().filter(is_wanted).cloned().collect();
        if let (Some(name), true) = (&self.name, wanted.is_empty()) {
            let known: Vec<&str> = loaded.connectors.iter().map(|s| s.name.as_str()).collect();
            err!("talon: no connector `{name}`; there are: {}", known.join(", "));
            return Ok(End::Misconfigured);
        }
        let registry = registry(&loaded)?;
        let (mut all, mut has_failed) = (Map::new(), false);
        for setup in wanted {
            let planning = Planning {
                prefix: loaded.root.prefix.clone(),
                bus: loaded.bus.clone(),
                registry: registry.clone(),
                clock: loaded.clock.clone(),
                patience: Duration::from_secs(self.timeout),
                observations: self.observations.max(1),
                shown: self.show,
            };
            let (of_thread, connector) = (setup.clone(), setup.connector.clone());
            let planned = spawn_blocking(move || {
                let process = planning.bus.owner(&of_thread.name)?;
                plan(&planning, &of_thread).map(|feeds| (process, feeds))
            });
            let (process, feeds) = planned.await??;
            // What it signed in to counts its sessions.
            timeout(FAREWELL, connector.close()).await.ok();
            let planned = PlannedConnector {
                requests: requests(&loaded.metrics.text(), &setup.name),
                name: setup.name,
                process,
                feeds,
            };
            has_failed |= planned.feeds.iter().any(|feed| matches!(feed.end, PlanEnd::Failed(_)));
            if self.json {
                all.insert(planned.name.clone(), planned.json());
            } else {
                out!("{planned}");
            }
        }
        if self.json {
            out!("{:#}", json!({ "connectors": all }));
        }
        Ok(if has_failed { End::Failed } else { End::Done })
    }
}

/// What a connector would publish.
struct PlannedConnector {
    name: String,
    /// Which process runs it at the moment.
    process: Option<String>,
    /// What reading it took.
    requests: u64,
    feeds: Vec<PlannedFeed>,
}

impl PlannedConnector {
    fn json(&self) -> Value {
        let feeds = self.feeds.iter().map(|feed| {
            let events = feed.events.iter().map(|(op, count)| (word(*op).to_owned(), json!(count)));
            let first = feed.first.iter().map(|event| json!({ "key": event.key, "event": line(feed, event) }));
            json!({
                "feed": &*feed.name,
                "topic": feed.topic,
                "known": feed.known,
                "observations": feed.observations,
                "rows": feed.rows,
                "events": events.collect::<Map<_, _>>(),
                "dead_letters": feed.dead,
                "withheld": feed.withheld.map(|(entities, reason)| json!({ "entities": entities, "reason": reason })),
                "first": first.collect::<Vec<_>>(),
                "end": end(&feed.end),
            })
        });
        json!({
            "runs_in": self.process,
            "requests": self.requests,
            "feeds": feeds.collect::<Vec<_>>(),
        })
    }
}

impl Display for PlannedConnector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} requests to the upstream", self.name, self.requests)?;
        match &self.process {
            Some(process) => writeln!(f, "; it runs in {process} meanwhile")?,
            None => writeln!(f)?,
        }
        for feed in &self.feeds {
            let mut told: Vec<String> = feed
                .events
                .iter()
                .filter(|(_, count)| *count > 0)
                .map(|(op, count)| format!("{count} {}", word(*op)))
                .collect();
            if told.is_empty() {
                told.push("nothing".to_owned());
            }
            if feed.dead > 0 {
                told.push(format!("{} to the dead letters", feed.dead));
            }
            let rows = match feed.end {
                PlanEnd::Told => String::new(),
                _ => format!("{} rows, ", feed.rows),
            };
            writeln!(f, "  {:24} {}  ({rows}{} known)", feed.name, told.join(", "), feed.known)?;
            if let Some((entities, reason)) = feed.withheld {
                writeln!(f, "      {entities} vanished and would not be deleted: {reason}")?;
            }
            for event in &feed.first {
                writeln!(f, "      {}", line(feed, event))?;
            }
            if feed.end != PlanEnd::Waits {
                writeln!(f, "      {}", end(&feed.end))?;
            }
        }
        Ok(())
    }
}

/// An event as a line: `u 42  status: New → Done`.
fn line(feed: &PlannedFeed, Planned { key, value }: &Planned) -> String {
    let Some(event) = decode(feed.contract, value) else { return format!("? {key}") };
    let text = match (&event["before"], &event["after"]) {
        (Value::Object(before), Value::Object(after)) => differences(feed.contract, before, after),
        (_, Value::Object(after)) => brief(feed.contract, after),
        (Value::Object(before), _) => format!("gone; was {}", brief(feed.contract, before)),
        _ => String::new(),
    };
    format!("{} {key}  {text}", event["op"].as_str().unwrap_or("?"))
}

fn word(op: Op) -> &'static str {
    match op {
        Op::Read => "read",
        Op::Create => "created",
        Op::Update => "updated",
        Op::Delete => "deleted",
    }
}

fn end(end: &PlanEnd) -> String {
    match end {
        PlanEnd::Waits => "all that is there now was read".to_owned(),
        PlanEnd::ReadsOn => "there is more: it would read on".to_owned(),
        PlanEnd::Silent => "nothing more came in time".to_owned(),
        PlanEnd::Told => "the rows of another feed tell it".to_owned(),
        PlanEnd::Failed(fault) => format!("failed: {fault}"),
    }
}

/// What a connector's requests came to, by its metrics.
fn requests(metrics: &str, connector: &str) -> u64 {
    let of = format!("connector=\"{connector}\"");
    let counts = metrics.lines().filter_map(|line| {
        let (series, count) =
            line.strip_prefix("talon_upstream_requests_total{")?.rsplit_once(' ')?;
        series.contains(&of).then(|| count.parse::<f64>().ok())?
    });
    counts.sum::<f64>() as u64
}
