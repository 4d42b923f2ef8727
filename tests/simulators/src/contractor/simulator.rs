use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;

use super::faults::{Fault, Faults};
use super::history::History;
use super::journal::Journal;
use super::scheme::Scheme;
use super::server;
use super::settings::Settings;
use super::shared::{Marks, Shared};
use crate::pace;

/// A running upstream; a cheap handle, for any number of tasks at once. It ends with
/// [`Simulator::stop`] or with the last handle.
#[derive(Clone)]
pub struct Simulator(Arc<Running>);

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
        let life = {
            let shared = Arc::clone(&shared);
            tokio::spawn(pace::live(shared.pace.subscribe(), move || {
                shared.edit(1);
            }))
        };
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
