//! One socket: requests in, answers and pushes out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::commands::{self, Done, Request, Topic};
use super::faults::{FaultKind, Faults};
use super::reply::{Asked, Refusal, answer};
use super::simulator::{Shared, World};

/// What a socket's task is told to do.
enum Order {
    Send(String),
    /// Drop the socket without a word.
    Cut,
    /// Keep it open, and neither read nor write any more.
    Fall,
}

/// All open sockets.
#[derive(Default)]
pub(super) struct Peers {
    peers: BTreeMap<u64, Peer>,
    last: u64,
}

struct Peer {
    orders: mpsc::UnboundedSender<Order>,
    topics: BTreeSet<Topic>,
    /// Answers that wait for so many other messages.
    late: Vec<(u32, String)>,
}

impl Peers {
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    fn add(&mut self) -> (u64, mpsc::UnboundedReceiver<Order>) {
        let (orders, inbox) = mpsc::unbounded_channel();
        self.last += 1;
        self.peers.insert(self.last, Peer { orders, topics: BTreeSet::new(), late: Vec::new() });
        (self.last, inbox)
    }

    /// Cuts every socket.
    pub(super) fn cut(&self) {
        self.peers.values().for_each(|peer| peer.order(Order::Cut));
    }

    /// Sends a text to every socket.
    pub(super) fn say(&mut self, text: &str) {
        self.peers.values_mut().for_each(|peer| peer.send(text.to_owned()));
    }

    /// Sends the answers that wait for other messages.
    pub(super) fn release(&mut self) {
        self.peers.values_mut().for_each(|peer| {
            for (_, text) in std::mem::take(&mut peer.late) {
                peer.order(Order::Send(text));
            }
        });
    }

    /// Sends to each socket what `made` makes of its topics: a command and a text.
    pub(super) fn push(
        &mut self,
        faults: &Faults,
        mut made: impl FnMut(Topic) -> Option<(String, String)>,
    ) {
        for peer in self.peers.values_mut() {
            for topic in peer.topics.clone() {
                if let Some((command, text)) = made(topic) {
                    peer.send(spoilt(text, &faults.strike(&command, true)));
                }
            }
        }
    }
}

impl Peer {
    fn order(&self, order: Order) {
        // A socket that is gone takes no orders.
        self.orders.send(order).ok();
    }

    fn send(&mut self, text: String) {
        self.order(Order::Send(text));
        for (left, _) in &mut self.late {
            *left = left.saturating_sub(1);
        }
        while let Some(at) = self.late.iter().position(|(left, _)| *left == 0) {
            let (_, text) = self.late.remove(at);
            self.order(Order::Send(text));
        }
    }
}

/// Serves one socket until it ends.
pub(super) async fn serve<S>(shared: Arc<Shared>, mut socket: WebSocketStream<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (number, mut orders) = shared.world().peers.add();
    let mut is_fallen = false;
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Send(text)) if !is_fallen => {
                    if socket.send(Message::text(text)).await.is_err() {
                        break;
                    }
                }
                Some(Order::Send(_)) => {}
                Some(Order::Fall) => is_fallen = true,
                Some(Order::Cut) | None => break,
            },
            message = socket.next(), if !is_fallen => match message {
                Some(Ok(Message::Text(text))) => take(&shared, number, &text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
    shared.world().peers.peers.remove(&number);
}

/// Takes one request, all of it under the lock, so that effects, answers and pushes are in order.
fn take(shared: &Shared, number: u64, text: &str) {
    let Ok(mut json) = serde_json::from_str::<Value>(text) else { return };
    let request = Request {
        command: json["command"].as_str().unwrap_or_default().to_owned(),
        token: json["token"].as_str().map(str::to_owned),
        data: json["data"].take(),
    };
    let asked = Asked { id: json.get("id").cloned(), token: request.token.clone() };
    let command = request.command.as_str();
    shared.journal.asked(command);
    let faults = shared.faults.strike(command, false);
    let mut world = shared.world();
    world.catch_up();
    let instead = faults.iter().find_map(|fault| match fault {
        FaultKind::CutBefore => Some(Some(Order::Cut)),
        FaultKind::Silence => Some(Some(Order::Fall)),
        FaultKind::NoReply => Some(None),
        _ => None,
    });
    if let Some(order) = instead {
        if let (Some(order), Some(peer)) = (order, world.peers.peers.get(&number)) {
            peer.order(order);
        }
        return;
    }
    let refused = faults.iter().find_map(|fault| match fault {
        FaultKind::Refused { code } => Some(Refusal(*code, "Simulated")),
        _ => None,
    });
    let done = match refused {
        Some(refusal) => Some(Done::from(Err(refusal))),
        None => commands::run(&mut world.store, &request),
    };
    let Some(done) = done else { return };
    if let Some(entity) = done.effect {
        let now = world.store.now_ms();
        shared.journal.append(command, entity, &request.data, now);
    }
    let settings = world.store.settings.clone();
    if settings.push_before_reply {
        world.tell(&shared.faults);
    }
    let text = answer(&settings, &asked, command, done.outcome, world.store.now_ms());
    let text = spoilt(text, &shared.faults.strike(command, true));
    reply(&mut world, number, text, &faults, done.subscribe, done.unsubscribe);
    world.tell(&shared.faults);
}

fn reply(
    world: &mut World,
    number: u64,
    text: String,
    faults: &[FaultKind],
    subscribe: Option<Topic>,
    unsubscribe: Option<Topic>,
) {
    let Some(peer) = world.peers.peers.get_mut(&number) else { return };
    peer.topics.extend(subscribe);
    if let Some(topic) = unsubscribe {
        peer.topics.remove(&topic);
    }
    let late = faults.iter().find_map(|fault| match fault {
        FaultKind::Late { messages } => Some(*messages),
        _ => None,
    });
    match late {
        _ if faults.contains(&FaultKind::CutAfter) => peer.order(Order::Cut),
        Some(messages) if messages > 0 => peer.late.push((messages, text)),
        _ => peer.send(text),
    }
}

/// A message with the faults in it.
fn spoilt(text: String, faults: &[FaultKind]) -> String {
    faults.iter().fold(text, |text, fault| match fault {
        FaultKind::Malformed => text.chars().take(text.chars().count() * 2 / 3).collect(),
        FaultKind::Garbage => "\u{1}no JSON {\"at all".to_owned(),
        FaultKind::EmptyList => with_list(text, |rows| rows.clear()),
        FaultKind::ShortList { keep } => with_list(text, |rows| rows.truncate(*keep)),
        _ => text,
    })
}

fn with_list(text: String, change: impl FnOnce(&mut Vec<Value>)) -> String {
    match serde_json::from_str::<Value>(&text) {
        Ok(mut json) => {
            if let Some(rows) = json["data"].as_array_mut() {
                change(rows);
            }
            json.to_string()
        }
        Err(_) => text,
    }
}
