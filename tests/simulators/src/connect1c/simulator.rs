use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use anyhow::Context;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::call::{Filter, Operation};
use super::faults::{Fault, Faults};
use super::journal::Journal;
use super::life::Treatment;
use super::routes;
use super::settings::Settings;
use super::shared::Shared;
use crate::connection::{CuttableListener, Line};

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
        let listener = CuttableListener { tcp, lines: shared.lines.clone() };
        let server = tokio::spawn(async move {
            let service = router.into_make_service_with_connect_info::<Line>();
            if let Err(error) = axum::serve(listener, service).await {
                tracing::error!(%error, "the simulator stopped serving");
            }
        });
        Ok(Self(Arc::new(Running { shared, addr, server })))
    }

    /// `http://<address>/cus/ws/PartnerWebAPI2`.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.0.addr, routes::PATH)
    }

    /// Its clock: milliseconds since 1970 UTC, to be read and set; 0 is the machine's clock.
    pub fn clock(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.0.shared.clock)
    }

    /// Its time, milliseconds since 1970 UTC.
    pub fn now_ms(&self) -> i64 {
        self.0.shared.now_ms()
    }

    /// The treatments that were closed in a stretch of time (ms since 1970 UTC), both ends included, as
    /// they are now.
    pub fn closed(&self, from_ms: i64, to_ms: i64) -> Vec<Treatment> {
        let shared = &self.0.shared;
        shared.world.closed_between(from_ms, to_ms, shared.now_ms())
    }

    /// The treatments that are open now.
    pub fn open(&self) -> Vec<Treatment> {
        let world = &self.0.shared.world;
        world.select(&Filter::default(), false, self.0.shared.now_ms()).rest(world)
    }

    /// The states that each treatment was in until now, oldest first, as rows of an operation's table; none
    /// where it is not in the table any more.
    pub fn states(&self, operation: Operation) -> BTreeMap<String, Vec<Option<Value>>> {
        let shared = &self.0.shared;
        let closed = operation == Operation::GetHistoryOfServiceTreatments;
        let has_topic = self.settings().extra_column;
        shared.world.states(closed, has_topic, shared.now_ms())
    }

    /// Another program makes so many calls with an account now.
    pub fn spend(&self, account: &str, operation: Operation, calls: u32) {
        let now = self.now_ms();
        self.0.shared.counted().spend(account, operation, calls, now);
    }

    /// Every call that was made.
    pub fn journal(&self) -> Journal {
        self.0.shared.journal.clone()
    }

    /// Adds a fault.
    pub fn fault(&self, fault: impl Into<Fault>) {
        self.0.shared.faults.add(fault);
    }

    /// The faults in force.
    pub fn faults(&self) -> Faults {
        self.0.shared.faults.clone()
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
        self.0.end();
    }
}

struct Running {
    shared: Arc<Shared>,
    addr: SocketAddr,
    server: JoinHandle<()>,
}

impl Running {
    fn end(&self) {
        self.server.abort();
        self.shared.lines.cut_all();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
