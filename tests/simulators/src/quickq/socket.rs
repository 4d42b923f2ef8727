//! One socket: requests in, answers and pushes out.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::commands::{self, Done, Request};
use super::faults::FaultKind;
use super::peers::{Order, spoilt};
use super::reply::{Asked, Refusal, answer};
use super::shared::Shared;

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
    shared.world().peers.remove(number);
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
        if let Some(order) = order {
            world.peers.order(number, order);
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
    let text = spoilt(&settings, text, &shared.faults.strike(command, true));
    world.peers.answer(number, text, &faults, done.subscribe, done.unsubscribe);
    world.tell(&shared.faults);
}
