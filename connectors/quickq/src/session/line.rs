use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use talon_http::Lane;
use talon_sdk::Fault;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

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

/// How long an attempt that nobody waits for any more is waited for, so that the session that it may have
/// opened can be given back.
const BEFORE_CLOSING: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Dial {
    live: Option<Arc<Live>>,
    /// The attempt that runs: a task, since one that is dropped after its login was sent would leave a session
    /// behind. Whoever asks next goes on with it.
    opening: JoinSet<Result<Arc<Live>, Fault>>,
    /// When that began.
    began: Option<Instant>,
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
        if dial.opening.is_empty() {
            dial.began = Some(Instant::now());
            dial.opening.spawn(open(self.hub.clone(), self.lane));
        }
        dial.opened().await
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

    /// Waits for an attempt that runs, for a moment: the session that it gets is known then.
    pub(crate) async fn settle(&self) {
        let mut dial = self.dial.lock().await;
        if !dial.opening.is_empty() {
            timeout(BEFORE_CLOSING, dial.opened()).await.ok();
        }
    }

    /// Closes the socket, and ends an attempt.
    pub(crate) async fn close(&self) {
        *self.dial.lock().await = Dial::default();
    }
}

impl Dial {
    /// How the attempt that runs ends. Safe to cancel: it goes on.
    async fn opened(&mut self) -> Result<Arc<Live>, Fault> {
        let joined = self.opening.join_next().await;
        let opened = joined.and_then(Result::ok).unwrap_or_else(|| {
            Err(Fault::Internal { reason: "the attempt to connect ended in a panic".to_owned() })
        });
        match &opened {
            Ok(live) => (self.live, self.failed) = (Some(live.clone()), None),
            Err(fault) => {
                let began = self.began.unwrap_or_else(Instant::now);
                self.failed = Some((began, fault.clone()));
            }
        }
        opened
    }
}

async fn open(hub: Arc<Hub>, lane: Lane) -> Result<Arc<Live>, Fault> {
    hub.admit(lane).await;
    let socket = connect::connect(&hub.config).await.inspect_err(|failure| {
        hub.count(failure.code());
    })?;
    let live = Live::start(hub.clone(), lane, socket);
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
