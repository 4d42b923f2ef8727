//! The connectors of a process, which come, change and go while others run.
//!
//! Somebody says what is wanted of a connector by its name ([`Connectors::set`]); here it is made so. Only the
//! newest wish counts, and each connector is at one wish at a time: first all that runs of it ends, then the
//! wish is carried out, then it is looked whether there is a newer one. So there is one way from any state to
//! any other, and no connector waits for another.
//!
//! How it can fail or race, and what holds then:
//!
//! * *A pause while it opens or reads back.* Its grant closes, which ends both; nothing was published. A thread
//!   that still opens asks the grant before it fences, and holds it until it has ended, which is waited for.
//! * *A delete, or another configuration, while a commit waits.* The commit is finished, for as long as a
//!   hand-over may take; then the grant is over, and what was not committed is void and read again.
//! * *Another configuration.* Nothing of the new one begins before everything of the old one has ended, so the
//!   two never fence each other.
//! * *Two changes at once.* The later one counts. One in between may never be carried out.
//! * *A change while the process stops.* Nothing is started any more; what ends has its time.
//! * *The group takes the shard back meanwhile, or the grant lapses.* The bus waits for what still ends under an
//!   earlier grant too ([`Ownership::grant`](crate::bus::Ownership::grant)); what starts anew finds that the shard is
//!   another's, and stands by.
//! * *It is wanted here and deleted there*, as processes hear of a change at different times: who runs it is
//!   decided by the grant alone, and a process that has not heard of a new connector runs it when it has.
//!
//! A connector that does not run has no task, no thread and no connection.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use talon_sdk::Connector;

use super::alive::Alive;
use super::letters::{Letters, NotSettled, Order};
use super::running::{self, Running};
use super::view::Connected;
use crate::bus::{Owner, Shards};
use crate::service::farewell;
use crate::service::health::{Severity, State};
use crate::service::setup::{Setup, Shared};
use crate::shard::Ruling;

/// What is wanted of a connector.
pub enum Wish {
    /// It runs, wherever its shard is granted.
    Run(Setup),
    /// It does not run, and whoever has its shard keeps it. What is shown of it stays.
    Keep {
        /// Why it cannot run in this process, if it should.
        trouble: Option<String>,
    },
    /// It does not run, and its shard is given up.
    GiveUp,
    /// As [`Wish::GiveUp`], and nothing is shown or counted of it.
    Forget,
}

/// Where a connector is, in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// Whether this process has its shard; else who has it.
    pub owner: Result<(), Owner>,
    /// Whether the last wish is carried out.
    pub is_settled: bool,
}

/// The connectors of a process. Cheap to clone; can be used on any thread.
#[derive(Clone)]
pub struct Connectors(Arc<Inner>);

struct Inner {
    shared: Shared,
    shards: Shards,
    shown: Connected,
    alive: Alive,
    slots: Mutex<BTreeMap<String, Slot>>,
    stopped: AtomicBool,
}

#[derive(Default)]
struct Slot {
    /// The newest, until it is taken up.
    wish: Option<Wish>,
    /// A task is at it.
    at_work: bool,
    running: Option<Running>,
    /// What runs, or is about to end.
    connector: Option<Arc<dyn Connector>>,
    /// The way to what runs, for its dead letters.
    letters: Letters,
}

impl Connectors {
    pub(super) fn new(
        shared: Shared,
        shards: Shards,
        shown: Connected,
        alive: Alive,
    ) -> Connectors {
        let (slots, stopped) = (Mutex::default(), AtomicBool::new(false));
        Connectors(Arc::new(Inner { shared, shards, shown, alive, slots, stopped }))
    }

