//! `talon send`: puts a command on the bus, as any client can.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use serde_json::{Map, Value};
use talon_runtime::bus::{Bus, LaneSpec, Start, Stop, Tailed};
use talon_runtime::commands::{CommandReader, Intake, Outcome, ResultRecord, json_text};
use talon_runtime::{Setup, lane_spec};
use talon_schemas::command::Params;
use talon_schemas::result::RESULT;
use talon_schemas::wire::{Payload, Wire};
use talon_sdk::Command;
use talon_sdk::config::Secrets;

use crate::end::End;
use crate::print::{err, out};
use crate::run::{complain, read};

/// Clocks of different machines may differ by so much.
const SKEW_MS: i64 = 60_000;

/// What `talon send` is told.
#[derive(Args)]
pub(crate) struct Send {
    /// The YAML file of the configuration that runs the connector
    #[arg(long)]
    config: PathBuf,
    /// Name of the connector instance
    name: String,
    /// Type of the command; `talon commands CLASS` lists them
    #[arg(required_unless_present = "file")]
    r#type: Option<String>,
    /// Parameters: text as it is, numbers, lists and objects as JSON
    #[arg(value_name = "KEY=VALUE")]
    params: Vec<String>,
    /// The command as one JSON object, as it stands on the topic; `-` is standard input. Its `id` and
    /// `issued_at` may be left out
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["type", "params", "expect", "expires_in", "user"]
    )]
    file: Option<PathBuf>,
    /// Id of the command; a second one with the same id is not run. Random if not given
    #[arg(long)]
    id: Option<String>,
    /// What must hold before it is sent, such as status=Committed
    #[arg(long, value_name = "KEY=VALUE")]
    expect: Vec<String>,
    /// Not sent to the upstream after so many seconds
    #[arg(long, value_name = "SECONDS")]
    expires_in: Option<u32>,
    /// In whose name, where several users are configured
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,
    /// Waits for the outcome and prints it; exits with 0 only if it is APPLIED
    #[arg(long)]
    wait: bool,
    /// How long to wait for it
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

impl Send {
    pub(crate) async fn run(self) -> anyhow::Result<End> {
        let loaded = match read(&self.config, &Secrets::of_process())? {
            Ok(loaded) => loaded,
            Err(problems) => return Ok(complain(&self.config, &problems)),
        };
        let Some(setup) = loaded.connectors.iter().find(|setup| setup.name == self.name) else {
            let known: Vec<&str> = loaded.connectors.iter().map(|s| s.name.as_str()).collect();
            err!("talon: no connector `{}`; there are: {}", self.name, known.join(", "));
            return Ok(End::Misconfigured);
        };
        let mut problems = Vec::new();
        let command = Value::Object(self.command(setup, &mut problems)).to_string();
        let sound = check(setup, command.as_bytes(), &mut problems).await?;
        let Some(Command { id, key, .. }) = sound.filter(|_| problems.is_empty()) else {
            err!("the command has {} problems:", problems.len());
            problems.iter().for_each(|problem| err!("  {problem}"));
            return Ok(End::Misconfigured);
        };
        let lane = lane_spec(&loaded.root.prefix, setup);
        let bus = loaded.bus.clone();
        let sent_ms = Timestamp::now().as_millisecond();
        let (on, value) = (lane.clone(), command);
        let sent =
            tokio::task::spawn_blocking(move || bus.send(&on, &key, value.as_bytes())).await?;
        sent.with_context(|| format!("command `{id}` was not sent"))?;
        if !self.wait {
            out!("{id}");
            return Ok(End::Done);
        }
        err!("{id} is on `{}`, waiting for its outcome", lane.commands.name);
        match outcome(loaded.bus, lane, id, sent_ms, Duration::from_secs(self.timeout)).await? {
            Some(record) => {
                out!("{:#}", serde_json::to_value(&record)?);
                let applied = record.outcome() == Some(Outcome::Applied);
                Ok(if applied { End::Done } else { End::Failed })
            }
            None => anyhow::bail!(
                "no outcome within {} s; it may still come, on the results topic",
                self.timeout
            ),
        }
    }

    /// The command that is meant, as JSON; with what is wrong with how it was given.
    fn command(&self, setup: &Setup, problems: &mut Vec<String>) -> Map<String, Value> {
        let mut command = match &self.file {
            Some(file) => from_file(file).unwrap_or_else(|problem| {
                problems.push(format!("`{}`: {problem}", file.display()));
                Map::new()
            }),
            None => self.arguments(setup, problems),
        };
        if self.id.is_some() && command.contains_key("id") {
            problems.push("`id` is given by `--id` and in the file".to_owned());
        }
        let id = || self.id.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
        command.entry("id").or_insert_with(|| id().into());
        command.entry("issued_at").or_insert_with(|| Timestamp::now().to_string().into());
        command
    }

