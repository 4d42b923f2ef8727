use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::book::Book;
use super::faults::{Fault, Faults};
use super::history::History;
use super::journal::Journal;
use super::reply::dress;
use super::server::{self, Door};
use super::settings::Settings;
use super::shared::Shared;
use crate::pace;

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
        let life = {
            let shared = Arc::clone(&shared);
            tokio::spawn(pace::live(shared.pace.subscribe(), move || {
                shared.edit(1);
            }))
        };
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
