use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use talon_sdk::Fault;
use tokio::time::Instant;

use crate::client::Inner;
use crate::fault::body_of;
use crate::kept::Pool;
use crate::{Client, Failure, FailureKind, Reply, Request, Sent, failure, fault_of};

/// A reply whose body is taken piece by piece, for bodies that nobody wants to hold whole.
///
/// While nobody takes, nothing is read, and the upstream waits. Dropping it before its end closes the
/// connection, and it is not counted.
pub struct Stream {
    endpoint: &'static str,
    head: Reply,
    response: reqwest::Response,
    client: Arc<Inner>,
    pool: Pool,
    since: Instant,
    bytes: u64,
    is_over: bool,
}

impl Client {
    /// Sends a request, when the rate budget allows it, and reads the head of the reply. Every status is
    /// a reply, also an error's; see [`Stream::check`]. Sent again is what [`Client::send`] sends again.
    ///
    /// `upstream.request.timeout.ms` bounds the wait for the head, and then each silence in the body.
    /// `upstream.response.max.bytes` does not bound the body; who keeps any of it bounds that.
    ///
    /// # Errors
    /// As [`Client::send`], of the head alone.
    pub async fn stream(&self, request: Request<'_>) -> Result<Stream, Failure> {
        let again = request.may_repeat().then(|| request.clone());
        match (self.stream_once(request).await, again) {
            (Err(failure), Some(again)) if failure.is_unanswered() => self.stream_once(again).await,
            (outcome, _) => outcome,
        }
    }

    async fn stream_once(&self, request: Request<'_>) -> Result<Stream, Failure> {
        let endpoint = request.endpoint;
        let client = self.inner.clone();
        let ready = client.admit(request).await?;
        let pool = ready.pool.clone();
        let since = Instant::now();
        let limit = client.config.request_timeout;
        let outcome = match tokio::time::timeout(limit, client.head(endpoint, ready)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(silent(endpoint, limit)),
        };
        match outcome {
            Ok((head, response)) => {
                let (bytes, is_over) = (0, false);
                Ok(Stream { endpoint, head, response, client, pool, since, bytes, is_over })
            }
            Err(failure) => {
                client.failed(&failure, &pool, endpoint, 0, since);
                Err(failure)
            }
        }
    }
}

impl Stream {
    /// The head of the reply; its body is empty.
    pub fn head(&self) -> &Reply {
        &self.head
    }

    /// Whether what follows is what was asked for.
    ///
    /// # Errors
    /// As [`Client::read`]; `credentials` as in [`fault_of`].
    pub fn check(&self, credentials: Option<&str>) -> Result<(), Fault> {
        match fault_of(self.endpoint, &self.head, credentials) {
            Some(fault) => Err(fault),
            None => body_of(self.endpoint, self.head.clone()).map(drop),
        }
    }

    /// The next piece of the body, decompressed; `None` at its end.
    ///
    /// May be cancelled: the piece comes with the next call.
    ///
    /// # Errors
    /// Where the body ends early or is silent for too long. After that there is nothing more.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.is_over {
            return Ok(None);
        }
        let limit = self.client.config.request_timeout;
        let taken = match tokio::time::timeout(limit, self.response.chunk()).await {
            Ok(taken) => taken.map_err(|error| failure::of_error(self.endpoint, &error)),
            Err(_) => Err(silent(self.endpoint, limit)),
        };
        match &taken {
            Ok(Some(chunk)) => self.bytes += chunk.len() as u64,
            Ok(None) => {
                let code = self.head.status.to_string();
                self.client.count(self.endpoint, &code, self.bytes, self.since);
            }
            Err(failure) => {
                self.client.failed(failure, &self.pool, self.endpoint, self.bytes, self.since);
            }
        }
        self.is_over = !matches!(taken, Ok(Some(_)));
        taken
    }
}

fn silent(endpoint: &str, limit: Duration) -> Failure {
    Failure {
        kind: FailureKind::Timeout,
        sent: Sent::Maybe,
        reason: format!(
            "`{endpoint}`: nothing came for {} ms; see `upstream.request.timeout.ms`",
            limit.as_millis()
        ),
        is_headless: false,
    }
}

/// Without anything of the body.
impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("head", &self.head)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
