use std::io::{self, ErrorKind};

use talon_sdk::Fault;

use crate::dial::{DialError, causes, of_proxy};
use crate::permit::Ended;
use crate::tls;

/// Why there is no whole reply.
///
/// The reason names the endpoint's template and the setting to look at. It has no URL, host, query,
/// body or secret in it, and neither has anything else here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    /// What failed.
    pub kind: FailureKind,
    /// Whether the upstream may have seen the request.
    pub sent: Sent,
    /// What happened, for people.
    pub reason: String,
    /// Nothing of a reply came.
    pub(crate) is_headless: bool,
}

/// What failed on the way to a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// There was no connection.
    Connect,
    /// The reply was not there in time.
    Timeout,
    /// The connection ended before the reply did.
    Cut,
    /// The body is larger than the limit.
    TooLarge,
    /// The two sides did not agree on TLS.
    Tls,
    /// The proxy wants other credentials.
    Proxy,
    /// The secret cannot be sent. Nothing was asked, so nothing is counted.
    Credentials,
    /// The permit of the request had ended when it was to be sent. Nothing was asked, so nothing is
    /// counted.
    NoPermit,
    /// What arrived is not HTTP, or its compression is damaged, or the request cannot be written.
    Other,
}

/// Whether a request may have reached the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// Surely not: it can be sent again.
    No,
    /// Perhaps, as a whole or in part.
    Maybe,
}

impl FailureKind {
    /// As a metric label: the `code` of `talon_upstream_requests_total`.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureKind::Connect => "connect",
            FailureKind::Timeout => "timeout",
            FailureKind::Cut => "cut",
            FailureKind::TooLarge => "too_large",
            FailureKind::Tls => "tls",
            FailureKind::Proxy => "proxy",
            FailureKind::Credentials => "credentials",
            FailureKind::NoPermit => "no_permit",
            FailureKind::Other => "other",
        }
    }
}

impl Failure {
    /// The connection ended before anything of the reply came.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.is_headless && self.kind == FailureKind::Cut
    }

    /// What the failure means for a read.
    ///
    /// Limits, certificates and secrets are for the operator to mend, a request that cannot even be
    /// written is a defect, and everything else passes.
    pub fn fault(&self) -> Fault {
        let reason = self.reason.clone();
        match self.kind {
            FailureKind::TooLarge
            | FailureKind::Tls
            | FailureKind::Proxy
            | FailureKind::Credentials => Fault::Misconfigured { reason },
            FailureKind::Other if self.sent == Sent::No => Fault::Internal { reason },
            FailureKind::Connect
            | FailureKind::Timeout
            | FailureKind::Cut
            | FailureKind::NoPermit
            | FailureKind::Other => Fault::unavailable(reason),
        }
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        failure.fault()
    }
}

/// The permit of the request had ended.
pub(crate) fn no_permit(endpoint: &str) -> Failure {
    let reason = format!("`{endpoint}` was not sent: {Ended}");
    Failure { kind: FailureKind::NoPermit, sent: Sent::No, reason, is_headless: false }
}

/// The server says that it did not look at the stream (RFC 9113, section 8.7).
pub(crate) fn is_refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut found = causes(error).filter_map(|cause| cause.downcast_ref::<h2::Error>());
    found.any(|h2| {
        h2.is_remote() && h2.is_reset() && h2.reason() == Some(h2::Reason::REFUSED_STREAM)
    })
}

/// Classifies an error of the HTTP library, and leaves its text behind: it may quote the URL.
pub(crate) fn of_error(endpoint: &str, error: &reqwest::Error) -> Failure {
    if causes(error).any(|cause| cause.is::<Ended>()) {
        return no_permit(endpoint);
    }
    let sent = if error.is_connect() || error.is_builder() { Sent::No } else { Sent::Maybe };
    let (kind, what) = classify(error);
    Failure { kind, sent, reason: format!("`{endpoint}`: {what}"), is_headless: false }
}

fn classify(error: &reqwest::Error) -> (FailureKind, String) {
    let find_io = || causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last();
    let hyper = causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
    if let Some(tls) = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return (FailureKind::Tls, tls::explain(tls));
    }
    if let Some(proxy) = causes(error).find_map(of_proxy) {
        return match proxy {
            DialError::Misconfigured(what) => (FailureKind::Proxy, what),
            DialError::Unreachable(what) => (FailureKind::Connect, what),
        };
    }
    if error.is_connect() {
        let what = if error.is_dns() {
            "the host of `upstream.url` cannot be resolved".to_owned()
        } else if error.is_timeout() {
            "no connection within `upstream.connect.timeout.ms`".to_owned()
        } else {
            let why = find_io().map_or(ErrorKind::Other, io::Error::kind);
            format!("no connection to `upstream.url`: {why}")
        };
        return (FailureKind::Connect, what);
    }
    if error.is_timeout() {
        return (FailureKind::Timeout, "the connection went silent".to_owned());
    }
    if hyper.is_some_and(hyper::Error::is_parse) {
        return (FailureKind::Other, "the reply is not HTTP; see `upstream.url`".to_owned());
    }
    let io = find_io().map(io::Error::kind);
    let h2 = causes(error).find_map(|cause| cause.downcast_ref::<h2::Error>());
    let shuts_down = |h2: &h2::Error| h2.is_go_away() && h2.is_remote();
    let is_cut = h2.is_some_and(shuts_down)
        || matches!(
            io,
            Some(
                ErrorKind::UnexpectedEof
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
            )
        )
        || hyper.is_some_and(|hyper| {
            hyper.is_incomplete_message() || hyper.is_canceled() || hyper.is_closed()
        });
    if is_cut {
        return (FailureKind::Cut, "the connection ended before the reply did".to_owned());
    }
    if error.is_decode() || error.is_body() {
        return match hyper {
            Some(_) => (FailureKind::Cut, "the reply was broken off".to_owned()),
            None => (FailureKind::Other, "the reply's compression is damaged".to_owned()),
        };
    }
    (FailureKind::Other, "the request failed".to_owned())
}
