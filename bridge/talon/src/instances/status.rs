//! States of connectors: whoever has a connector's shard says on the bus what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use talon_runtime::bus::{Owner, Told};
use talon_runtime::health::{Component, State};
use tokio::sync::mpsc::Receiver;
use tokio::time::{MissedTickBehavior, interval};

use super::records::{Status, Target, status_key};
use super::shared::Shared;

/// How often it is looked whether a state is another.
const TICK: Duration = Duration::from_millis(200);

/// For so long after a connector was stopped another process may still commit what was read.
const STOPS: Duration = Duration::from_secs(30);

/// After so long a state that does not stand on the bus is said again.
const AGAIN: Duration = Duration::from_secs(3);

/// What this process said of connectors, and when.
type Said = BTreeMap<String, (Status, Instant)>;

/// A state in Connect's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Unassigned,
    Running,
    Paused,
    Failed,
    Restarting,
    Stopped,
}

/// The state of a connector, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) connector: String,
    /// None where there is no task.
    pub(crate) task: Option<String>,
    pub(crate) worker: String,
    /// What is the matter, of the connector and of its task.
    pub(crate) trace: String,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Word::Unassigned => "UNASSIGNED",
            Word::Running => "RUNNING",
            Word::Paused => "PAUSED",
            Word::Failed => "FAILED",
            Word::Restarting => "RESTARTING",
            Word::Stopped => "STOPPED",
        }
    }
}

impl Status {
    fn new(connector: Word, task: Option<Word>, worker: &str, trace: String) -> Status {
        let text = |word: Word| word.text().to_owned();
        Status {
            connector: text(connector),
            task: task.map(text),
            worker: worker.to_owned(),
            trace,
        }
    }

    pub(super) fn is_failed(&self) -> bool {
        let failed = Word::Failed.text();
        self.connector == failed || self.task.as_deref() == Some(failed)
    }
}

impl Shared {
    /// The state of a connector whose shard this process has; else none.
    pub(super) fn local_status(&self, name: &str) -> Option<Status> {
        let of_file = self.file.contains_key(name);
        let target = if of_file { Target::Running } else { self.picture().target(name)? };
        self.local(name, target, &self.view.health.components())
    }

    fn local(
        &self,
        name: &str,
        target: Target,
        components: &BTreeMap<String, Component>,
    ) -> Option<Status> {
        let whereabouts = self.connectors.whereabouts(name);
        let worker = self.worker.as_str();
        let status = |connector, task, trace| Some(Status::new(connector, task, worker, trace));
        match (&whereabouts.owner, target) {
            // It has just let go, or is about to.
            (_, Target::Stopped) if !whereabouts.is_settled => {
                status(Word::Running, Some(Word::Running), String::new())
            }
            (Err(_), _) => None,
            (Ok(()), Target::Stopped) => status(Word::Stopped, None, String::new()),
            (Ok(()), Target::Paused) if whereabouts.is_settled => {
                status(Word::Paused, Some(Word::Paused), String::new())
            }
            (Ok(()), Target::Paused) => status(Word::Running, Some(Word::Running), String::new()),
            (Ok(()), Target::Running) => {
                if let Some(trouble) = self.troubles().get(name) {
                    return status(Word::Failed, Some(Word::Failed), trouble.clone());
                }
                let (word, trace) = of_components(name, components);
                let connector = match word {
                    // What is the matter is its task's.
                    Word::Failed => Word::Running,
                    other => other,
                };
                status(connector, Some(word), trace)
            }
        }
    }

    /// The state of a connector, wherever it runs.
    pub(super) fn status(
        &self,
        name: &str,
        target: Target,
        components: &BTreeMap<String, Component>,
    ) -> Shown {
        if let Some(status) = self.local(name, target, components) {
            return shown(&status);
        }
        let picture = self.picture();
        let said = picture.status(name);
        let owner = self.connectors.whereabouts(name).owner;
        let nobody = |word: Word| Shown {
            connector: word.text().to_owned(),
            task: (word != Word::Stopped).then(|| word.text().to_owned()),
            worker: said.map_or(&self.worker, |said| &said.worker).clone(),
            trace: String::new(),
        };
        match (target, owner, said) {
            (Target::Stopped, _, Some(said)) => {
                let fresh = picture.target_since(name).is_some_and(|since| since.elapsed() < STOPS);
                if fresh && said.connector != Word::Stopped.text() {
                    shown(said)
                } else {
                    nobody(Word::Stopped)
                }
            }
            (Target::Stopped, _, None) => nobody(Word::Stopped),
            (_, Err(Owner::Process(_) | Owner::Unknown), Some(said))
                if said.connector != Word::Stopped.text() =>
            {
                shown(said)
            }
            _ => nobody(Word::Unassigned),
        }
    }
}

