use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::auth::Scheme;
use super::connection::Lines;
use super::faults::{Fault, Faults};
use super::history::{History, Kind};
use super::journal::Journal;
use super::life::{self, Life};
use super::server::{self, Door};
use super::settings::Settings;
use super::store::Store;

/// A running upstream; a cheap handle, for any number of tasks at once. It ends with
/// [`Simulator::stop`] or with the last handle.
#[derive(Clone)]
pub struct Simulator(Arc<Running>);

/// The highest marks drawn so far; late rows that are not visible yet count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Of `GET /call/modifications/{timestamp}`.
    pub calls: i64,
    /// Of `GET /call/messages/modifications/{timestamp}`.
    pub messages: i64,
    /// Of `GET /call/jeopardies/modifications/{timestamp}`.
    pub jeopardies: i64,
}

impl Simulator {
    /// Makes the world of the settings and listens.
    ///
    /// # Errors
    ///
    /// A setting out of its bounds, or an address that cannot be listened on.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        settings.check()?;
        let listen = settings.listen;
        let shared = Arc::new(Shared::new(settings));
        let (addr, server) = server::start(Arc::clone(&shared), listen).await?;
        let life = tokio::spawn(life::live(Arc::clone(&shared)));
        let tasks = [server, life];
        Ok(Self(Arc::new(Running { shared, addr, tasks })))
    }

    /// `http://<address>`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.addr)
    }

    /// The address, with the port that was taken.
    pub fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    /// Makes so many random edits now and returns when they are made: some 10 µs each in release.
    /// Requests come in between.
    pub fn edit(&self, edits: usize) {
        self.0.shared.edit(edits);
    }

    /// Makes all late rows visible.
    pub fn settle(&self) {
        self.0.shared.store().settle();
    }

    /// Adds a fault.
    pub fn fault(&self, fault: impl Into<Fault>) {
        self.0.shared.faults.add(fault);
    }

    /// The faults in force.
    pub fn faults(&self) -> Faults {
        self.0.shared.faults.clone()
    }

    /// What was published.
    pub fn history(&self) -> History {
        History { shared: Arc::clone(&self.0.shared) }
    }

    /// What had an effect, and how often what was asked.
    pub fn journal(&self) -> Journal {
        self.0.shared.journal.clone()
    }

    /// The highest marks.
    pub fn marks(&self) -> Marks {
        self.0.shared.marks()
    }

    /// How it behaves now.
    pub fn settings(&self) -> Settings {
        self.0.shared.store().settings.clone()
    }

    /// Changes how it behaves, from a JSON object with the fields to change.
    ///
    /// # Errors
    ///
    /// As [`Settings::changed`]; nothing is changed then.
    pub fn change_settings(&self, patch: &Value) -> anyhow::Result<()> {
        self.0.shared.change_settings(patch)
    }

    /// Ends all tokens of a scheme that were issued so far; of the external system there are none.
    pub fn expire_tokens(&self, scheme: Scheme) {
        self.0.shared.store().users.expire(scheme);
    }

    /// Moves the time of tokens forward, so that they expire without waiting.
    pub fn advance(&self, by: Duration) {
        self.0.shared.store().users.advance(by);
    }

    /// Closes the port and all connections and keeps the state: the upstream is away.
    pub async fn pause_listening(&self) {
        self.0.shared.door.close().await;
    }

    /// Listens on the same port again. Waits until it is free.
    pub async fn resume_listening(&self) {
        self.0.shared.door.open().await;
    }

    /// Closes the port and all connections, for other handles as well; it cannot listen again.
    pub async fn stop(self) {
        self.pause_listening().await;
        self.0.abort();
    }
}

struct Running {
    shared: Arc<Shared>,
    addr: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

impl Running {
    fn abort(&self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.lines.cut_all();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.abort();
    }
}

/// What requests, the life and the handles share.
pub(super) struct Shared {
    pub(super) faults: Faults,
    pub(super) journal: Journal,
    pub(super) lines: Lines,
    pub(super) door: Door,
    /// The edits a second, for the life to wait on.
    pub(super) pace: watch::Sender<f64>,
    world: Mutex<World>,
}

/// The state and what changes it by itself, in lockstep.
pub(super) struct World {
    store: Store,
    life: Life,
}

/// The lock on the store.
pub(super) struct StoreGuard<'a>(MutexGuard<'a, World>);

impl std::ops::Deref for StoreGuard<'_> {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.0.store
    }
}

impl std::ops::DerefMut for StoreGuard<'_> {
    fn deref_mut(&mut self) -> &mut Store {
        &mut self.0.store
    }
}

impl Shared {
    fn new(settings: Settings) -> Self {
        let pace = watch::Sender::new(settings.edits_per_second);
        let mut life = Life::new(&settings);
        let mut store = Store::new(settings);
        life.populate(&mut store);
        Self {
            faults: Faults::default(),
            journal: Journal::default(),
            lines: Lines::default(),
            door: Door::default(),
            pace,
            world: Mutex::new(World { store, life }),
        }
    }

    pub(super) fn store(&self) -> StoreGuard<'_> {
        StoreGuard(self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One lock an edit, so that reads come in between.
    pub(super) fn edit(&self, edits: usize) {
        for _ in 0..edits {
            let mut guard = self.store();
            let World { store, life } = &mut *guard.0;
            life.edit(store);
        }
    }

    pub(super) fn marks(&self) -> Marks {
        let store = self.store();
        Marks {
            calls: store.head(Kind::Calls),
            messages: store.head(Kind::Messages),
            jeopardies: store.head(Kind::Jeopardies),
        }
    }

    pub(super) fn change_settings(&self, patch: &Value) -> anyhow::Result<()> {
        let mut store = self.store();
        store.settings = store.settings.changed(patch)?;
        let pace = store.settings.edits_per_second;
        drop(store);
        self.pace.send_replace(pace);
        Ok(())
    }
}
