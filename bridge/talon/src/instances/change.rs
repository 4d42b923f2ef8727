//! Changes of connectors, as any process makes them.

use std::time::Duration;

use talon_runtime::bus::{Expected, WriteFault};
use talon_sdk::config::Problem;
use tokio::time::{Instant, timeout_at};

use super::records::{
    Config, Configured, Restart, Target, Wanted, connector_key, level_json, level_key, relay,
    restart_key, status_key, target_key,
};
use super::shared::Shared;

/// How long a change waits until this process has read it back, or what another has written.
const READ: Duration = Duration::from_secs(10);

/// How often a change is made anew from what somebody else has written meanwhile.
const TRIES: usize = 8;

/// A change of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is made, and must not be there.
    Create(Config, Target),
    /// Its configuration is this one; it is made where it is not there.
    Put(Config),
    /// These settings are others; those without a value are not set any more.
    Patch(Vec<(String, Option<String>)>),
    Delete,
    Target(Target),
    Restart {
        only_failed: bool,
    },
}

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    Created,
    Updated,
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotFound,
    Exists,
    OfFile,
    Invalid(Vec<Problem>),
    /// Its offsets are changed only while it is stopped.
    NotStopped,
    /// It is stopped, and this process still runs it.
    Runs(String),
    /// Its offsets cannot be these.
    Offsets(String),
    /// Somebody else changes it all the time.
    Busy,
    /// The bus did not take it, or it is not known whether it has.
    Bus(String),
}

/// A record to be written.
struct Write {
    key: String,
    value: Option<Vec<u8>>,
    expected: Expected,
}

impl Shared {
    /// Makes a change; returns when it stands on the bus, and this process has read it back.
    pub(super) async fn change(&self, name: &str, change: Change) -> Result<Changed, Refusal> {
        let is_restart = matches!(change, Change::Restart { .. });
        if self.file.contains_key(name) && !is_restart {
            return Err(match change {
                Change::Create(..) => Refusal::Exists,
                _ => Refusal::OfFile,
            });
        }
        for _ in 0..TRIES {
            let (write, changed) = self.plan(name, &change)?;
            let Some(write) = write else { return Ok(changed) };
            let (key, removes) = (write.key.clone(), write.value.is_none());
            let seen = self.picture().revision(&key);
            match self.write(write).await {
                Ok(revision) => {
                    // What is asked of this process next finds what was changed.
                    self.read(
                        |now| match (removes, now) {
                            (true, now) => now.is_none_or(|now| now > revision),
                            (false, now) => {
                                now.is_some_and(|now| now >= revision)
                                    || now.is_none() && seen.is_some()
                            }
                        },
                        &key,
                    )
                    .await;
                    if change == Change::Delete {
                        self.clear(name).await;
                    }
                    return Ok(changed);
                }
                Err(WriteFault::Conflict) => self.read(|now| now != seen, &key).await,
                Err(fault @ (WriteFault::Unclear(_) | WriteFault::Bus(_))) => {
                    return Err(Refusal::Bus(fault.to_string()));
                }
            }
        }
        Err(Refusal::Busy)
    }