    fn arguments(&self, setup: &Setup, problems: &mut Vec<String>) -> Map<String, Value> {
        let kind = self.r#type.as_deref().unwrap_or_default();
        let contract = setup.commands.as_ref().map(|commands| (commands.contract)());
        let list = contract.and_then(|contract| contract.params(kind)).map(Params::list);
        let is_text =
            |key: &str| list.iter().flatten().any(|param| param.name == key && param.text);
        let mut params = Map::new();
        for (key, text) in pairs(&self.params, problems) {
            let value = match serde_json::from_str(&text) {
                Ok(value) if !is_text(&key) => value,
                _ => Value::String(text),
            };
            params.insert(key, value);
        }
        let mut command = Map::new();
        command.insert("type".to_owned(), kind.into());
        command.insert("params".to_owned(), params.into());
        let expect = pairs(&self.expect, problems);
        if !expect.is_empty() {
            let expect: Map<String, Value> =
                expect.into_iter().map(|(key, text)| (key, text.into())).collect();
            command.insert("expect".to_owned(), expect.into());
        }
        if let Some(seconds) = self.expires_in {
            let expires = Timestamp::now().as_millisecond() + i64::from(seconds) * 1_000;
            command.insert("expires_at".to_owned(), (expires * 1_000).into());
        }
        if let Some(user) = &self.user {
            command.insert("as".to_owned(), user.as_str().into());
        }
        command
    }
}

/// The command in a file, or from standard input.
fn from_file(file: &Path) -> Result<Map<String, Value>, String> {
    let read = match file.to_str() {
        Some("-") => {
            let mut text = Vec::new();
            std::io::stdin().lock().read_to_end(&mut text).map(|_| text)
        }
        _ => std::fs::read(file),
    };
    let text = read.map_err(|error| format!("it cannot be read: {error}"))?;
    serde_json::from_slice(json_text(&text))
        .map_err(|error| format!("it is no JSON object: {error}"))
}

/// The command as the connector will read it, or all that is wrong with it.
pub(crate) async fn check(
    setup: &Setup,
    command: &[u8],
    problems: &mut Vec<String>,
) -> anyhow::Result<Option<Command>> {
    let Some(commands) = setup.commands.clone() else {
        problems.push(format!("`{}` carries no commands", setup.name));
        return Ok(None);
    };
    let reader = CommandReader { commands, wire: Wire::SingleObject, registry: None };
    let command = match reader.read(command).await? {
        Intake::Command(command) => command,
        Intake::Malformed { problems: found, .. } => {
            problems.extend(found);
            return Ok(None);
        }
    };
    let on = setup.connector.commands();
    if !on.iter().any(|spec| spec.name == command.spec.name) {
        let known: Vec<&str> = on.iter().map(|spec| spec.name).collect();
        problems.push(format!(
            "`{}` is not switched on for `{}`; there are: {}",
            command.spec.name,
            setup.name,
            known.join(", ")
        ));
    }
    Ok(Some(command))
}

fn pairs(texts: &[String], problems: &mut Vec<String>) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for text in texts {
        match text.split_once('=') {
            Some((key, value)) => pairs.push((key.to_owned(), value.to_owned())),
            None => problems.push(format!("`{text}` is not of the form `key=value`")),
        }
    }
    pairs
}

/// Waits for the outcome of a command; `None` if it does not come in time.
async fn outcome(
    bus: Arc<dyn Bus>,
    lane: LaneSpec,
    id: String,
    sent_ms: i64,
    timeout: Duration,
) -> anyhow::Result<Option<ResultRecord>> {
    let stop = Stop::default();
    let (stopper, following) = (stop.clone(), stop.clone());
    let tail = tokio::task::spawn_blocking(move || {
        let mut found = None;
        let mut each = |Tailed { key, value, .. }: Tailed<'_>| {
            let record = value.filter(|_| key == id).and_then(decode);
            let is_new = |record: &ResultRecord| {
                record.settled_at.is_some_and(|at| at / 1_000 >= sent_ms - SKEW_MS)
            };
            if let Some(record) = record.filter(is_new) {
                found = Some(record);
                following.set();
            }
        };
        let topics = [lane.results.name];
        let followed = bus.tail(&topics, Start::Time(sent_ms - SKEW_MS), &following, &mut each);
        followed.map(|()| found)
    });
    let waiting = tokio::spawn(async move {
        tokio::time::sleep(timeout).await;
        stopper.set();
    });
    let found = tail.await?;
    waiting.abort();
    Ok(found?)
}

/// A result in any form in which one is written.
pub(crate) fn decode(value: &[u8]) -> Option<ResultRecord> {
    match Wire::SingleObject.open(&*RESULT, value) {
        Payload::Own(datum) | Payload::Registered(_, datum) => RESULT.decode(datum).ok(),
        Payload::Json(json) => serde_json::from_slice(json).ok(),
        Payload::Fingerprinted(..) | Payload::Foreign => None,
    }
}
