use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::book::Book;
use super::commands::Topic;
use super::faults::{Fault, Faults};
use super::history::{History, Log};
use super::journal::Journal;
use super::life::{self, Life};
use super::reply::{dress, push};
use super::server::{self, Door};
use super::settings::Settings;
use super::socket::Peers;
use super::store::{Store, Touched};

/// A running upstream; a cheap handle, for any number of tasks at once. It ends with
/// [`Simulator::stop`] or with the last handle.
#[derive(Clone)]
pub struct Simulator(Arc<Running>);

/// How much there is of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Open sockets.
    pub sockets: usize,
    /// Sessions that were opened and not closed.
    pub sessions: usize,
    /// States in `statistics`.
    pub states: usize,
}

impl Simulator {
    /// Furnishes the hall and listens.
    ///
    /// # Errors
    ///
    /// An address that cannot be listened on.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let listen = settings.listen;
        let shared = Arc::new(Shared::new(settings));
        let (addr, door) = server::start(Arc::clone(&shared), listen).await?;
        let life = tokio::spawn(life::live(Arc::clone(&shared)));
        Ok(Self(Arc::new(Running { shared, addr, door, life })))
    }

    /// `ws://<address>/logic`.
    pub fn url(&self) -> String {
        format!("ws://{}/logic", self.0.addr)
    }

    /// `http://<address>`, for `/_sim`.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.0.addr)
    }

    /// Makes so many random edits now, each with its pushes, and returns when they are made.
    pub fn edit(&self, edits: usize) {
        self.0.shared.edit(edits);
    }

    /// So many visitors come, with one push at the end.
    pub fn arrive(&self, visitors: usize) {
        self.0.shared.arrive(visitors);
    }

    /// Runs a command as if a workplace's own program had sent it; gives its data.
    ///
    /// # Errors
    ///
    /// The `codeError` of a refusal.
    pub fn act(&self, command: &str, data: Value) -> Result<Value, i64> {
        self.0.shared.act(command, data)
    }

    /// What the list of a book has now, by id.
    pub fn book(&self, book: Book) -> BTreeMap<i64, Value> {
        let world = self.0.shared.world();
        let rows = world.store.rows(book).into_iter().map(|mut row| {
            let id = row["id"].as_i64().unwrap_or_default();
            dress(&world.store.settings, &mut row);
            (id, row)
        });
        rows.collect()
    }

    /// Who waits for a workplace now, best first.
    pub fn queue(&self, workplace: i64) -> Vec<i64> {
        let queue = self.0.shared.world().store.queue(workplace, false).unwrap_or_default();
        queue.iter().filter_map(|row| row["id"].as_i64()).collect()
    }

    /// How much there is of what.
    pub fn counts(&self) -> Counts {
        let world = self.0.shared.world();
        Counts {
            sockets: world.peers.len(),
            sessions: world.store.sessions.len(),
            states: world.store.state_count(),
        }
    }

    /// Adds a fault.
    pub fn fault(&self, fault: impl Into<Fault>) {
        self.0.shared.faults.add(fault);
    }

    /// The faults in force.
    pub fn faults(&self) -> Faults {
        self.0.shared.faults.clone()
    }

    /// What had an effect, and how often what was asked.
    pub fn journal(&self) -> Journal {
        self.0.shared.journal.clone()
    }

    /// What was true when.
    pub fn history(&self) -> History {
        History { shared: Arc::clone(&self.0.shared) }
    }

    /// How it behaves now.
    pub fn settings(&self) -> Settings {
        self.0.shared.world().store.settings.clone()
    }

    /// Changes how it behaves, from a JSON object with the fields to change.
    ///
    /// # Errors
    ///
    /// As [`Settings::changed`]; nothing is changed then.
    pub fn change_settings(&self, patch: &Value) -> anyhow::Result<()> {
        self.0.shared.change_settings(patch)
    }

    /// Forgets all sessions; open sockets stay.
    pub fn forget_sessions(&self) {
        self.0.shared.world().store.sessions.clear();
    }

    /// Cuts every socket.
    pub fn cut(&self) {
        self.0.shared.world().peers.cut();
    }

    /// Sends a text as it is to every socket.
    pub fn say(&self, text: &str) {
        self.0.shared.world().peers.say(text);
    }

    /// Sends the answers that [`FaultKind::Late`](super::FaultKind::Late) holds back.
    pub fn release(&self) {
        self.0.shared.world().peers.release();
    }

    /// Closes the port and all sockets and keeps the state: the upstream is away.
    pub async fn pause_listening(&self) {
        self.0.door.close().await;
        self.cut();
    }

    /// Listens on the same port again. Waits until it is free.
    pub async fn resume_listening(&self) {
        self.0.door.open().await;
    }

    /// Closes the port and all sockets.
    pub async fn stop(self) {
        self.pause_listening().await;
    }
}

struct Running {
    shared: Arc<Shared>,
    addr: SocketAddr,
    door: Door,
    life: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.life.abort();
        self.door.abandon();
        self.shared.world().peers.cut();
    }
}

/// What requests, the life and the handles share.
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
    fn new(settings: Settings) -> Shared {
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
        let request = super::commands::Request {
            command: command.to_owned(),
            token: Some(token.clone()),
            data,
        };
        let done = super::commands::run(&mut world.store, &request);
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
        self.peers.push(faults, |topic| {
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