    /// What is to be written for a change, from what is known now; nothing where it is so already.
    fn plan(&self, name: &str, change: &Change) -> Result<(Option<Write>, Changed), Refusal> {
        let picture = self.picture();
        let found = picture.connector(name).map(|seen| (seen.value.clone(), seen.revision));
        let key = connector_key(name);
        // Where a record cannot be read, it is written over.
        let there = picture.revision(&key).map_or(Expected::Absent, Expected::Revision);
        let is_relay = self.is_relay(name);
        let target = match relay(name) {
            Some(relay) => Some(picture.target_of_relay(relay)),
            None => picture.target(name),
        };
        drop(picture);
        let is_of_file = self.file.contains_key(name);
        let write =
            |value: Option<Vec<u8>>, expected| Some(Write { key: key.clone(), value, expected });
        match change {
            Change::Create(config, initial) => {
                if found.is_some() {
                    return Err(Refusal::Exists);
                }
                self.check(name, config)?;
                let configured = Configured::new(config.clone(), *initial);
                Ok((write(Some(configured.to_json()), there), Changed::Created))
            }
            Change::Put(config) => {
                self.check(name, config)?;
                let (configured, changed) = match found {
                    Some((before, _)) => {
                        (Configured { config: config.clone(), ..before }, Changed::Updated)
                    }
                    None => (Configured::new(config.clone(), Target::Running), Changed::Created),
                };
                Ok((write(Some(configured.to_json()), there), changed))
            }
            Change::Patch(settings) => {
                let (mut configured, _) = found.ok_or(Refusal::NotFound)?;
                for (key, text) in settings {
                    match text {
                        Some(text) => drop(configured.config.insert(key.clone(), text.clone())),
                        None => drop(configured.config.remove(key)),
                    }
                }
                self.check(name, &configured.config)?;
                Ok((write(Some(configured.to_json()), there), Changed::Updated))
            }
            Change::Delete => {
                found.ok_or(Refusal::NotFound)?;
                Ok((write(None, there), Changed::Updated))
            }
            Change::Target(wanted) => {
                let of = match (is_relay, found) {
                    (true, _) => None,
                    (false, found) => Some(found.ok_or(Refusal::NotFound)?.0.id),
                };
                if target == Some(*wanted) {
                    return Ok((None, Changed::Updated));
                }
                let value = Wanted { target: *wanted, of }.to_json();
                let write = Write {
                    key: target_key(name),
                    value: Some(value),
                    expected: Expected::Anything,
                };
                Ok((Some(write), Changed::Updated))
            }
            Change::Restart { only_failed } => {
                if found.is_none() && !is_of_file && !is_relay {
                    return Err(Refusal::NotFound);
                }
                let value = Restart { only_failed: *only_failed }.to_json();
                let write = Write {
                    key: restart_key(name),
                    value: Some(value),
                    expected: Expected::Anything,
                };
                Ok((Some(write), Changed::Updated))
            }
        }
    }

    /// Asks all processes to set the level of a logger.
    pub(super) async fn set_level(&self, logger: &str, level: &str) -> Result<(), Refusal> {
        let (key, value) = (level_key(logger), Some(level_json(level)));
        let written = self.write(Write { key: key.clone(), value, expected: Expected::Anything });
        let revision = written.await.map_err(|fault| Refusal::Bus(fault.to_string()))?;
        self.read(|now| now.is_some_and(|now| now >= revision), &key).await;
        Ok(())
    }

    /// Removes what is left of a connector that was deleted, if it can: it concerns no other.
    async fn clear(&self, name: &str) {
        for key in [target_key(name), restart_key(name)] {
            let revision = self.picture().revision(&key);
            if let Some(revision) = revision {
                let expected = Expected::Revision(revision);
                self.write(Write { key, value: None, expected }).await.ok();
            }
        }
        self.states.put(&status_key(name), None);
    }

    fn check(&self, name: &str, config: &Config) -> Result<(), Refusal> {
        let problems = self.checks.problems(name, config);
        if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(problems)) }
    }

    async fn write(&self, write: Write) -> Result<u64, WriteFault> {
        let store = self.configs.clone();
        let writing = self.runtime.spawn_blocking(move || {
            store.write(&write.key, write.value.as_deref(), write.expected)
        });
        let failed =
            |why: String| WriteFault::Unclear(talon_runtime::bus::BusFault::Unavailable(why));
        writing.await.unwrap_or_else(|error| Err(failed(error.to_string())))
    }

    /// Waits, for a while, until the revision of a key is so.
    async fn read(&self, met: impl Fn(Option<u64>) -> bool, key: &str) {
        let mut version = self.version.subscribe();
        let is_met = version.wait_for(|_| met(self.picture().revision(key)));
        timeout_at(Instant::now() + READ, is_met).await.ok();
    }
}
