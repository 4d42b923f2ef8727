//! An upstream that speaks as much of QuickQ's protocol as a subscription takes, and pushes a list.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::thread::runtime;

/// Longest wait for one change.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Stands in the ticket of the visitor that changes, before the number of the push.
const MARK: &[u8] = b"push-";
/// Of that number.
const DIGITS: usize = 8;

/// Runs until the process ends.
pub(super) struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    subscribers: watch::Receiver<usize>,
    lists: mpsc::Sender<(Message, std::sync::mpsc::Sender<Instant>)>,
    pushes: Mutex<usize>,
}

struct Shared {
    rows: Mutex<Vec<String>>,
    subscribers: watch::Sender<usize>,
}

impl Shared {
    fn list(&self) -> Message {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let list = format!(
            r#"{{"dateTime":"2026-01-20T10:00:00.000Z","command":"consumerList","data":[{}]}}"#,
            rows.join(",")
        );
        Message::Text(Utf8Bytes::from(list))
    }
}

/// A visitor as newer builds list them.
fn visitor(id: usize, ticket: &str) -> String {
    json!({
        "services": { "4": { "10": { "3": { "state": "WAITING" } }, "50": { "5": { "state": "WAITING" } } } },
        "id": id, "prefix": "Г", "number": id % 999 + 1, "priority": 50,
        "registration": "2026-01-20T09:41:13.000Z", "active": true, "workplace_id": -1,
        "vanish_count": 0, "comment": "", "pin_code": "",
        "state_changed": "2026-01-20T09:41:12.577Z", "last_update": "2026-01-20T09:41:12.577Z",
        "ticket": ticket, "state": "WAITING",
    })
    .to_string()
}

impl Upstream {
    pub(super) fn start(rows: usize) -> anyhow::Result<Upstream> {
        let rows = (0..rows).map(|id| visitor(id, "Г001")).collect();
        let (sender, subscribers) = watch::channel(0);
        let shared = Arc::new(Shared { rows: Mutex::new(rows), subscribers: sender });
        let (lists, inbox) = mpsc::channel(1);
        let (tell, told) = std::sync::mpsc::channel();
        let served = shared.clone();
        std::thread::spawn(move || {
            let Ok(runtime) = runtime() else { return };
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::bind("127.0.0.1:0").await else { return };
                if let Ok(address) = listener.local_addr() {
                    tell.send(address).ok();
                }
                serve(&listener, &served, inbox).await;
            });
        });
        let address = told.recv().context("the upstream cannot listen")?;
        Ok(Upstream { address, shared, subscribers, lists, pushes: Mutex::new(0) })
    }

    pub(super) fn url(&self) -> String {
        format!("ws://{}/logic", self.address)
    }

    /// Size of a list.
    pub(super) fn bytes(&self) -> usize {
        self.shared.list().len()
    }

    pub(super) fn wait_for_subscriber(&self, patience: Duration) -> anyhow::Result<()> {
        let since = Instant::now();
        while *self.subscribers.borrow() == 0 {
            anyhow::ensure!(since.elapsed() < patience, "nobody subscribes");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Changes one visitor and pushes the list; the number of the change, and when the list was made
    /// and its sending began.
    pub(super) fn push(&self) -> anyhow::Result<(usize, Instant)> {
        let mut pushes = self.pushes.lock().unwrap_or_else(PoisonError::into_inner);
        *pushes += 1;
        let number = *pushes;
        {
            let mut rows = self.shared.rows.lock().unwrap_or_else(PoisonError::into_inner);
            let id = number * 7_919 % rows.len();
            let mark = String::from_utf8_lossy(MARK);
            rows[id] = visitor(id, &format!("{mark}{number:0DIGITS$}"));
        }
        let (tell, told) = std::sync::mpsc::channel();
        self.lists.blocking_send((self.shared.list(), tell)).context("the upstream ended")?;
        Ok((number, told.recv_timeout(PATIENCE).context("nobody takes the push")?))
    }
}

/// The number of a change, out of whatever a record is encoded as.
pub(super) fn number_in(payload: &[u8]) -> Option<usize> {
    let at = memchr::memmem::rfind(payload, MARK)? + MARK.len();
    let digits = payload.get(at..at + DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// One peer at a time, as there is only one here.
async fn serve(
    listener: &TcpListener,
    shared: &Shared,
    mut lists: mpsc::Receiver<(Message, std::sync::mpsc::Sender<Instant>)>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        // A peer that leaves is followed by the next one.
        peer(stream, shared, &mut lists).await.ok();
    }
}

async fn peer(
    stream: TcpStream,
    shared: &Shared,
    lists: &mut mpsc::Receiver<(Message, std::sync::mpsc::Sender<Instant>)>,
) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    loop {
        tokio::select! {
            Some((list, tell)) = lists.recv() => {
                tell.send(Instant::now()).ok();
                socket.send(list).await?;
            }
            message = socket.next() => {
                let Message::Text(text) = message.context("the peer has gone")?? else { continue };
                for answer in answers(shared, &text)? {
                    socket.send(answer).await?;
                }
            }
        }
    }
}

fn answers(shared: &Shared, request: &str) -> anyhow::Result<Vec<Message>> {
    let request: Value = serde_json::from_str(request)?;
    let command = request["command"].as_str().context("a command")?;
    let data = match command {
        "consumerList" => return Ok(vec![shared.list()]),
        "login" => json!({ "token": "{bench}", "user": { "id": 1 } }),
        "info" => json!({ "core": "1.0.5" }),
        _ => json!({ "codeError": 0 }),
    };
    if command == "subscribeConsumers" {
        shared.subscribers.send_modify(|subscribers| *subscribers += 1);
    }
    let answer = json!({ "command": command, "data": data }).to_string();
    Ok(vec![Message::Text(Utf8Bytes::try_from(Bytes::from(answer))?)])
}
