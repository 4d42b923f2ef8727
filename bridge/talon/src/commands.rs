//! `talon commands` and `talon send`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use talon_runtime::bus::{Bus, LaneSpec, Start, Stop, Tailed};
use talon_runtime::commands::{Outcome, ResultRecord, ordering_key};
use talon_runtime::{Setup, lane_spec};
use talon_schemas::command::Params;
use talon_schemas::result::RESULT;
use talon_schemas::wire::{Payload, Wire};
use talon_sdk::config::Secrets;
use talon_sdk::{Class, CommandSpec, Commands, OrderingKey};

use crate::connectors::{class, classes};
use crate::end::End;
use crate::run::{complain, read};

/// Clocks of different machines may differ by so much.
const SKEW_MS: i64 = 60_000;

/// Lists the commands of all classes, or of one with their parameters.
pub(crate) fn commands(name: Option<&str>) -> anyhow::Result<End> {
    let Some(name) = name else {
        for class in classes() {
            let Some(Commands { specs, contract }) = class.commands() else { continue };
            println!("{}", class.name());
            for spec in specs {
                let doc = contract().params(spec.name).map_or("", Params::doc);
                println!("  {:24} {doc}", spec.name);
            }
        }
        println!(
            "\n`talon commands CLASS` shows their parameters; `talon send --help`, how to send one."
        );
        return Ok(End::Done);
    };
    let Some(class) = class(name) else {
        let known: Vec<&str> = classes().iter().map(|class| class.name()).collect();
        anyhow::bail!("no class `{name}`; there are: {}", known.join(", "));
    };
    match class.commands() {
        Some(commands) => print!("{}", page(class.as_ref(), commands)),
        None => println!("`{name}` carries no commands"),
    }
    Ok(End::Done)
}

/// The commands of a class, as text.
pub(crate) fn page(class: &dyn Class, commands: Commands) -> String {
    let mut page = format!("Commands of {}\n", class.name());
    for spec in commands.specs {
        let Some(params) = (commands.contract)().params(spec.name) else { continue };
        let key = match spec.key {
            OrderingKey::Params(names) => names.join("/"),
            OrderingKey::Fixed(key) => format!("always `{key}`"),
            OrderingKey::Own => "its id".to_owned(),
        };
        page += &format!("  {}\n      {}\n", spec.name, params.doc());
        page += &format!("      {}; repeat-safe: {}", spec.call, spec.repeat.word());
        if !spec.probe.is_empty() {
            page += &format!("; read back by {}", spec.probe);
        }
        page += &format!("\n      ordered by {key}");
        if !spec.expect.is_empty() {
            page += &format!("; `expect` may name {}", spec.expect.join(", "));
        }
        page.push('\n');
        for param in params.list() {
            let need = if param.required { "required" } else { "optional" };
            page += &format!("        {:20} {}, {need}", param.name, param.kind);
            if !param.doc.is_empty() {
                page += &format!(". {}", param.doc);
            }
            page.push('\n');
        }
    }
    page
}

