use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use anyhow::Context;
use jiff::civil::Date;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::faults::{Fault, Faults};
use super::settings::Settings;
use super::shared::{Asked, Shared};
use super::{life, routes, write};

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
        let tcp = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on `{listen}`"))?;
        let addr = tcp.local_addr()?;
        let router = routes::router(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(tcp, router).await {
                tracing::error!(%error, "the simulator stopped serving");
            }
        });
        Ok(Self(Arc::new(Running { shared, addr, server })))
    }

    /// `http://<address>`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.addr)
    }

    /// Its clock: milliseconds since 1970 UTC, to be read and set; 0 is the machine's clock.
    pub fn clock(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.0.shared.clock)
    }

    /// The identifiers of the branches, by place.
    pub fn branches(&self) -> Vec<String> {
        self.0.shared.world.branches.iter().map(|branch| branch.id.to_string()).collect()
    }

    /// The identifiers of the ticket sources.
    pub fn sources(&self) -> Vec<String> {
        self.0.shared.world.sources.iter().map(|source| source.id.to_string()).collect()
    }

    /// The tickets of a branch's day as they are now, with history and without data fields.
    pub fn day(&self, branch: usize, day: Date) -> Vec<Value> {
        let shared = &self.0.shared;
        let place = &shared.world.branches[branch];
        let now = place.local(shared.now_ms());
        let view = write::View::documented(now, &self.0.shared.settings());
        let mut tickets = Vec::new();
        for ticket in life::tickets(&shared.world, branch, day) {
            let mut text = String::new();
            if write::ticket(&shared.world, place, &ticket, view, &mut text) {
                tickets.extend(serde_json::from_str::<Value>(&text));
            }
        }
        tickets
    }

    /// The states that each ticket of a branch's day has been in up to a time (ms since 1970 UTC), by its
    /// identifier and in order, with history and without data fields.
    pub fn states(&self, branch: usize, day: Date, until_ms: i64) -> BTreeMap<String, Vec<String>> {
        let world = &self.0.shared.world;
        let place = &world.branches[branch];
        let until = place.local(until_ms);
        let tickets = life::tickets(world, branch, day).filter(|ticket| ticket.created <= until);
        let states = |ticket: &life::Ticket| {
            let mut states: Vec<String> = Vec::new();
            for now in ticket.times().into_iter().filter(|at| *at <= until) {
                let view = write::View::documented(now, &self.0.shared.settings());
                let mut text = String::new();
                if write::ticket(world, place, ticket, view, &mut text)
                    && states.last() != Some(&text)
                {
                    states.push(text);
                }
            }
            states
        };
        tickets.map(|ticket| (ticket.id.to_string(), states(&ticket))).collect()
    }

    /// What replies say of a branch beside its tickets.
    pub fn department(&self, branch: usize) -> Value {
        let shared = &self.0.shared;
        routes::department(&shared.world.branches[branch], branch, &shared.settings())
    }

    /// Its time, milliseconds since 1970 UTC.
    pub fn now_ms(&self) -> i64 {
        self.0.shared.now_ms()
    }

    /// Adds a fault.
    pub fn fault(&self, fault: impl Into<Fault>) {
        self.0.shared.faults.add(fault);
    }

    /// The faults in force.
    pub fn faults(&self) -> Faults {
        self.0.shared.faults.clone()
    }

    /// How often each branch-day was asked for, refused ones included.
    pub fn asked(&self) -> BTreeMap<Asked, u64> {
        self.0.shared.counts().days.clone()
    }

    /// How many requests came, by path.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.0.shared.counts().requests.clone()
    }

    /// How it behaves now.
    pub fn settings(&self) -> Settings {
        self.0.shared.settings().clone()
    }

    /// Changes how it behaves, from a JSON object with the fields to change.
    ///
    /// # Errors
    ///
    /// As [`Settings::changed`]; nothing is changed then.
    pub fn change_settings(&self, patch: &Value) -> anyhow::Result<()> {
        self.0.shared.change_settings(patch)
    }

    /// Closes the port and all connections, for other handles as well.
    pub fn stop(self) {
        self.0.server.abort();
    }
}

struct Running {
    shared: Arc<Shared>,
    addr: SocketAddr,
    server: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.abort();
    }
}
