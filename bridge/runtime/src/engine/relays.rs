//! The relays of a process, which are paused, stopped and started anew while others run.
//!
//! As with [connectors](super::connectors) only the newest wish counts, and each relay is at one at a time: where its
//! tasks are to end, that is waited for before anything of it begins again. Nothing runs before somebody wishes so.
//!
//! * *Paused*: its tasks stay in their processes, tell how far they are behind, and carry nothing.
//! * *Stopped*: it has no task, no thread and no connection, and no process has its shards.
//!
//! How it can fail or race is told at the head of [connectors](super::connectors); that a task is run by one process
//! rests on its grant and its fence, so processes may hear of a change at different times.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::alive::Alive;
use super::running::Running;
use crate::bus::{Owner, Shards};
use crate::relay::{Pause, Relay, RelayTask, RelayView, Status};
use crate::service::health::{Severity, State};
use crate::service::keep;
use crate::service::setup::Shared;

/// What is wanted of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayWish {
    /// It carries records.
    Run,
    /// It rests, and tells how far it is behind.
    Pause,
    /// It does not run.
    Stop,
}

/// The relays of a process. Cheap to clone; can be used on any thread.
#[derive(Clone)]
pub struct Relays(Arc<Inner>);

struct Inner {
    shared: Shared,
    shards: Shards,
    alive: Alive,
    slots: Mutex<BTreeMap<String, Slot>>,
    stopped: AtomicBool,
}

struct Slot {
    relay: Relay,
    pause: Pause,
    /// Of each task.
    statuses: Vec<Status>,
    /// The newest, until it is taken up.
    wish: Option<RelayWish>,
    /// All of it is to end first.
    anew: bool,
    /// Something of it ends.
    at_work: bool,
    /// Its tasks, by their shards.
    running: Vec<(String, Running)>,
}

impl Relays {
    pub(super) fn new(
        shared: &Shared,
        shards: &Shards,
        alive: &Alive,
        relays: Vec<Relay>,
    ) -> Relays {
        let slot = |relay: Relay| {
            for shard in relay.shards() {
                let message = "what is wanted of it is being read";
                shared.health.set(&shard, Severity::Vital, State::Starting, message);
            }
            let statuses = relay.shards().map(|_| Status::default()).collect();
            let (name, pause) = (relay.name.clone(), Pause::default());
            let (wish, running) = (None, Vec::new());
            (name, Slot { relay, pause, statuses, wish, anew: false, at_work: false, running })
        };
        let slots = Mutex::new(relays.into_iter().map(slot).collect());
        let (shared, shards, alive) = (shared.clone(), shards.clone(), alive.clone());
        let stopped = AtomicBool::new(false);
        Relays(Arc::new(Inner { shared, shards, alive, slots, stopped }))
    }

    /// What is shown of their tasks.
    pub(super) fn views(&self) -> Vec<RelayView> {
        let metrics = &self.0.shared.metrics.relays;
        let of_slot = |(name, slot): (&String, &Slot)| {
            let way = slot.relay.way();
            let view =
                |(task, status): (u32, &Status)| RelayView::new(name, task, &way, status, metrics);
            (0..).zip(&slot.statuses).map(view).collect::<Vec<_>>()
        };
        self.slots().iter().flat_map(of_slot).collect()
    }

    /// The shards of the tasks of each relay, by name.
    pub fn shards(&self) -> BTreeMap<String, Vec<String>> {
        let of = |(name, slot): (&String, &Slot)| (name.clone(), slot.relay.shards().collect());
        self.slots().iter().map(of).collect()
    }

    /// Whether this process has the shard of a task; else who has it.
    pub fn owner(&self, shard: &str) -> Result<(), Owner> {
        self.0.shared.ownership.owner(shard)
    }

    /// Why nobody can say yet what is wanted of them.
    pub fn wait(&self, why: &str) {
        let message = format!("what is wanted of it cannot be read: {why}");
        for slot in self.slots().values().filter(|slot| slot.running.is_empty()) {
            for shard in slot.relay.shards() {
                self.0.shared.health.set(&shard, Severity::Vital, State::Starting, &message);
            }
        }
    }

    /// From now on this is wanted of a relay. Returns at once.
    pub fn set(&self, name: &str, wish: RelayWish) {
        self.wish(name, |slot| {
            slot.wish = Some(wish);
            slot.anew |= wish == RelayWish::Stop;
        });
    }

    /// A relay that runs or is paused starts anew, the part of it that is in this process.
    pub fn restart(&self, name: &str) {
        self.wish(name, |slot| {
            let is_paused = slot.pause.is_set();
            if slot.wish.is_none() && !slot.running.is_empty() {
                slot.wish = Some(if is_paused { RelayWish::Pause } else { RelayWish::Run });
                slot.anew = true;
            }
        });
    }

    fn wish(&self, name: &str, wish: impl FnOnce(&mut Slot)) {
        let mut slots = self.slots();
        let Some(slot) = slots.get_mut(name) else { return };
        wish(slot);
        if slot.at_work {
            return;
        }
        if slot.running.is_empty() || !slot.anew {
            self.settle(slot);
            return;
        }
        slot.at_work = true;
        let (this, of_task) = (self.clone(), name.to_owned());
        self.0.alive.spawn(async move { this.carry_out(&of_task).await });
    }

    /// Ends what runs, and carries out the newest wish.
    async fn carry_out(&self, name: &str) {
        let running = self.slots().get_mut(name).map(|slot| std::mem::take(&mut slot.running));
        // All at once, and then each is waited for.
        let rest =
            |(shard, running): (String, Running)| (self.0.shared.ownership.rest(&shard), running);
        let ending: Vec<_> = running.into_iter().flatten().map(rest).collect();
        for (release, running) in ending {
            running.end(&release).await;
        }
        let mut slots = self.slots();
        if let Some(slot) = slots.get_mut(name) {
            slot.at_work = false;
            // In one step with the end of the work: a wish that comes now finds either.
            self.settle(slot);
        }
    }

    /// Carries out the newest wish. Where all of it is to end first, it has.
    fn settle(&self, slot: &mut Slot) {
        let Some(wish) = slot.wish.take() else { return };
        slot.anew = false;
        let Inner { shared, shards, alive, stopped, .. } = &*self.0;
        if stopped.load(Ordering::Acquire) {
            return;
        }
        if wish == RelayWish::Stop {
            for shard in slot.relay.shards() {
                shared.health.remove(&shard);
                shards.remove(&shard);
            }
            return;
        }
        slot.pause.set(wish == RelayWish::Pause);
        if !slot.running.is_empty() {
            return;
        }
        tracing::info!(relay = slot.relay.name, way = slot.relay.way(), "relay started");
        for ((task, shard), status) in (0..).zip(slot.relay.shards()).zip(&slot.statuses) {
            shared.ownership.wake(&shard);
            let task = RelayTask::new(shared, (&slot.relay, task), status, &slot.pause);
            let running = Running::of(vec![alive.spawn(keep(shared.clone(), task))]);
            shards.add(&shard);
            slot.running.push((shard, running));
        }
    }

    /// Nothing is started any more.
    pub(super) fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Slot>> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
