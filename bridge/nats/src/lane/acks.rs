//! Acknowledging commands, and knowing that the server has taken it in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_nats::{StatusCode, Subject, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use talon_runtime::bus::{BusFault, Grant};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::consumer::look;
use crate::connection::{Connection, TIMEOUT};

/// How often the connection is looked at while waiting.
const POLL: Duration = Duration::from_millis(50);

/// After so long without an answer, acknowledgements are sent again.
const SILENCE: Duration = Duration::from_secs(3);

/// Sends acknowledgements side by side, and waits until the server has taken all of them in.
pub(crate) struct Acks {
    runtime: Handle,
    connection: Connection,
    grant: Grant,
    /// Stream and name of the consumer.
    consumer: (String, String),
    answers: Subscriber,
    inbox: String,
    /// Number of the next one: the last token of its reply subject.
    next: u64,
}

impl Acks {
    pub(crate) async fn open(
        connection: Connection,
        consumer: (String, String),
        grant: Grant,
    ) -> Result<Acks, BusFault> {
        let inbox = connection.client.new_inbox();
        let answers = connection.client.subscribe(format!("{inbox}.*")).await.map_err(|error| {
            connection.status.explain(BusFault::Unavailable(format!("NATS: {error}")))
        })?;
        let runtime = Handle::current();
        Ok(Acks { runtime, connection, grant, consumer, answers, inbox, next: 0 })
    }

    pub(crate) fn send(&mut self, subjects: Vec<Subject>) -> Result<(), BusFault> {
        let mut open = BTreeMap::new();
        for subject in subjects {
            open.insert(self.next, subject);
            self.next += 1;
        }
        if open.is_empty() {
            return Ok(());
        }
        self.runtime.clone().block_on(async {
            let (mut losses, mut sent) = (self.connection.status.losses(), Instant::now());
            let since = sent;
            self.publish(&open).await?;
            while !open.is_empty() {
                match timeout(POLL, self.answers.next()).await {
                    Ok(Some(answer)) if answer.status == Some(StatusCode::NO_RESPONDERS) => {
                        // The consumer is gone, or has no leader at this moment.
                        let (stream, name) = &self.consumer;
                        look(&self.connection, (stream, name), &self.grant).await?;
                    }
                    Ok(Some(answer)) => {
                        let number = answer.subject.rsplit('.').next();
                        if let Some(number) = number.and_then(|number| number.parse().ok()) {
                            open.remove(&number);
                        }
                    }
                    Ok(None) => return Err(self.unavailable("the connection is closed")),
                    Err(_) => {}
                }
                self.grant.may_finish()?;
                if since.elapsed() > TIMEOUT {
                    return Err(self.unavailable("commands cannot be acknowledged"));
                }
                let now = self.connection.status.losses();
                if self.connection.is_up() && (now != losses || sent.elapsed() > SILENCE) {
                    (losses, sent) = (now, Instant::now());
                    self.publish(&open).await?;
                }
            }
            Ok(())
        })
    }

    async fn publish(&self, open: &BTreeMap<u64, Subject>) -> Result<(), BusFault> {
        for (number, subject) in open {
            let reply = format!("{}.{number}", self.inbox);
            let sent = self.connection.client.publish_with_reply(
                subject.clone(),
                reply,
                Bytes::from_static(b"+ACK"),
            );
            sent.await.map_err(|error| self.unavailable(&error.to_string()))?;
        }
        Ok(())
    }

    fn unavailable(&self, what: &str) -> BusFault {
        self.connection.status.explain(BusFault::Unavailable(format!("NATS: {what}")))
    }
}
