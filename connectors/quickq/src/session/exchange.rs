use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;
use serde_json::{Value, json};
use talon_http::Lane;
use talon_sdk::{Fault, Permit};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};

use super::failure::Failure;
use super::grant::{Grant, Origin};
use super::hub::Hub;
use super::outgoing::Outgoing;
use super::strays::Strays;
use crate::frame::Frame;

/// The newest thing that came under the name of a list.
#[derive(Debug, Clone)]
pub(crate) enum Push {
    /// Nothing yet.
    None,
    /// The list.
    List(Arc<Frame>),
    /// A message that could not be read, and may have been the list: it is to be read again.
    Damaged,
}

/// What came of a request.
pub(super) type Answer = Result<(Arc<Frame>, Option<SecretString>), Failure>;

/// What a socket's handle and its task share: requests under way, and what arrived.
pub(super) struct Exchange {
    pub(super) hub: Arc<Hub>,
    lane: Lane,
    pub(super) outbox: mpsc::Sender<Outgoing>,
    /// Why the socket ended; none while it lives.
    pub(super) ended: watch::Sender<Option<String>>,
    pub(super) session: Mutex<Option<(Grant, Origin)>>,
    pub(super) waiting: Mutex<Waiting>,
    pub(super) turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    pub(super) pushes: Mutex<HashMap<String, watch::Sender<Push>>>,
    /// When the newest list of each name was made, by the upstream's clock.
    pub(super) made_ms: Mutex<HashMap<String, i64>>,
    pub(super) strays: Mutex<Strays>,
    /// Commands that were answered well in this session.
    pub(super) worked: Mutex<HashSet<String>>,
    pub(super) heard: Mutex<Instant>,
    pub(super) last_id: AtomicU64,
    /// Whether an answer without an id may still come, for which nobody waits any more.
    pub(super) stale: AtomicBool,
}

/// Those who wait for an answer: by the name of it, or by the id that the server repeats.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) by_name: HashMap<String, (u64, oneshot::Sender<Answer>)>,
    pub(super) by_id: HashMap<String, (String, oneshot::Sender<Answer>)>,
}

/// What is asked.
pub(super) enum Kind<'p> {
    Login,
    Read,
    /// It changes something, under a permit.
    Change(&'p Permit),
}

impl Exchange {
    pub(super) fn new(hub: Arc<Hub>, lane: Lane, outbox: mpsc::Sender<Outgoing>) -> Exchange {
        Exchange {
            hub,
            lane,
            outbox,
            ended: watch::Sender::new(None),
            session: Mutex::default(),
            waiting: Mutex::default(),
            turns: Mutex::default(),
            pushes: Mutex::default(),
            made_ms: Mutex::default(),
            strays: Mutex::default(),
            worked: Mutex::default(),
            heard: Mutex::new(Instant::now()),
            last_id: AtomicU64::new(0),
            stale: AtomicBool::new(false),
        }
    }

    pub(super) async fn ask(&self, command: &str, data: &Value) -> Result<Arc<Frame>, Failure> {
        let (frame, _) = self.request(command, data, Kind::Read).await?;
        Ok(frame)
    }

    pub(super) async fn request(&self, command: &str, data: &Value, kind: Kind<'_>) -> Answer {
        // The time limit starts when the wait for the budget ends.
        self.hub.admit(self.lane).await;
        let limit = self.hub.config.request_timeout;
        let started = Instant::now();
        let late = || Err(Failure::Timeout(command.to_owned()));
        let answer = timeout(limit, self.send(command, data, kind));
        let answer = answer.await.unwrap_or_else(|_| late());
        if answer.as_ref().is_err_and(|failure| *failure == Failure::NoPermit) {
            // Nothing was asked, so nothing is counted.
            return answer;
        }
        self.hub.count(answer.as_ref().err().map_or("ok", Failure::code));
        let metrics = &self.hub.context.metrics;
        let took = started.elapsed().as_secs_f64();
        metrics.duration.with_label_values(&[&*self.hub.context.name]).observe(took);
        if answer.is_ok() && lock(&self.worked).insert(command.to_owned()) {
            self.hub.account.works(command);
        }
        answer
    }

