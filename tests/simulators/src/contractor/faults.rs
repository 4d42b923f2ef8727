use axum::http::Method;
use serde::{Deserialize, Serialize};

use super::scheme::Scheme;

/// One misbehaviour, and when it happens.
pub type Fault = crate::faults::Fault<FaultKind, Requests>;

/// The faults that are in force; a cheap handle, callable at any time.
pub type Faults = crate::faults::Faults<FaultKind, Requests>;

/// What a fault is restricted to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Requests {
    /// Only this path and those below it, by whole segments; all paths by default. Paths under `/_sim`
    /// never misbehave.
    pub path: Option<String>,
    /// Only this method, as `POST`; all by default.
    pub method: Option<String>,
}

/// What can go wrong. Those about rows change the JSON of a successful answer: rows of a list, or
/// the object itself as the only row; the row is that with the lowest id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// The request waits before anything happens.
    Slow {
        /// For how long, in ms.
        ms: u64,
    },
    /// The request is answered with a code and has no effect.
    Status {
        /// The HTTP status, 100–999.
        code: u16,
        /// The header `Retry-After`, in seconds.
        #[serde(default)]
        retry_after_seconds: Option<u64>,
        /// The body, as `text/plain`; empty by default.
        #[serde(default)]
        body: Option<String>,
    },
    /// The effect happens, and the connection is cut halfway through the body of the answer.
    Cut {
        /// Whether the body is chunked; otherwise its full length is announced.
        #[serde(default)]
        chunked: bool,
    },
    /// The connection is cut before anything happens.
    LostRequest,
    /// The effect happens, and the connection is closed without an answer.
    LostReply,
    /// The answer is a complete body that ends in the middle of its JSON.
    InvalidJson,
    /// The `id` of one row is a text.
    UndecodableRow,
    /// One row has no `id`.
    RowWithoutId,
    /// Every row has one more field, `slaClass`.
    UnknownField,
    /// The `status` of one row is `Paused`.
    UnknownStatus,
    /// An optional field of one row has another JSON type.
    WrongType,
    /// One row has one more field, `odd`, whose value is this text, which may be no JSON.
    OddRow {
        /// Such as `NaN`.
        value: String,
    },
    /// The `timestamp` of one row is this.
    LeapingMark {
        /// The mark.
        mark: i64,
    },
    /// The effect happens, and the body of a successful answer is this text.
    OtherAnswer {
        /// Such as an error; empty for no content.
        body: String,
    },
    /// Every row of a list comes twice.
    DoubleRows,
    /// A list has only its first rows, by id.
    ShortList {
        /// How many.
        keep: usize,
    },
    /// A list has no rows.
    EmptyList,
    /// The credential of a scheme is refused with 401; other endpoints are untouched.
    TokenExpired {
        /// Of which scheme.
        #[serde(default = "external")]
        scheme: Scheme,
    },
    /// The answer is 200 with the HTML page of a login, and the request has no effect.
    HtmlError,
}

fn external() -> Scheme {
    Scheme::External
}

impl Fault {
    /// Restricts the fault to a path and those below it.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.to.path = Some(path.to_owned());
        self
    }

    /// Restricts the fault to a method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.to.method = Some(method.to_owned());
        self
    }

    fn concerns(&self, method: &Method, path: &str, scheme: Scheme) -> bool {
        let is_below = |prefix: &String| {
            let rest = path.strip_prefix(prefix.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let of_scheme = match self.kind {
            FaultKind::TokenExpired { scheme: refused } => refused == scheme,
            _ => true,
        };
        of_scheme
            && self.to.path.as_ref().is_none_or(is_below)
            && self.to.method.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(method.as_str()))
    }
}

impl Faults {
    /// What happens to a request; counts it.
    pub(super) fn strike(&self, method: &Method, path: &str, scheme: Scheme) -> Vec<FaultKind> {
        self.happen(|fault| fault.concerns(method, path, scheme))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_spares_the_first_requests_and_ends_after_its_times() {
        let faults = Faults::default();
        faults.add(Fault::from(FaultKind::LostReply).after(1).times(2).at("/call/"));
        let mut strike = |path| !faults.strike(&Method::GET, path, Scheme::External).is_empty();
        let struck: Vec<_> =
            ["/call/1", "/calltask", "/call/2", "/call", "/call/3"].map(&mut strike).into();
        assert_eq!(struck, [false, false, true, true, false]);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_fault_is_written_as_flat_json() {
        let json = r#"{"kind": "status", "code": 503, "path": "/call", "times": 2}"#;
        let fault: Fault = serde_json::from_str(json).expect("a fault");
        let kind = FaultKind::Status { code: 503, retry_after_seconds: None, body: None };
        assert_eq!(fault, Fault::from(kind).at("/call").times(2));
    }
}
