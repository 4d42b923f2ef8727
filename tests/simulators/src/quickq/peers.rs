//! The open sockets: what each is subscribed to, and what it is sent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio::sync::mpsc;

use super::commands::Topic;
use super::faults::{FaultKind, Faults};
use super::settings::Settings;
use crate::noise::Noise;

/// What a socket's task is told to do.
pub(super) enum Order {
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

    /// A socket has opened: its number, and what its task is told.
    pub(super) fn add(&mut self) -> (u64, mpsc::UnboundedReceiver<Order>) {
        let (orders, inbox) = mpsc::unbounded_channel();
        self.last += 1;
        self.peers.insert(self.last, Peer { orders, topics: BTreeSet::new(), late: Vec::new() });
        (self.last, inbox)
    }

    /// A socket has ended.
    pub(super) fn remove(&mut self, number: u64) {
        self.peers.remove(&number);
    }

    /// Tells the task of one socket.
    pub(super) fn order(&self, number: u64, order: Order) {
        if let Some(peer) = self.peers.get(&number) {
            peer.order(order);
        }
    }

    /// Sends an answer to one socket, with the faults of its request, and notes what it is subscribed
    /// to from now on.
    pub(super) fn answer(
        &mut self,
        number: u64,
        text: String,
        faults: &[FaultKind],
        subscribe: Option<Topic>,
        unsubscribe: Option<Topic>,
    ) {
        let Some(peer) = self.peers.get_mut(&number) else { return };
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
        settings: &Settings,
        faults: &Faults,
        mut made: impl FnMut(Topic) -> Option<(String, String)>,
    ) {
        for peer in self.peers.values_mut() {
            for topic in peer.topics.clone() {
                if let Some((command, text)) = made(topic) {
                    peer.send(spoilt(settings, text, &faults.strike(&command, true)));
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

/// A message with the faults in it, as it is sent this time.
pub(super) fn spoilt(settings: &Settings, text: String, faults: &[FaultKind]) -> String {
    let text = faults.iter().fold(text, |text, fault| match fault {
        FaultKind::Malformed => text.chars().take(text.chars().count() * 2 / 3).collect(),
        FaultKind::Garbage => "\u{1}no JSON {\"at all".to_owned(),
        FaultKind::EmptyList => with_list(text, |rows| rows.clear()),
        FaultKind::ShortList { keep } => with_list(text, |rows| rows.truncate(*keep)),
        FaultKind::OtherData { json } => with_data(&text, json),
        _ => text,
    });
    Noise { seed: settings.seed, share: settings.noise }.respelled(text)
}

fn with_data(text: &str, data: &str) -> String {
    let mut json: Value = serde_json::from_str(text).unwrap_or_default();
    json["data"] = serde_json::from_str(data).unwrap_or_default();
    json.to_string()
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
