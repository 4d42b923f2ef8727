use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use anyhow::Context;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::faults::{Fault, Faults};
use super::journal::Effect;
use super::routes;
use super::settings::Settings;
use super::shared::Shared;
use crate::connection::{CuttableListener, Line};

/// A running upstream; a cheap handle, for any number of tasks at once. It ends with
/// [`Simulator::stop`] or with the last handle.
#[derive(Clone)]
pub struct Simulator(Arc<Running>);

impl Simulator {
    /// Makes the hall of the settings and listens. Its life begins when it is asked for the first time.
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
        let listener = CuttableListener { tcp, lines: shared.lines.clone() };
        let service = router.into_make_service_with_connect_info::<Line>();
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, service).await {
                tracing::error!(%error, "the simulator stopped serving");
            }
        });
        Ok(Self(Arc::new(Running { shared, addr, server })))
    }

    /// `http://<address>/api/1`, what connectors are given.
    pub fn url(&self) -> String {
        format!("http://{}/api/1", self.0.addr)
    }

    /// The base URL of the central server above it, as the ticket export shows the same hall.
    pub fn central_url(&self) -> String {
        format!("http://{}/central", self.0.addr)
    }

    /// Its clock: milliseconds since 1970 UTC, to be read and set forward; 0 is the machine's clock.
    pub fn clock(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.0.shared.clock)
    }

    /// Its time, milliseconds since 1970 UTC.
    pub fn now_ms(&self) -> i64 {
        self.0.shared.now_ms()
    }

    /// What a GET of the table gives now, in the forms of the settings and without noise: the path below
    /// the base, and who asks. For the truth that topics are compared with.
    ///
    /// # Errors
    ///
    /// It is refused.
    pub fn look(&self, path: &str, workplace: Option<&str>) -> anyhow::Result<Value> {
        routes::act(&mut self.0.shared.store(), ("GET", path), Value::Null, workplace)
    }

    /// Does what a POST of the table does, as [`Simulator::look`] looks: at a workplace, as somebody who books
    /// under that name, or as the hall's administrator. It is no request: the journal has it as the life's.
    ///
    /// # Errors
    ///
    /// It is refused.
    pub fn act(&self, path: &str, body: Value, who: Option<&str>) -> anyhow::Result<Value> {
        routes::act(&mut self.0.shared.store(), ("POST", path), body, who)
    }

    /// The states that each ticket has been in, oldest first, in the forms of the settings.
    pub fn history(&self) -> BTreeMap<String, Vec<Value>> {
        self.0.shared.store().history.clone()
    }

    /// What took effect, oldest first.
    pub fn journal(&self) -> Vec<Effect> {
        self.0.shared.store().journal.clone()
    }

    /// The client ids of the workplaces.
    pub fn workplaces(&self) -> Vec<String> {
        let store = self.0.shared.store();
        store.workplaces.iter().map(|place| place.client_id.clone()).collect()
    }

    /// No token is good any more.
    pub fn revoke(&self) {
        self.0.shared.store().tokens.clear();
    }

    /// Lets the replies go that are held.
    pub fn release(&self) {
        self.0.shared.held.notify_waiters();
    }

    /// Adds a fault.
    pub fn fault(&self, fault: impl Into<Fault>) {
        self.0.shared.faults.add(fault);
    }

    /// The faults in force.
    pub fn faults(&self) -> Faults {
        self.0.shared.faults.clone()
    }

    /// How many requests came, by endpoint of the table.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.0.shared.requests().clone()
    }

    /// How it behaves now.
    pub fn settings(&self) -> Settings {
        self.0.shared.settings()
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
        self.0.shared.lines.cut_all();
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
