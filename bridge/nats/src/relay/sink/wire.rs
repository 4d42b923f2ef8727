//! Messages to a stream, and the server's answers.

use std::pin::pin;
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::RawMessage;
use async_nats::{HeaderMap, HeaderName, HeaderValue, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use talon_runtime::bus::{BusFault, Grant};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::connection::{Connection, TIMEOUT};
use crate::streams::ask;
use crate::writer::Answer;

/// How often the connection is looked at while waiting for answers.
const POLL: Duration = Duration::from_millis(50);

/// The server takes no more bytes of headers.
pub(super) const MAX_HEADERS: usize = 65_000;

/// A message to be published.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) subject: String,
    pub(super) headers: HeaderMap,
    pub(super) payload: Bytes,
}

impl Message {
    /// As on the wire, with room for what a sink adds.
    pub(super) fn bytes(&self) -> usize {
        self.header_bytes() + self.payload.len()
    }

    pub(super) fn header_bytes(&self) -> usize {
        let of_name = |(name, values): (&HeaderName, &Vec<HeaderValue>)| {
            let name: &str = name.as_ref();
            values.iter().map(|value| name.len() + value.as_str().len() + 4).sum::<usize>()
        };
        self.headers.iter().map(of_name).sum::<usize>() + 256
    }
}

/// Publishes messages, and takes the answers in.
///
/// Nothing is published twice: whoever gets no answer opens the sink anew, and reads back.
pub(super) struct Wire {
    pub(super) runtime: Handle,
    pub(super) connection: Connection,
    grant: Grant,
    answers: Subscriber,
    inbox: String,
    /// Number of the next message that wants an answer.
    next: u64,
    /// Losses of the connection when the sink was opened.
    losses: u64,
}

impl Wire {
    pub(super) async fn open(connection: Connection, grant: Grant) -> Result<Wire, BusFault> {
        let (inbox, losses) = (connection.client.new_inbox(), connection.status.losses());
        let answers = connection.client.subscribe(format!("{inbox}.*")).await.map_err(|error| {
            connection.status.explain(BusFault::Unavailable(format!("NATS: {error}")))
        })?;
        let runtime = Handle::current();
        Ok(Wire { runtime, connection, grant, answers, inbox, next: 0, losses })
    }

    /// Publishes a message whose answer is wanted, and gives its number.
    pub(super) fn ask(&mut self, message: &Message) -> Result<u64, BusFault> {
        let number = self.next;
        self.next += 1;
        self.publish(message, Some(format!("{}.{number}", self.inbox)))?;
        Ok(number)
    }

    /// Publishes a message without waiting.
    pub(super) fn tell(&self, message: &Message) -> Result<(), BusFault> {
        self.publish(message, None)
    }

    fn publish(&self, message: &Message, reply: Option<String>) -> Result<(), BusFault> {
        let Message { subject, headers, payload } = message.clone();
        let client = &self.connection.client;
        let sending = async {
            match reply {
                Some(reply) => {
                    client.publish_with_reply_and_headers(subject, reply, headers, payload).await
                }
                None => client.publish_with_headers(subject, headers, payload).await,
            }
        };
        let mut sending = pin!(sending);
        // It waits only if the client's buffer is full.
        let sent = match sending.as_mut().now_or_never() {
            Some(sent) => sent,
            None => match self.runtime.block_on(async { timeout(TIMEOUT, sending).await }) {
                Ok(sent) => sent,
                Err(_) => return Err(self.unavailable("the client's buffer stays full")),
            },
        };
        sent.map_err(|error| self.unavailable(&error.to_string()))
    }

    /// An answer that has arrived.
    pub(super) fn arrived(&mut self) -> Option<(u64, Answer)> {
        let message = self.answers.next().now_or_never().flatten()?;
        Some((self.number(&message)?, Answer::of(&message)))
    }

    /// Waits for the next answer.
    ///
    /// # Errors
    /// Where none comes. Whatever is under way is stored, or is not, or will be.
    pub(super) fn answer(&mut self) -> Result<(u64, Answer), BusFault> {
        let since = Instant::now();
        loop {
            let next = self.answers.next();
            match self.runtime.block_on(async { timeout(POLL, next).await }) {
                Ok(Some(message)) => {
                    if let Some(number) = self.number(&message) {
                        return Ok((number, Answer::of(&message)));
                    }
                }
                Ok(None) => return Err(self.unavailable("the connection is closed")),
                Err(_) => {}
            }
            self.grant.may_finish()?;
            if self.connection.status.losses() != self.losses {
                return Err(self.unavailable("the connection was lost on the way"));
            }
            if since.elapsed() > TIMEOUT {
                return Err(self.unavailable("records are not acknowledged"));
            }
        }
    }

    /// Waits for the answer to this message; others are of no interest any more.
    pub(super) fn answer_to(&mut self, number: u64) -> Result<Answer, BusFault> {
        loop {
            let (of, answer) = self.answer()?;
            if of == number {
                return Ok(answer);
            }
        }
    }

    fn number(&self, message: &async_nats::Message) -> Option<u64> {
        message.subject.get(self.inbox.len() + 1..)?.parse().ok()
    }

    /// The last message of a subject, as the leader of the stream has it.
    pub(super) fn last_of(
        &self,
        stream: &str,
        subject: &str,
    ) -> Result<Option<RawMessage>, BusFault> {
        let asked = LastOf { last_by_subj: subject };
        let (to, what) = (format!("STREAM.MSG.GET.{stream}"), format!("stream `{stream}`"));
        let found: Option<Found> =
            self.runtime.block_on(ask(&self.connection, to, &asked, &what))?;
        Ok(found.map(|found| found.message))
    }

    pub(super) fn unavailable(&self, what: &str) -> BusFault {
        self.connection.status.explain(BusFault::Unavailable(format!("NATS: {what}")))
    }
}

#[derive(serde::Serialize)]
struct LastOf<'a> {
    last_by_subj: &'a str,
}

#[derive(serde::Deserialize)]
struct Found {
    message: RawMessage,
}

/// None where a name or a value is not possible.
pub(super) fn header_map(pairs: &[(String, String)]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?);
    }
    Some(headers)
}
