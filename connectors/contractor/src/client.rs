//! The requests of the feeds: `contractor-personal-area.txt`, sections Call, CallCost, CallTask.

use bytes::Bytes;
use talon_http::{Client, Credentials, HeaderValue, Lane, Method, Request};
use talon_sdk::feeds::{MarkedRows, Marks};
use talon_sdk::{Fault, Form, NoAnswer, Received, Rows};

use crate::session::error_code;

/// The upstream as the external (dispatcher) system sees it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) http: Client,
    pub(crate) external: Option<Credentials>,
    lane: Lane,
    marks: [Marks; 3],
}

impl Upstream {
    /// Marks overlap, and those of tables are looked at from the beginning once in `audit_ms`.
    pub(crate) fn new(
        http: Client,
        external: Option<Credentials>,
        overlap: i64,
        audit_ms: i64,
    ) -> Upstream {
        // A log is not looked at again.
        let marks = [Some(audit_ms), None, Some(audit_ms)].map(|audit| Marks::new(overlap, audit));
        Upstream { http, external, lane: Lane::Feed, marks }
    }

    /// The same upstream, asked on behalf of commands.
    pub(crate) fn for_commands(self) -> Upstream {
        Upstream { lane: Lane::Command, ..self }
    }

    /// How far a resource was read, by its feed or before a command.
    pub(crate) fn marks(&self, of: Modified) -> &Marks {
        &self.marks[of as usize]
    }

    /// GET /call/modifications/{timestamp} and its two siblings: a list.
    pub(crate) async fn since(&self, of: Modified, mark: i64) -> Result<Received, Fault> {
        let mut path: Vec<String> = of.path().iter().map(|part| (*part).to_owned()).collect();
        path.push(mark.to_string());
        self.http.read_json(self.get(of.endpoint(), path)).await
    }

    /// [`Upstream::since`], as rows with their marks.
    pub(crate) async fn modifications(&self, of: Modified, mark: i64) -> Result<MarkedRows, Fault> {
        let received = self.since(of, mark).await?;
        Ok(received.marked_rows("timestamp")?)
    }

    /// GET /calltask: a list of all tasks.
    pub(crate) async fn tasks(&self) -> Result<Rows, Fault> {
        let request = self.get("GET /calltask", vec!["calltask".to_owned()]);
        Ok(self.http.read_json(request).await?.rows()?)
    }

    /// GET /callCost/call/{callId}: an object.
    pub(crate) async fn cost(&self, call_id: i64) -> Result<Cost, Fault> {
        const ENDPOINT: &str = "GET /callCost/call/{callId}";
        let path = vec!["callCost".to_owned(), "call".to_owned(), call_id.to_string()];
        let reply =
            self.http.send(self.get(ENDPOINT, path)).await.map_err(|failure| failure.fault())?;
        // An ErrorDTO refuses this one call, whatever the status that it comes with.
        if reply.status == 404 || reply.is_success() && error_code(&reply).is_some() {
            return Ok(Cost::None);
        }
        let setting = self.external.as_ref().map(Credentials::setting);
        match talon_http::fault_of(ENDPOINT, &reply, setting) {
            None => {}
            Some(Fault::Rejected { .. }) => return Ok(Cost::None),
            Some(fault) => return Err(fault),
        }
        Ok(match talon_http::read_json_body(ENDPOINT, reply)?.object(ESTIMATE) {
            Ok(Some(estimate)) => Cost::Estimate(estimate),
            Ok(None) => Cost::None,
            Err(no_answer) => Cost::Other(no_answer),
        })
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

/// By what a CallCostDTO is known: all of its fields are optional in the document. The `status` of a problem
/// report is a number.
const ESTIMATE: &[(&str, Form)] =
    &[("status", Form::Text), ("expenses", Form::List), ("materials", Form::List)];

/// What the upstream says of the estimate of a call.
pub(crate) enum Cost {
    /// The estimate.
    Estimate(Bytes),
    /// There is none: 404, no content, or a refusal of this one call, also if it comes with success.
    None,
    /// It says something else, with success.
    Other(NoAnswer),
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
