//! The task of a socket: reads, writes, and asks whether the peer lives.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::connect::Socket;
use super::failure::{Failure, why};
use super::live::Inner;

/// Runs until the socket ends, and says why.
pub(super) async fn run(inner: Arc<Inner>, socket: Socket, outbox: mpsc::Receiver<String>) {
    let (sink, stream) = socket.split();
    let (pings, asked) = mpsc::channel(1);
    let reason = tokio::select! {
        reason = read(&inner, stream) => reason,
        reason = write(sink, outbox, asked) => reason,
        reason = keep_alive(&inner, pings) => reason,
        () = inner.hub.account.superseded(|| inner.session_number()) => "its session was replaced by a new login".to_owned(),
        // Somebody else knows why.
        () = inner.wait_ended() => return,
    };
    tracing::debug!(connector = inner.hub.context.name, reason, "a socket ended");
    inner.end(&reason);
}

/// Never waits for a feed: what arrives is put where the newest list is kept.
async fn read(
    inner: &Inner,
    mut stream: impl Stream<Item = Result<Message, Error>> + Unpin,
) -> String {
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => inner.take(Bytes::from(text)),
            Some(Ok(Message::Binary(bytes))) => inner.take(bytes),
            Some(Ok(Message::Close(_))) | None => return "the upstream closed it".to_owned(),
            Some(Ok(_)) => {}
            Some(Err(error)) => return why(&error),
        }
    }
}

async fn write(
    mut sink: impl Sink<Message, Error = Error> + Unpin,
    mut outbox: mpsc::Receiver<String>,
    mut pings: mpsc::Receiver<()>,
) -> String {
    loop {
        let message = tokio::select! {
            Some(text) = outbox.recv() => Message::text(text),
            Some(()) = pings.recv() => Message::Ping(Bytes::new()),
            else => return "nobody reads it any more".to_owned(),
        };
        if let Err(error) = sink.send(message).await {
            return why(&error);
        }
    }
}

/// Asks a silent peer whether it lives. The ping keeps what stands between open; the command tells
/// whether the upstream itself, and not only its WebSocket, is there.
async fn keep_alive(inner: &Inner, pings: mpsc::Sender<()>) -> String {
    let config = &inner.hub.config;
    loop {
        sleep(config.ping_interval).await;
        if inner.session_number().is_none() || inner.heard().elapsed() < config.ping_interval {
            continue;
        }
        // One that waits already is enough.
        pings.try_send(()).ok();
        let left = config.idle_timeout.saturating_sub(inner.heard().elapsed());
        match timeout(left, inner.ask("info", &json!({}))).await {
            Ok(Err(failure @ Failure::Refused { .. })) => {
                // Ends the socket, if that is what it means.
                inner.judge(failure);
            }
            Ok(Err(Failure::Closed(reason))) => return reason,
            _ => {}
        }
        if inner.heard().elapsed() >= config.idle_timeout {
            return "the peer is silent; see `upstream.idle.timeout.ms`".to_owned();
        }
    }
}