    async fn send(&self, command: &str, data: &Value, kind: Kind<'_>) -> Answer {
        let name = reply_name(command);
        let (is_login, permit) = match kind {
            Kind::Login => (true, None),
            Kind::Read => (false, None),
            Kind::Change(permit) => (false, Some(permit.clone())),
        };
        let session = if is_login { None } else { lock(&self.session).clone() };
        let (token, echoes_id) = match &session {
            Some((grant, _)) => (Some(grant.expose()), grant.echoes_id),
            None => (None, false),
        };
        let mut request = json!({ "command": command, "data": data });
        if let Some(token) = token {
            request["token"] = token.into();
        }
        let number = self.last_id.fetch_add(1, Ordering::Relaxed);
        // A text, so that it is never mistaken for a visitor's id that stands on top.
        let id = format!("talon-{number}");
        // A login shows whether the server repeats it.
        if echoes_id || is_login {
            request["id"] = id.as_str().into();
        }
        let turn = (!echoes_id).then(|| {
            let mut turns = lock(&self.turns);
            turns.entry(name.to_owned()).or_default().clone()
        });
        let _turn = match &turn {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        let (sender, answer) = oneshot::channel();
        {
            let mut waiting = lock(&self.waiting);
            if echoes_id {
                waiting.by_id.insert(id.clone(), (name.to_owned(), sender));
            } else {
                waiting.by_name.insert(name.to_owned(), (number, sender));
            }
        }
        let mut place = Place { exchange: self, name, id: &id, number, is_sent: false };
        let closed = || Failure::Closed(self.ended.borrow().clone().unwrap_or_default());
        // After the end nobody answers any more; before it, the end drops all who wait.
        if self.ended.borrow().is_some() {
            return Err(closed());
        }
        let (outgoing, left) = Outgoing::new(request.to_string(), permit);
        self.outbox.send(outgoing).await.map_err(|_| closed())?;
        // From now on it may be written at any time, also when nobody waits here any more.
        place.is_sent = true;
        if let Err(failure) = left.await.unwrap_or_else(|_| Err(closed())) {
            place.is_sent = failure != Failure::NoPermit;
            return Err(failure);
        }
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// What a failed read means.
    pub(super) fn judge(&self, failure: Failure) -> Fault {
        let Failure::Refused { command, error } = &failure else { return failure.fault() };
        let Some((grant, origin)) = lock(&self.session).clone() else { return failure.fault() };
        let worked = lock(&self.worked).contains(command);
        if self.hub.account.believes(command, origin, worked) {
            return failure.fault();
        }
        let reason = format!(
            "`{command}` was refused with {error}: perhaps the session is forgotten, so a new login follows"
        );
        self.hub.account.forget(grant.number);
        self.end(&reason);
        Fault::unavailable(reason)
    }

    /// The session's number; none before login.
    pub(super) fn session_number(&self) -> Option<u64> {
        lock(&self.session).as_ref().map(|(grant, _)| grant.number)
    }

    /// When the last message came.
    pub(super) fn heard(&self) -> Instant {
        *lock(&self.heard)
    }

    /// Returns when somebody ended the socket.
    pub(super) async fn wait_ended(&self) {
        // The sender lives as long as `self`.
        self.ended.subscribe().wait_for(Option::is_some).await.ok();
    }

    /// Ends the socket: whoever waits is told.
    pub(super) fn end(&self, reason: &str) {
        self.ended.send_if_modified(|ended| {
            let is_first = ended.is_none();
            ended.get_or_insert_with(|| reason.to_owned());
            is_first
        });
        *lock(&self.waiting) = Waiting::default();
    }
}

/// The place of one who waits; given up when they stop waiting.
struct Place<'a> {
    exchange: &'a Exchange,
    name: &'a str,
    id: &'a str,
    number: u64,
    is_sent: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.exchange.waiting);
        waiting.by_id.remove(self.id);
        if waiting.by_name.get(self.name).is_some_and(|(number, _)| *number == self.number) {
            waiting.by_name.remove(self.name);
            self.exchange.stale.fetch_or(self.is_sent, Ordering::Relaxed);
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name under which a command is answered.
fn reply_name(command: &str) -> &str {
    match command.strip_prefix("un") {
        Some(rest) if rest.starts_with("subscribe") => rest,
        _ => command,
    }
}
