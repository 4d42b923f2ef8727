//! The requests of the feeds: `contractor-personal-area.txt`, sections Call, CallCost, CallTask.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use talon_http::{Client, Credentials, HeaderValue, Lane, Method, Request};
use talon_sdk::Fault;

/// The upstream as the external (dispatcher) system sees it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) http: Client,
    pub(crate) external: Option<Credentials>,
    lane: Lane,
    marks: Arc<Mutex<[Option<i64>; 3]>>,
}

impl Upstream {
    pub(crate) fn new(http: Client, external: Option<Credentials>) -> Upstream {
        Upstream { http, external, lane: Lane::Feed, marks: Arc::default() }
    }

    /// The same upstream, asked on behalf of commands.
    pub(crate) fn for_commands(self) -> Upstream {
        Upstream { lane: Lane::Command, ..self }
    }

    /// Notes a mark that was seen, by a feed or before a command.
    pub(crate) fn saw_mark(&self, of: Modified, mark: i64) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let last = &mut marks[of as usize];
        *last = (*last).max(Some(mark));
    }

    /// The highest mark seen so far; later rows have none below it, but for the overlap.
    pub(crate) fn last_mark(&self, of: Modified) -> Option<i64> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)[of as usize]
    }

    /// GET /call/modifications/{timestamp} and its two siblings: a JSON array.
    pub(crate) async fn modifications(&self, of: Modified, mark: i64) -> Result<Bytes, Fault> {
        let mut path: Vec<String> = of.path().iter().map(|part| (*part).to_owned()).collect();
        path.push(mark.to_string());
        self.http.read_json(self.get(of.endpoint(), path)).await
    }

    /// GET /calltask: a JSON array of all tasks.
    pub(crate) async fn tasks(&self) -> Result<Bytes, Fault> {
        self.http.read_json(self.get("GET /calltask", vec!["calltask".to_owned()])).await
    }

    /// GET /callCost/call/{callId}: a JSON object; `None` where the call has no estimate (404, or a
    /// refusal of this one call).
    pub(crate) async fn cost(&self, call_id: i64) -> Result<Option<Bytes>, Fault> {
        const ENDPOINT: &str = "GET /callCost/call/{callId}";
        let path = vec!["callCost".to_owned(), "call".to_owned(), call_id.to_string()];
        let reply =
            self.http.send(self.get(ENDPOINT, path)).await.map_err(|failure| failure.fault())?;
        if reply.status == 404 || (reply.is_success() && reply.body.is_empty()) {
            return Ok(None);
        }
        let setting = self.external.as_ref().map(Credentials::setting);
        match talon_http::fault_of(ENDPOINT, &reply, setting) {
            None => talon_http::read_json_body(ENDPOINT, reply).map(Some),
            Some(Fault::Rejected { .. }) => Ok(None),
            Some(fault) => Err(fault),
        }
    }

    fn get(&self, endpoint: &'static str, path: Vec<String>) -> Request<'_> {
        let mut request =
            Request::new(Method::GET, endpoint, path).credentials(self.external.as_ref());
        request.lane = self.lane;
        // The service offers a dozen formats.
        request.headers.insert("accept", HeaderValue::from_static("application/json"));
        request
    }
}

/// The three resources with a modification feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Modified {
    Calls,
    Messages,
    Jeopardies,
}

impl Modified {
    fn path(self) -> &'static [&'static str] {
        match self {
            Modified::Calls => &["call", "modifications"],
            Modified::Messages => &["call", "messages", "modifications"],
            Modified::Jeopardies => &["call", "jeopardies", "modifications"],
        }
    }

    fn endpoint(self) -> &'static str {
        match self {
            Modified::Calls => "GET /call/modifications/{timestamp}",
            Modified::Messages => "GET /call/messages/modifications/{timestamp}",
            Modified::Jeopardies => "GET /call/jeopardies/modifications/{timestamp}",
        }
    }
}
