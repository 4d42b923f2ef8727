//! Makes the engine do what the records say.
//!
//! One task follows the store of configurations, and makes each change known to the engine in the order in which
//! it came. What cannot be made here, as where a file of a secret is missing, is failed here and tried again, while
//! the others go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use talon_runtime::Setup;
use talon_runtime::bus::{Entry, Told};
use talon_runtime::engine::{Connectors, Wish};
use tokio::sync::mpsc::Receiver;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::records::{About, Configured, Target, about, level_of_json, of_relay, relay};
use super::shared::Shared;
use crate::log::levels;

/// How long making a connector may take. It reads files, which may be on a network.
const MAKE: Duration = Duration::from_secs(5);

/// Pause before a connector that could not be made is tried again: at first, and at most.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

const TICK: Duration = Duration::from_millis(500);

/// Drives the engine.
pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) connectors: Connectors,
    /// What the engine was told.
    pub(super) told: BTreeMap<String, Made>,
    /// And of relays: what is wanted, and the last restart.
    pub(super) told_relays: BTreeMap<String, (Target, Option<u64>)>,
    /// What connectors that are to run here hold of their upstreams, by connector.
    pub(super) holds: BTreeMap<String, Vec<Held>>,
}

/// A class, the setting that names what is held, and what that is.
pub(super) type Held = (&'static str, String, String);

/// What a connector holds.
pub(super) fn holds(setup: &Setup) -> Vec<Held> {
    let holds = setup.connector.holds().into_iter();
    holds.map(|(setting, held)| (setup.class, setting.to_string(), held.to_string())).collect()
}

/// What the engine was told of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    configured: Configured,
    target: Target,
    restart: Option<u64>,
    /// It could not be made: when it is tried again, and after how long the next time.
    retry: Option<(Instant, Duration)>,
}

