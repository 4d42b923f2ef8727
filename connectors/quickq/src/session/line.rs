use std::sync::Arc;

use serde_json::json;
use talon_http::Lane;
use talon_sdk::Fault;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::failure::Failure;
use super::hub::Hub;
use super::live::Live;
use super::{connect, login};

/// A place for one socket. Callable by many feeds at once.
pub(crate) struct Line {
    hub: Arc<Hub>,
    /// Where it stands for the rate budget.
    lane: Lane,
    dial: Mutex<Dial>,
}

#[derive(Default)]
struct Dial {
    live: Option<Arc<Live>>,
    /// The last attempt that failed: when it began, and how it ended.
    failed: Option<(Instant, Fault)>,
}

impl Line {
    pub(crate) fn new(hub: Arc<Hub>, lane: Lane) -> Line {
        Line { hub, lane, dial: Mutex::default() }
    }

    /// The socket, logged in; dialled if there is none. Those who ask while one attempt runs share its
    /// outcome. Safe to cancel.
    pub(crate) async fn live(&self) -> Result<Arc<Live>, Fault> {
        let asked = Instant::now();
        let mut dial = self.dial.lock().await;
        if let Some(live) = dial.live.as_ref().filter(|live| live.is_open()) {
            return Ok(live.clone());
        }
        if let Some((began, fault)) = &dial.failed
            && *began >= asked
        {
            return Err(fault.clone());
        }
        dial.live = None;
        let began = Instant::now();
        match self.open().await {
            Ok(live) => {
                *dial = Dial { live: Some(live.clone()), failed: None };
                Ok(live)
            }
            Err(fault) => {
                dial.failed = Some((began, fault.clone()));
                Err(fault)
            }
        }
    }

    async fn open(&self) -> Result<Arc<Live>, Fault> {
        let hub = &self.hub;
        hub.admit(self.lane).await;
        let socket = connect::connect(&hub.config).await.inspect_err(|failure| {
            hub.count(failure.code());
        })?;
        let live = Live::start(hub.clone(), self.lane, socket);
        let admitted = login::admit(&hub.account, &live).await;
        admitted.map_err(|failure| match failure {
            Failure::Refused { error, .. } => Fault::Misconfigured {
                reason: format!(
                    "the upstream refuses the login with {error}; see `auth.login`, `auth.password`, `auth.workplace`, or how many sessions its licence allows"
                ),
            },
            other => other.fault(),
        })?;
        Ok(Arc::new(live))
    }

    /// Gives the session back, over this line, and closes it.
    pub(crate) async fn log_out(&self) {
        let Some(grant) = self.hub.account.grant() else { return };
        if let Ok(live) = self.live().await {
            // A courtesy: what fails here is a session that the upstream ends by itself some day.
            live.ask("logout", &json!({})).await.ok();
            self.hub.account.forget(grant.number);
        }
        self.close().await;
    }

    /// Closes the socket.
    pub(crate) async fn close(&self) {
        *self.dial.lock().await = Dial::default();
    }
}
