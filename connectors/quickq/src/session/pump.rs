//! The task of a socket: reads, writes, and asks whether the peer lives.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::connect::Socket;
use super::exchange::Exchange;
use super::failure::{Failure, closed, why};
use super::outgoing::Outgoing;

/// Runs until the socket ends, and says why.
pub(super) async fn run(exchange: Arc<Exchange>, socket: Socket, outbox: mpsc::Receiver<Outgoing>) {
    let (sink, stream) = socket.split();
    let (pings, asked) = mpsc::channel(1);
    let reason = tokio::select! {
        reason = read(&exchange, stream) => reason,
        reason = write(sink, outbox, asked) => reason,
        reason = keep_alive(&exchange, pings) => reason,
        () = exchange.hub.account.superseded(|| exchange.session_number()) => "its session was replaced by a new login".to_owned(),
        // Somebody else knows why.
        () = exchange.wait_ended() => return,
    };
    tracing::debug!(connector = exchange.hub.context.name, reason, "a socket ended");
    exchange.end(&reason);
}

/// Never waits for a feed: what arrives is put where the newest list is kept.
async fn read(
    exchange: &Exchange,
    mut stream: impl Stream<Item = Result<Message, Error>> + Unpin,
) -> String {
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => exchange.take(&Bytes::from(text)),
            Some(Ok(Message::Binary(bytes))) => exchange.take(&bytes),
            Some(Ok(Message::Close(close))) => return closed(close.map(|close| close.code.into())),
            None => return closed(None),
            Some(Ok(_)) => {}
            Some(Err(error)) => return why(&error),
        }
    }
}

/// Asks a request's permit when nothing is left to be written before it, so that the socket takes it at
/// once.
async fn write(
    mut sink: impl Sink<Message, Error = Error> + Unpin,
    mut outbox: mpsc::Receiver<Outgoing>,
    mut pings: mpsc::Receiver<()>,
) -> String {
    loop {
        let message = tokio::select! {
            Some(outgoing) = outbox.recv() => {
                // Answers to pings may wait, too.
                if let Err(error) = sink.flush().await {
                    return why(&error);
                }
                match outgoing.leave() {
                    Some(text) => Message::text(text),
                    None => continue,
                }
            }
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
async fn keep_alive(exchange: &Exchange, pings: mpsc::Sender<()>) -> String {
    let config = &exchange.hub.config;
    loop {
        sleep(config.ping_interval).await;
        if exchange.session_number().is_none() || exchange.heard().elapsed() < config.ping_interval
        {
            continue;
        }
        // One that waits already is enough.
        pings.try_send(()).ok();
        let left = config.idle_timeout.saturating_sub(exchange.heard().elapsed());
        match timeout(left, exchange.ask("info", &json!({}))).await {
            Ok(Err(failure @ Failure::Refused { .. })) => {
                // Ends the socket, if that is what it means.
                exchange.judge(failure);
            }
            Ok(Err(Failure::Closed(reason))) => return reason,
            _ => {}
        }
        if exchange.heard().elapsed() >= config.idle_timeout {
            return "the peer is silent; see `upstream.idle.timeout.ms`".to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll};

    use talon_sdk::Permit;

    use super::*;

    /// A socket that takes nothing while it is stuck, and notes what it was given.
    #[derive(Clone, Default)]
    struct Stuck {
        is_stuck: Arc<AtomicBool>,
        given: Arc<Mutex<Vec<Message>>>,
    }

    impl Sink<Message> for Stuck {
        type Error = Error;

        fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
            // As a socket does: it takes a message and keeps it.
            Poll::Ready(Ok(()))
        }

        fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
            self.given.lock().unwrap().push(message);
            Ok(())
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
            if self.is_stuck.load(Ordering::SeqCst) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
            self.poll_flush(cx)
        }
    }

    #[tokio::test]
    async fn a_permit_that_ends_while_the_socket_takes_nothing_keeps_the_request_back() {
        let socket = Stuck::default();
        let (outbox, written) = mpsc::channel(4);
        let (_pings, asked) = mpsc::channel(1);
        let writer = tokio::spawn(write(socket.clone(), written, asked));
        let holds = Arc::new(AtomicBool::new(true));
        let permit = || {
            let holds = holds.clone();
            Some(Permit::new(move || holds.load(Ordering::SeqCst)))
        };
        let (first, told) = Outgoing::new("first".to_owned(), permit());
        outbox.send(first).await.unwrap();
        assert_eq!(told.await.unwrap(), Ok(()));

        socket.is_stuck.store(true, Ordering::SeqCst);
        let (second, told) = Outgoing::new("second".to_owned(), permit());
        outbox.send(second).await.unwrap();
        // Far more turns than the writer needs to get stuck.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        holds.store(false, Ordering::SeqCst);
        socket.is_stuck.store(false, Ordering::SeqCst);
        assert_eq!(told.await.unwrap(), Err(Failure::NoPermit));

        let (third, told) = Outgoing::new("third".to_owned(), None);
        drop(told);
        outbox.send(third).await.unwrap();
        let (fourth, told) = Outgoing::new("fourth".to_owned(), None);
        outbox.send(fourth).await.unwrap();
        assert_eq!(told.await.unwrap(), Ok(()));
        drop((outbox, _pings));
        writer.await.unwrap();
        let given = socket.given.lock().unwrap().clone();
        assert_eq!(given, [Message::text("first"), Message::text("fourth")]);
    }
}
