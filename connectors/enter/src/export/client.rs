//! The requests: `enter-central-export.txt`, its four methods.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use talon_http::{Client, Credentials, FailureKind, Request, Stream, fault_of};
use talon_sdk::{Fault, Received};
use tokio::time::Instant;

use super::day::Day;

const HISTORY: &str = "GET /api/1/queue/statistics/tickets/history";
const OLD: &str = "GET /api/1/queue/statistics/tickets";

/// The central server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Upstream {
    http: Client,
    token: Option<Credentials>,
    data_fields: bool,
    method: Arc<Mutex<Method>>,
    /// After how long an old server is asked again whether it is still old.
    patience: Duration,
}

/// Which method gives tickets.
#[derive(Debug, Clone, Copy)]
enum Method {
    Unknown,
    /// The one with the history has answered: a 404 of it is another matter.
    History,
    /// The server had only the old one, and is not asked for the other until then.
    Old(Instant),
}

/// Why a day cannot be read.
#[derive(Debug, Clone)]
pub(crate) struct DayFault {
    pub(crate) fault: Fault,
    /// Whether it says something of the upstream as a whole, not of this day.
    pub(crate) is_general: bool,
}

impl DayFault {
    pub(crate) fn of_day(fault: Fault) -> DayFault {
        DayFault { fault, is_general: false }
    }

    /// A refusal to be left alone for a while, or of the credentials, concerns every day.
    fn of_reply(fault: Fault, status: u16) -> DayFault {
        let asks = matches!(&fault, Fault::Unavailable { retry_after: Some(_), .. });
        DayFault { fault, is_general: asks || matches!(status, 300..=399 | 401 | 403 | 429) }
    }
}

impl From<talon_http::Failure> for DayFault {
    fn from(failure: talon_http::Failure) -> DayFault {
        let is_general = matches!(
            failure.kind,
            FailureKind::Connect | FailureKind::Tls | FailureKind::Credentials
        );
        DayFault { is_general, fault: failure.fault() }
    }
}

impl Upstream {
    /// `patience`: after how long an old server is asked again whether it is still old.
    pub(crate) fn new(
        http: Client,
        token: Option<Credentials>,
        data_fields: bool,
        patience: Duration,
    ) -> Upstream {
        let method = Arc::new(Mutex::new(Method::Unknown));
        Upstream { http, token, data_fields, method, patience }
    }

    /// GET /api/1/config/servers: a list of branches.
    pub(crate) async fn branches(&self) -> Result<Received, Fault> {
        self.list("GET /api/1/config/servers", ["api", "1", "config", "servers"]).await
    }

    /// GET /api/1/config/ticketSources: a list of ticket sources.
    pub(crate) async fn sources(&self) -> Result<Received, Fault> {
        self.list("GET /api/1/config/ticketSources", ["api", "1", "config", "ticketSources"]).await
    }

    async fn list(&self, endpoint: &'static str, path: [&str; 4]) -> Result<Received, Fault> {
        self.http.read_json(Request::get(endpoint, path).credentials(self.token.as_ref())).await
    }

    /// The tickets of a branch's day: with history, or without where the server is too old to have
    /// that method.
    pub(crate) async fn day(&self, branch: &str, day: Day) -> Result<Stream, DayFault> {
        let method = *self.method();
        if let Method::Old(until) = method
            && Instant::now() < until
        {
            return self.checked(OLD, self.ask(OLD, branch, day).await?);
        }
        let stream = self.ask(HISTORY, branch, day).await?;
        if stream.head().status != 404 || matches!(method, Method::History) {
            let stream = self.checked(HISTORY, stream)?;
            *self.method() = Method::History;
            return Ok(stream);
        }
        let old = self.checked(OLD, self.ask(OLD, branch, day).await?)?;
        if !matches!(method, Method::Old(_)) {
            tracing::info!(
                "the server has no history of tickets; they are read without operations"
            );
        }
        *self.method() = Method::Old(Instant::now() + self.patience);
        Ok(old)
    }

    async fn ask(
        &self,
        endpoint: &'static str,
        branch: &str,
        day: Day,
    ) -> Result<Stream, DayFault> {
        let path = endpoint.trim_start_matches("GET /").split('/');
        let request = Request::get(endpoint, path)
            .query("date", day.dotted())
            .query("serverId", branch)
            .query("includeDataFields", if self.data_fields { "true" } else { "false" })
            .credentials(self.token.as_ref());
        Ok(self.http.stream(request).await?)
    }

    fn checked(&self, endpoint: &str, stream: Stream) -> Result<Stream, DayFault> {
        let setting = self.token.as_ref().map(Credentials::setting);
        let status = stream.head().status;
        if let Some(fault) = fault_of(endpoint, stream.head(), setting) {
            return Err(DayFault::of_reply(fault, status));
        }
        stream.check(setting).map_err(DayFault::of_day)?;
        Ok(stream)
    }

    fn method(&self) -> std::sync::MutexGuard<'_, Method> {
        self.method.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
