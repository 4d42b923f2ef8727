//! Offsets of connectors, as any process shows and changes them: by what `talon offsets` does, for connectors that
//! are stopped.
//!
//! How it can fail or race, and what holds then:
//!
//! * *The connector has just been stopped.* Whoever ran it commits what was read; that is waited for.
//! * *It is resumed meanwhile.* Its new owner is fenced, reads back, and goes on from what was set; with
//!   `delivery: at-least-once` on Kafka nobody is fenced, and it may write its own offset over it.
//! * *Two change offsets at once.* The later one fences the earlier one, which is told.
//! * *A process is killed while a connector is being created with offsets.* The connector is there, stopped.
//! * *The offsets of a new connector are refused.* It is deleted again; nobody has run it.

use std::time::Duration;

use serde_json::Value;
use talon_runtime::bus::BusFault;
use talon_runtime::offsets::{Offsets as Known, OffsetsError};
use talon_runtime::{Setup, shard_spec};
use tokio::task::JoinError;
use tokio::time::{Instant, sleep};

use super::change::{Change, Changed, Refusal};
use super::records::{Config, Target};
use super::shared::Shared;
use crate::offsets::change::{Asked, problem, show};

/// How long is waited for whoever ran a connector to let it go.
const LET_GO: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(200);

/// How a client says that the offset of a log is to be changed all the same.
const FORCE: &str = "`?force=true`";

/// What offsets are to be.
#[derive(Debug, Clone)]
pub(crate) enum Alter {
    /// These are others; the rest stays.
    Set(Vec<Asked>),
    /// All feeds read from the beginning.
    Reset,
}

impl Shared {
    /// The offsets of a connector, whoever runs it.
    pub(super) async fn offsets(&self, name: &str) -> Result<Value, Refusal> {
        let setup = self.setup(name)?;
        let (bus, shard) = (self.bus.clone(), shard_spec(&self.prefix, &setup));
        let _one = self.at_offsets.lock().await;
        let reading = self.runtime.spawn_blocking(move || Known::read(bus.as_ref(), &shard));
        let known = reading.await.map_err(defect)?.map_err(of_bus)?;
        Ok(show(&known))
    }

    /// Changes the offsets of a connector that is stopped.
    pub(super) async fn alter(
        &self,
        name: &str,
        alter: Alter,
        is_forced: bool,
    ) -> Result<(), Refusal> {
        if self.file.contains_key(name) {
            return Err(Refusal::OfFile);
        }
        self.is_stopped(name)?;
        let setup = self.setup(name)?;
        let force = (!is_forced).then_some(FORCE);
        if let Alter::Set(asked) = &alter {
            check(&setup, asked, force)?;
        }
        let end = Instant::now() + LET_GO;
        let _one = self.at_offsets.lock().await;
        loop {
            self.is_stopped(name)?;
            let runs = match self.connectors.whereabouts(name).is_settled {
                true => {
                    let (bus, shard) = (self.bus.clone(), shard_spec(&self.prefix, &setup));
                    let (of_thread, alter) = (setup.clone(), alter.clone());
                    let now_ms = self.checks.clock.now_ms();
                    let changing = self.runtime.spawn_blocking(move || {
                        let mut known = Known::take_over(bus.as_ref(), &shard)?;
                        let asked = match alter {
                            Alter::Set(asked) => asked,
                            Alter::Reset => all(&of_thread, &known),
                        };
                        if let Err(refusal) = check(&of_thread, &asked, force) {
                            return Ok(Err(refusal));
                        }
                        let pairs = asked.into_iter().map(|asked| (asked.feed, asked.offset));
                        known.set(pairs.collect(), now_ms)?;
                        Ok(Ok(()))
                    });
                    match changing.await.map_err(defect)? {
                        Ok(changed) => return changed,
                        Err(OffsetsError::Bus(fault)) => return Err(of_bus(fault)),
                        Err(OffsetsError::Owned { process, .. }) => process,
                    }
                }
                false => self.worker.clone(),
            };
            if Instant::now() >= end {
                return Err(Refusal::Runs(runs));
            }
            sleep(PAUSE).await;
        }
    }

    /// Creates a connector that begins with these offsets.
    pub(super) async fn create_from(
        &self,
        name: &str,
        (config, initial): (Config, Target),
        asked: Vec<Asked>,
        is_forced: bool,
    ) -> Result<Changed, Refusal> {
        let setup = self.checks.setup(name, &config).map_err(Refusal::Invalid)?;
        check(&setup, &asked, (!is_forced).then_some(FORCE))?;
        let created = self.change(name, Change::Create(config, Target::Stopped)).await?;
        if let Err(refusal) = self.alter(name, Alter::Set(asked), is_forced).await {
            self.change(name, Change::Delete).await.ok();
            return Err(refusal);
        }
        if initial != Target::Stopped {
            self.change(name, Change::Target(initial)).await?;
        }
        Ok(created)
    }

    fn is_stopped(&self, name: &str) -> Result<(), Refusal> {
        match self.picture().target(name) {
            None => Err(Refusal::NotFound),
            Some(Target::Stopped) => Ok(()),
            Some(Target::Running | Target::Paused) => Err(Refusal::NotStopped),
        }
    }

    /// A connector as it is configured, without its secrets.
    fn setup(&self, name: &str) -> Result<Setup, Refusal> {
        if let Some(file) = self.file.get(name) {
            return Ok(file.setup.clone());
        }
        let (configured, _, _) = self.now(name).ok_or(Refusal::NotFound)?;
        self.checks.setup(name, &configured.config).map_err(Refusal::Invalid)
    }
}

/// Each feed that has an offset, to be read from the beginning.
fn all(setup: &Setup, known: &Known) -> Vec<Asked> {
    let plans = setup.connector.feeds();
    // One that is not switched on keeps its own: nobody says what it is.
    let is_read = |feed: &str| plans.iter().any(|plan| *plan.spec.name == *feed);
    let all = known.all().into_iter();
    let all = all.filter(|(feed, offset)| offset.is_some() && is_read(feed));
    all.map(|(feed, _)| Asked { feed: feed.to_owned(), offset: None }).collect()
}

fn check(setup: &Setup, asked: &[Asked], force: Option<&str>) -> Result<(), Refusal> {
    let problem = asked.iter().find_map(|asked| problem(setup, asked, force));
    problem.map_or(Ok(()), |problem| Err(Refusal::Offsets(problem)))
}

fn of_bus(fault: BusFault) -> Refusal {
    Refusal::Bus(fault.to_string())
}

fn defect(error: JoinError) -> Refusal {
    Refusal::Bus(format!("a defect of Talon: {error}"))
}