impl Driver {
    /// Follows the store for as long as the process lives.
    pub(super) async fn run(mut self, mut store: Receiver<Told>) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What is there comes first: to act before all of it is seen could start what was deleted or stopped.
        let mut early = BTreeSet::new();
        loop {
            tokio::select! {
                told = store.recv() => {
                    let Some(told) = told else { return };
                    let is_current = told == Told::Current;
                    if let Told::Trouble(fault) = &told
                        && self.shared.picture().trouble.as_deref() != Some(&fault.to_string())
                    {
                        tracing::warn!("what connectors there are at run time cannot be read now: {fault}");
                        self.shared.relays.wait(&fault.to_string());
                    }
                    if let Told::Entry(entry) = &told {
                        self.see_level(entry);
                    }
                    let changed = self.shared.picture().take(told);
                    if self.shared.picture().is_current {
                        if is_current {
                            early.extend(self.shared.relays.shards().keys().map(|name| of_relay(name)));
                            if self.told.is_empty() {
                                early.extend(self.shared.file.keys().cloned());
                            }
                            for name in std::mem::take(&mut early) {
                                self.see(&name).await;
                            }
                        }
                        if let Some(name) = changed {
                            self.see(&name).await;
                        }
                    } else {
                        early.extend(changed);
                    }
                    self.shared.changed();
                }
                _ = tick.tick() => {
                    let now = Instant::now();
                    let due = |made: &Made| made.retry.is_some_and(|(at, _)| at <= now);
                    let due: Vec<String> =
                        self.told.iter().filter(|(_, made)| due(made)).map(|(name, _)| name.clone()).collect();
                    for name in due {
                        self.see(&name).await;
                    }
                }
            }
        }
    }

    /// Sets the level of a logger that was set for all processes. What was set before this one was there does not
    /// concern it.
    fn see_level(&self, entry: &Entry) {
        if let Some(About::Level(logger)) = about(&entry.key)
            && self.shared.picture().is_current
            && let Some(level) = level_of_json(&entry.value).and_then(|word| levels::level(&word))
        {
            match levels::set(logger, level, self.shared.checks.clock.now_ms()) {
                Ok(changed) => {
                    tracing::info!(logger, %level, ?changed, "levels of loggers changed")
                }
                Err(why) => tracing::warn!(logger, "its level is not changed: {why}"),
            }
        }
    }

    /// Looks at the records of a connector, and makes of it what they say, if that is new.
    async fn see(&mut self, name: &str) {
        if let Some(relay) = relay(name) {
            return self.see_relay(relay);
        }
        if let Some(file) = self.shared.file.get(name) {
            let setup = file.setup.clone();
            let restart = self.shared.picture().restart(name).map(|seen| seen.revision);
            let in_store = self.shared.picture().connector(name).is_some();
            return self.see_of_file(name, setup, restart, in_store);
        }
        let now = self.shared.now(name);
        let before = self.told.get(name).cloned();
        let before = before.as_ref();
        let Some((configured, target, restart)) = now else {
            self.holds.remove(name);
            if self.told.remove(name).is_some() {
                tracing::info!(connector = name, "deleted");
                self.shared.troubles().remove(name);
                self.connectors.set(name, Wish::Forget);
            }
            return;
        };
        let is_due =
            before.is_some_and(|made| made.retry.is_some_and(|(at, _)| at <= Instant::now()));
        let is_same =
            before.is_some_and(|made| made.configured == configured && made.target == target);
        let restarts = before.is_some_and(|made| made.restart != restart)
            && target == Target::Running
            && self.is_to_restart(name);
        if is_same && !restarts && !is_due {
            if let Some(made) = self.told.get_mut(name) {
                made.restart = restart;
            }
            return;
        }
        // One that is tried again waits longer each time; one that was changed begins anew.
        let wait = match before.and_then(|made| made.retry) {
            Some((_, wait)) if is_due && is_same => (wait * 2).min(LAST_RETRY),
            _ => FIRST_RETRY,
        };
        let (wish, trouble) = self.wish(name, &configured, target).await;
        let retry = trouble.as_ref().map(|_| (Instant::now() + wait, wait));
        let known = {
            let mut troubles = self.shared.troubles();
            match &trouble {
                Some(trouble) => troubles.insert(name.to_owned(), trouble.clone()),
                None => troubles.remove(name),
            }
        };
        let made = Made { configured, target, restart, retry };
        if is_same && trouble.is_some() && known == trouble {
            // As it was.
            self.told.insert(name.to_owned(), made);
            return;
        }
        if let Some(trouble) = &trouble {
            tracing::error!(connector = name, "cannot run here, and is tried again: {trouble}");
        }
        if before.is_none() {
            self.connectors.make_optional(name);
        }
        self.connectors.set(name, wish);
        self.told.insert(name.to_owned(), made);
    }

    /// Connectors of the file run as it says; all that is done to them is to start them anew.
    fn see_of_file(&mut self, name: &str, setup: Setup, restart: Option<u64>, in_store: bool) {
        let configured =
            Configured { config: BTreeMap::new(), id: String::new(), initial: Target::Running };
        let made = Made { configured, target: Target::Running, restart, retry: None };
        let before = self.told.insert(name.to_owned(), made);
        if before.is_none() && in_store {
            tracing::warn!(
                connector = name,
                "is in the file and was created over REST too: that of the file runs"
            );
        }
        // What was asked before this process was there is done.
        if before.is_some_and(|before| before.restart != restart) && self.is_to_restart(name) {
            self.connectors.set(name, Wish::Run(setup));
        }
    }

    /// Whether a restart that was asked for concerns this process, and what runs here.
    fn is_to_restart(&self, name: &str) -> bool {
        let only_failed = match self.shared.picture().restart(name) {
            Some(seen) => seen.value.only_failed,
            None => return false,
        };
        self.connectors.whereabouts(name).owner.is_ok()
            && (!only_failed
                || self.shared.local_status(name).is_some_and(|status| status.is_failed()))
    }

    /// What the engine is to do, and why it cannot be all that is wanted.
    async fn wish(
        &mut self,
        name: &str,
        configured: &Configured,
        target: Target,
    ) -> (Wish, Option<String>) {
        self.holds.remove(name);
        match target {
            Target::Stopped => return (Wish::GiveUp, None),
            Target::Paused => return (Wish::Keep { trouble: None }, None),
            Target::Running => {}
        }
        let made = self.make(name, configured).await;
        let made = made.and_then(|setup| match self.held_twice(&setup) {
            Some(trouble) => Err(trouble),
            None => Ok(setup),
        });
        match made {
            Ok(setup) => {
                self.holds.insert(name.to_owned(), holds(&setup));
                (Wish::Run(setup), None)
            }
            Err(trouble) => (Wish::Keep { trouble: Some(trouble.clone()) }, Some(trouble)),
        }
    }

    /// What another connector has already, and only one can have.
    fn held_twice(&self, setup: &Setup) -> Option<String> {
        let mine = holds(setup);
        self.holds.iter().find_map(|(other, theirs)| {
            let twice = |(class, _, held): &&Held| theirs.iter().any(|(c, _, h)| c == class && h == held);
            let (_, setting, _) = mine.iter().find(twice)?;
            Some(format!("`{setting}` names what the connector `{other}` has too; only one can hold it at a time"))
        })
    }

    async fn make(&self, name: &str, configured: &Configured) -> Result<Setup, String> {
        let (shared, of_thread, config) =
            (self.shared.clone(), name.to_owned(), configured.config.clone());
        let making = spawn_blocking(move || shared.checks.make(&of_thread, &config));
        match timeout(MAKE, making).await {
            Ok(Ok(Ok(setup))) => Ok(setup),
            Ok(Ok(Err(problems))) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                Err(problems.join("; "))
            }
            Ok(Err(_)) => Err("a defect of Talon: its settings could not be read".to_owned()),
            Err(_) => Err(format!("its files could not be read within {} s", MAKE.as_secs())),
        }
    }
}