    /// From now on this is wanted of a connector. Returns at once; a connector of which nothing runs has its wish
    /// by then. To wish the same again starts it anew.
    pub fn set(&self, name: &str, wish: Wish) {
        let mut slots = self.slots();
        let slot = slots.entry(name.to_owned()).or_default();
        slot.wish = Some(wish);
        if slot.at_work {
            return;
        }
        if slot.running.is_none() {
            self.settle(name, &mut slots);
            return;
        }
        slot.at_work = true;
        let (this, of_task) = (self.clone(), name.to_owned());
        self.0.alive.spawn(async move { this.carry_out(&of_task).await });
    }

    /// Of connectors that came at run time nothing is vital.
    pub fn make_optional(&self, name: &str) {
        self.0.shared.health.make_optional(name);
    }

    /// Where a connector is.
    pub fn whereabouts(&self, name: &str) -> Whereabouts {
        let is_settled = self.slots().get(name).is_none_or(|slot| !slot.at_work);
        Whereabouts { owner: self.0.shared.ownership.owner(name), is_settled }
    }

    /// Settles dead letters of a connector, where it runs in this process.
    ///
    /// # Errors
    /// Where it does not, or the bus fails: then some may be settled, and who asks again finds which.
    pub async fn settle_letters(
        &self,
        name: &str,
        order: &Order,
    ) -> Result<Vec<Ruling>, NotSettled> {
        let letters = self.slots().get(name).map(|slot| slot.letters.clone());
        if self.whereabouts(name).owner.is_err() {
            return Err(NotSettled::NotHere);
        }
        letters.ok_or(NotSettled::NotHere)?.settle(&self.0.shared, name, order).await
    }

    /// Ends what runs, and carries out the newest wish.
    async fn carry_out(&self, name: &str) {
        let ending = |slot: &mut Slot| (slot.running.take(), slot.connector.clone());
        let (running, connector) = self.slots().get_mut(name).map_or((None, None), ending);
        if let Some(running) = running {
            let release = self.0.shared.ownership.rest(name);
            running.end(&release).await;
        }
        if let Some(connector) = connector {
            farewell(connector.as_ref()).await;
        }
        let mut slots = self.slots();
        if let Some(slot) = slots.get_mut(name) {
            slot.at_work = false;
        }
        // In one step with the end of the work: a wish that comes now finds either.
        self.settle(name, &mut slots);
    }

    /// Carries out the newest wish of a connector of which nothing runs.
    fn settle(&self, name: &str, slots: &mut BTreeMap<String, Slot>) {
        let Some(slot) = slots.get_mut(name) else { return };
        let Some(wish) = slot.wish.take() else { return };
        if self.0.stopped.load(Ordering::Acquire) {
            return;
        }
        let Inner { shared, shards, shown, alive, .. } = &*self.0;
        slot.connector = None;
        slot.letters.setup = None;
        match wish {
            Wish::Run(setup) => {
                shared.metrics.expect_connector(name);
                shared.ownership.wake(name);
                slot.connector = Some(setup.connector.clone());
                slot.letters.setup = Some(setup.clone());
                let inlet = slot.letters.inlet.clone();
                let (running, view) = running::start(shared, setup, inlet, alive);
                slot.running = Some(running);
                shown.show(name, view);
                shards.add(name);
            }
            Wish::Keep { trouble } => {
                shared.ownership.rest(name);
                shared.health.forget(name);
                if let Some(trouble) = trouble {
                    shared.health.set(name, Severity::Vital, State::Misconfigured, &trouble);
                }
                shards.add(name);
            }
            Wish::GiveUp => {
                shared.health.forget(name);
                shown.hide(name);
                shards.remove(name);
            }
            Wish::Forget => {
                shared.health.forget(name);
                shared.ownership.wake(name);
                shown.hide(name);
                shards.remove(name);
                shared.metrics.forget_connector(name);
                slots.remove(name);
            }
        }
    }

    /// Nothing is started any more. Gives what runs, to take leave of it when it has ended.
    pub(super) fn stop(&self) -> Vec<Arc<dyn Connector>> {
        let slots = self.slots();
        self.0.stopped.store(true, Ordering::Release);
        slots.values().filter_map(|slot| slot.connector.clone()).collect()
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Slot>> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