fn shown(status: &Status) -> Shown {
    let Status { connector, task, worker, trace } = status.clone();
    Shown { connector, task, worker, trace }
}

/// What the components of a connector come to.
fn of_components(name: &str, components: &BTreeMap<String, Component>) -> (Word, String) {
    // Those of `name-x` stand between `name` and `name/feed`.
    let near = components.range(name.to_owned()..).take_while(|(of, _)| of.starts_with(name));
    let is_its = |of: &&String| {
        of.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let its: Vec<(&String, &Component)> = near.filter(|(of, _)| is_its(of)).collect();
    let mut word = match its.first() {
        None => Word::Unassigned,
        Some(_) => Word::Running,
    };
    let mut traces = Vec::new();
    for (of, component) in its {
        let about = of.strip_prefix(name).unwrap_or(of).trim_start_matches('/');
        match component.state {
            State::Up | State::Standby => continue,
            State::Starting if about.is_empty() => word = Word::Unassigned,
            State::Recovering if about.is_empty() => word = Word::Restarting,
            State::Misconfigured | State::Fenced | State::Internal => word = Word::Failed,
            _ => {}
        }
        if !component.message.is_empty() {
            let about = if about.is_empty() { String::new() } else { format!("{about}: ") };
            traces.push(format!("{about}{}: {}", component.state.word(), component.message));
        }
    }
    (word, traces.join("\n"))
}

/// Says on the bus what becomes of the connectors whose shards this process has, and hears what others say. For as
/// long as the process lives.
pub(super) async fn tell(shared: Arc<Shared>, mut store: Receiver<Told>) {
    let mut said = Said::new();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            told = store.recv() => {
                let Some(told) = told else { return };
                shared.picture().take_status(told);
                shared.changed();
            }
            _ = tick.tick() => say(&shared, &mut said),
        }
    }
}

fn say(shared: &Shared, said: &mut Said) {
    if !shared.picture().is_current {
        return;
    }
    let components = shared.view.health.components();
    let mut names: Vec<(String, Target)> = {
        let picture = shared.picture();
        let target = |name: &String| Some((name.clone(), picture.target(name)?));
        picture.names().filter(|name| !shared.file.contains_key(*name)).filter_map(target).collect()
    };
    names.extend(shared.file.keys().map(|name| (name.clone(), Target::Running)));
    for (relay, shards) in shared.relays.shards() {
        let target = shared.picture().target_of_relay(&relay);
        names.extend(shards.into_iter().map(|shard| (shard, target)));
    }
    let known: BTreeSet<&String> = names.iter().map(|(name, _)| name).collect();
    let gone: Vec<String> = said.keys().filter(|name| !known.contains(name)).cloned().collect();
    for (name, target) in names {
        let stopped = || Status::new(Word::Stopped, None, &shared.worker, String::new());
        let status = match shared.local(&name, target, &components) {
            Some(status) => status,
            // It was run here, and is let go.
            None if target == Target::Stopped && said.contains_key(&name) => stopped(),
            None => {
                // Whoever has it says so.
                said.remove(&name);
                continue;
            }
        };
        let before = said.get(&name);
        let is_new = before.is_none_or(|(before, _)| *before != status);
        // An old state that another process put late must not stay.
        let is_other = status.connector != Word::Stopped.text()
            && shared.picture().status(&name) != Some(&status)
            && before.is_some_and(|(_, at)| at.elapsed() > AGAIN);
        if is_new || is_other {
            shared.states.put(&status_key(&name), Some(&status.to_json()));
            said.insert(name, (status, Instant::now()));
        }
    }
    for name in gone {
        shared.states.put(&status_key(&name), None);
        said.remove(&name);
    }
}
