//! What requests, the life and the handles share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::book::Book;
use super::commands::{self, Request, Topic};
use super::faults::Faults;
use super::journal::Journal;
use super::life::Life;
use super::log::Log;
use super::peers::Peers;
use super::reply::push;
use super::settings::Settings;
use super::store::{Store, Touched};

/// The upstream as it is now.
pub(super) struct Shared {
    pub(super) faults: Faults,
    pub(super) journal: Journal,
    /// The edits a second, for the life to wait on.
    pub(super) pace: watch::Sender<f64>,
    world: Mutex<World>,
}

/// The state, what changes it by itself, and who is told, in lockstep.
pub(super) struct World {
    pub(super) store: Store,
    pub(super) peers: Peers,
    pub(super) log: Log,
    life: Life,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Shared {
        let pace = watch::Sender::new(settings.edits_per_second);
        let (mut life, visitors) = (Life::new(settings.seed), settings.visitors);
        let mut store = Store::new(settings);
        for _ in 0..visitors {
            life.arrive(&mut store);
        }
        store.touched.clear();
        let all = Book::ALL.into_iter().map(Touched::Book).chain([Touched::Queue]).collect();
        let mut world = World { store, peers: Peers::default(), log: Log::default(), life };
        world.record(&all);
        Shared {
            faults: Faults::default(),
            journal: Journal::default(),
            pace,
            world: Mutex::new(world),
        }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One lock an edit, so that requests come in between.
    pub(super) fn edit(&self, edits: usize) {
        for _ in 0..edits {
            let mut guard = self.world();
            guard.catch_up();
            let World { store, life, .. } = &mut *guard;
            life.edit(store);
            guard.tell(&self.faults);
        }
    }

    pub(super) fn arrive(&self, visitors: usize) {
        let mut guard = self.world();
        guard.catch_up();
        let World { store, life, .. } = &mut *guard;
        for _ in 0..visitors {
            life.arrive(store);
        }
        guard.tell(&self.faults);
    }

    pub(super) fn act(&self, command: &str, data: Value) -> Result<Value, i64> {
        let mut world = self.world();
        world.catch_up();
        let token = "{inside}".to_owned();
        world.store.sessions.insert(token.clone());
        let request = Request { command: command.to_owned(), token: Some(token.clone()), data };
        let done = commands::run(&mut world.store, &request);
        world.store.sessions.remove(&token);
        world.tell(&self.faults);
        done.map_or(Err(0), |done| done.outcome.map_err(|refusal| refusal.0))
    }

    pub(super) fn change_settings(&self, patch: &Value) -> anyhow::Result<()> {
        let mut world = self.world();
        world.store.settings = world.store.settings.changed(patch)?;
        let pace = world.store.settings.edits_per_second;
        drop(world);
        self.pace.send_replace(pace);
        Ok(())
    }
}

impl World {
    /// Notes what is true, where that is wanted.
    fn record(&mut self, touched: &BTreeSet<Touched>) {
        if self.store.settings.keep_history {
            self.log.record(&mut self.store, touched);
        }
    }

    /// Notes what has changed by time alone. To be called before each change.
    pub(super) fn catch_up(&mut self) {
        if self.store.settings.keep_history {
            self.log.catch_up(&self.store);
        }
    }

    /// Pushes what was touched to those who are subscribed to it.
    pub(super) fn tell(&mut self, faults: &Faults) {
        let touched = std::mem::take(&mut self.store.touched);
        if touched.is_empty() {
            return;
        }
        self.record(&touched);
        let (store, now) = (&self.store, self.store.now_ms());
        let mut made: BTreeMap<Topic, Option<(String, String)>> = BTreeMap::new();
        self.peers.push(&store.settings, faults, |topic| {
            let make = || match topic {
                Topic::Book(book) => touched.contains(&Touched::Book(book)).then(|| {
                    let command = book.list_command();
                    let text = push(&store.settings, &command, &store.rows(book), now);
                    (command, text)
                }),
                Topic::Queue { workplace, detailed } => {
                    let is_touched = touched.contains(&Touched::Queue);
                    let rows = store.queue(workplace, detailed).ok().filter(|_| is_touched)?;
                    let text = push(&store.settings, "currentQueue", &rows, now);
                    Some(("currentQueue".to_owned(), text))
                }
            };
            made.entry(topic).or_insert_with(make).clone()
        });
    }
}
