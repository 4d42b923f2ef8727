use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use secrecy::SecretString;
use serde_json::Value;
use talon_http::Lane;
use talon_sdk::{Fault, Permit};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::connect::Socket;
use super::exchange::{Exchange, Kind, Push, lock};
use super::failure::Failure;
use super::grant::{Grant, Origin};
use super::hub::Hub;
use super::pump;
use crate::frame::Frame;

/// Requests that may wait to be written.
const OUTBOX: usize = 64;

/// A socket while it lives, with the task that reads it. The task ends with the handle.
///
/// Callable by many feeds at once. After the socket ended, everything fails with [`Failure::Closed`].
pub(crate) struct Live {
    exchange: Arc<Exchange>,
    task: JoinHandle<()>,
}

impl Live {
    pub(super) fn start(hub: Arc<Hub>, lane: Lane, socket: Socket) -> Live {
        let (outbox, written) = mpsc::channel(OUTBOX);
        let exchange = Arc::new(Exchange::new(hub, lane, outbox));
        let task = tokio::spawn(pump::run(exchange.clone(), socket, written));
        Live { exchange, task }
    }

    /// Whether the socket lives.
    pub(crate) fn is_open(&self) -> bool {
        self.exchange.ended.borrow().is_none()
    }

    /// Returns when the socket has ended, with the reason.
    pub(crate) async fn ended(&self) -> Fault {
        let mut ended = self.exchange.ended.subscribe();
        let reason = match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => String::new(),
        };
        Failure::Closed(reason).fault()
    }

    /// Where the lists of this name arrive, the newest only: whoever is slow misses the ones between.
    pub(crate) fn pushes(&self, list: &str) -> watch::Receiver<Push> {
        let mut pushes = lock(&self.exchange.pushes);
        let sender =
            pushes.entry(list.to_owned()).or_insert_with(|| watch::Sender::new(Push::None));
        sender.subscribe()
    }

    /// Whether a newer list of the same name came before this one.
    pub(crate) fn is_overtaken(&self, list: &Frame) -> bool {
        self.exchange.is_overtaken(list)
    }

    /// Takes a message that nobody could read, oldest first.
    pub(crate) fn stray(&self) -> Option<Bytes> {
        lock(&self.exchange.strays).take()
    }

    /// Asks for something that changes nothing. A refusal that may only mean that the session is
    /// forgotten ends the socket, and the next one logs in anew.
    pub(crate) async fn read(&self, command: &str, data: &Value) -> Result<Arc<Frame>, Fault> {
        self.ask(command, data).await.map_err(|failure| self.exchange.judge(failure))
    }

    /// Whether a command was answered well on this socket.
    pub(crate) fn has_worked(&self, command: &str) -> bool {
        lock(&self.exchange.worked).contains(command)
    }

    /// Asks once, and waits for the answer. Safe to cancel; it may have been taken then.
    pub(crate) async fn ask(&self, command: &str, data: &Value) -> Result<Arc<Frame>, Failure> {
        self.exchange.ask(command, data).await
    }

    /// Sends what changes something, once, and waits for the answer. Safe to cancel; it may have been
    /// taken then.
    ///
    /// The permit is asked right before the first byte is written; where it has ended, the failure is
    /// [`Failure::NoPermit`].
    pub(crate) async fn change(
        &self,
        command: &str,
        data: &Value,
        permit: &Permit,
    ) -> Result<Arc<Frame>, Failure> {
        let (frame, _) = self.exchange.request(command, data, Kind::Change(permit)).await?;
        Ok(frame)
    }

    /// For whoever asks the same thing of different entities, where the server repeats no ids: if an
    /// answer is still to come when what is given back is dropped, the socket ends. It would be taken for
    /// the answer to the next request of its name.
    pub(crate) fn asking(&self) -> Asking<'_> {
        Asking(self)
    }

    /// Ends the socket.
    pub(crate) fn end(&self, reason: &str) {
        self.exchange.end(reason);
    }

    /// Sends the login, and takes its answer apart.
    pub(super) async fn log_in(
        &self,
        data: &Value,
    ) -> Result<(Arc<Frame>, Option<SecretString>), Failure> {
        self.exchange.request("login", data, Kind::Login).await
    }

    /// Uses a session from now on.
    pub(super) fn adopt(&self, grant: Grant, origin: Origin) {
        *lock(&self.exchange.session) = Some((grant, origin));
    }
}

/// Something is asked on a socket.
pub(crate) struct Asking<'a>(&'a Live);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.0.exchange.stale.load(Ordering::Relaxed) {
            self.0.end("an answer that comes late could not be told from the next one");
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.task.abort();
        self.exchange.end("nobody reads it any more");
    }
}