/// What `talon send` is told.
#[derive(Args)]
pub(crate) struct Send {
    /// The YAML file of the configuration that runs the connector
    #[arg(long)]
    config: PathBuf,
    /// Name of the connector instance
    name: String,
    /// Type of the command; `talon commands CLASS` lists them
    r#type: String,
    /// Parameters: text as it is, numbers, lists and objects as JSON
    #[arg(value_name = "KEY=VALUE")]
    params: Vec<String>,
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
        let (setup, spec) = match self.addressee(&loaded.connectors) {
            Ok(found) => found,
            Err(problem) => {
                eprintln!("talon: {problem}");
                return Ok(End::Misconfigured);
            }
        };
        let id = self.id.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
        let (command, key) = match self.command(setup, spec, &id) {
            Ok(command) => command,
            Err(problems) => {
                eprintln!("the command has {} problems:", problems.len());
                problems.iter().for_each(|problem| eprintln!("  {problem}"));
                return Ok(End::Misconfigured);
            }
        };
        let lane = lane_spec(&loaded.root.prefix, setup);
        let bus = loaded.bus.clone();
        let sent_ms = Timestamp::now().as_millisecond();
        let (on, value) = (lane.clone(), command.to_string());
        let sent =
            tokio::task::spawn_blocking(move || bus.send(&on, &key, value.as_bytes())).await?;
        sent.with_context(|| format!("`{}` was not sent", self.r#type))?;
        if !self.wait {
            println!("{id}");
            return Ok(End::Done);
        }
        eprintln!("{id} is on `{}`, waiting for its outcome", lane.commands.name);
        match outcome(loaded.bus, lane, id, sent_ms, Duration::from_secs(self.timeout)).await? {
            Some(record) => {
                println!("{:#}", serde_json::to_value(&record)?);
                let applied = record.outcome() == Some(Outcome::Applied);
                Ok(if applied { End::Done } else { End::Failed })
            }
            None => anyhow::bail!(
                "no outcome within {} s; it may still come, on the results topic",
                self.timeout
            ),
        }
    }

    /// The connector and the command that are meant.
    fn addressee<'a>(
        &self,
        setups: &'a [Setup],
    ) -> Result<(&'a Setup, &'static CommandSpec), String> {
        let Some(setup) = setups.iter().find(|setup| setup.name == self.name) else {
            let known: Vec<&str> = setups.iter().map(|setup| setup.name.as_str()).collect();
            return Err(format!("no connector `{}`; there are: {}", self.name, known.join(", ")));
        };
        let on = setup.connector.commands();
        match on.iter().find(|spec| spec.name == self.r#type) {
            Some(spec) => Ok((setup, spec)),
            None => {
                let known: Vec<&str> = on.iter().map(|spec| spec.name).collect();
                Err(format!(
                    "`{}` has no command `{}` that is switched on; there are: {}",
                    self.name,
                    self.r#type,
                    known.join(", ")
                ))
            }
        }
    }

    /// The command as JSON, and its ordering key; or all that is wrong with it.
    fn command(
        &self,
        setup: &Setup,
        spec: &'static CommandSpec,
        id: &str,
    ) -> Result<(Value, String), Vec<String>> {
        let contract = setup.commands.map(|commands| (commands.contract)());
        let Some(params) = contract.and_then(|contract| contract.params(spec.name)) else {
            return Err(vec![format!("`{}` has no parameters declared", spec.name)]);
        };
        let mut problems = Vec::new();
        let list = params.list();
        let mut given = Map::new();
        for (key, text) in pairs(&self.params, &mut problems) {
            let is_text = list.iter().any(|param| param.name == key && param.text);
            let value = match serde_json::from_str(&text) {
                Ok(value) if !is_text => value,
                _ => Value::String(text),
            };
            given.insert(key, value);
        }
        let expect: Map<String, Value> = pairs(&self.expect, &mut problems)
            .into_iter()
            .map(|(key, text)| (key, Value::String(text)))
            .collect();
        let given = Value::Object(given);
        let checked = params.read(&given);
        problems.extend(checked.as_ref().err().into_iter().flatten().cloned());
        let Ok(checked) = checked else { return Err(problems) };
        if !problems.is_empty() {
            return Err(problems);
        }
        let now = Timestamp::now();
        let mut command =
            json!({"id": id, "type": spec.name, "params": given, "issued_at": now.to_string()});
        if let Some(seconds) = self.expires_in {
            let expires = now.as_millisecond() + i64::from(seconds) * 1_000;
            command["expires_at"] = json!(expires * 1_000);
        }
        if !expect.is_empty() {
            command["expect"] = Value::Object(expect);
        }
        if let Some(user) = &self.user {
            command["as"] = json!(user);
        }
        Ok((command, ordering_key(spec, id, &checked)))
    }
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
