use std::io;

use talon_sdk::Fault;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::CapacityError;

use crate::frame::UpstreamError;

/// Why a request has no answer, or there is no socket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// There is no connection; nothing was sent.
    #[error("{0}")]
    Connect(String),
    /// The permit had ended before the request was written; nothing was sent.
    #[error("this process may no longer act for the connector")]
    NoPermit,
    /// The socket ended; the request may have been taken.
    #[error("the connection ended: {0}")]
    Closed(String),
    /// No answer in time; the request may have been taken.
    #[error("`{0}` was not answered within `upstream.request.timeout.ms`")]
    Timeout(String),
    /// The answer is damaged or is not what the command answers with.
    #[error("`{0}` was answered with something else than it should be")]
    Strange(String),
    /// The upstream says no.
    #[error("`{command}` was refused: {error}")]
    Refused {
        /// What it refuses.
        command: String,
        /// How it says so.
        error: UpstreamError,
    },
    /// Configuration is wrong.
    #[error("{0}")]
    Misconfigured(String),
}

impl Failure {
    /// What it means for a read. The upstream's words are left behind: they may quote content.
    pub(crate) fn fault(&self) -> Fault {
        let reason = self.to_string();
        match self {
            Failure::Connect(_)
            | Failure::NoPermit
            | Failure::Closed(_)
            | Failure::Timeout(_)
            | Failure::Strange(_) => Fault::unavailable(reason),
            Failure::Refused { .. } => Fault::Rejected { reason },
            Failure::Misconfigured(_) => Fault::Misconfigured { reason },
        }
    }

    /// The word under which it is counted.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Failure::Connect(_) => "connect",
            Failure::NoPermit => "no_permit",
            Failure::Closed(_) => "cut",
            Failure::Timeout(_) => "timeout",
            Failure::Refused { .. } => "refused",
            Failure::Strange(_) | Failure::Misconfigured(_) => "other",
        }
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        failure.fault()
    }
}

/// Why the handshake failed. The library's text is left behind: it may quote the URL.
pub(crate) fn of_handshake(error: &Error) -> Failure {
    match error {
        Error::Http(response) => match response.status().as_u16() {
            status @ (200..=399 | 400 | 404 | 405 | 410 | 426) => Failure::Misconfigured(format!(
                "the handshake was answered with {status}: no WebSocket there; see `upstream.url`"
            )),
            status @ (401 | 403) => Failure::Misconfigured(format!(
                "the handshake was answered with {status}: something before the upstream wants credentials"
            )),
            status => Failure::Connect(format!("the handshake was answered with {status}")),
        },
        Error::Protocol(_) => {
            Failure::Connect("the peer speaks no WebSocket; see `upstream.url`".to_owned())
        }
        other => Failure::Connect(why(other)),
    }
}

/// Why the upstream closed, by its code. Its words are left behind: they may quote content.
pub(crate) fn closed(code: Option<u16>) -> String {
    let what = match code {
        None => return "the upstream closed it".to_owned(),
        Some(1000) => "done",
        Some(1001) => "going away",
        Some(1002 | 1003 | 1007 | 1010) => "it did not understand",
        Some(1008) => "against its policy",
        Some(1009) => "a message is too large for it",
        Some(1011) => "an error of its own",
        Some(1012) => "it restarts",
        Some(1013) => "try again later",
        Some(_) => "no common reason",
    };
    format!("the upstream closed it with {} ({what})", code.unwrap_or_default())
}

/// Why a socket ended, without content.
pub(crate) fn why(error: &Error) -> String {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => "the upstream closed it".to_owned(),
        Error::Io(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof => "it was cut".to_owned(),
            kind => kind.to_string(),
        },
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            "a message is larger than `upstream.message.max.bytes`".to_owned()
        }
        Error::Utf8(_) => "a message is no UTF-8".to_owned(),
        Error::Protocol(_) => "it was cut, or is no WebSocket any more".to_owned(),
        _ => "the WebSocket failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_fault_and_its_word() {
        let error =
            UpstreamError {
                code_error: 150, code_module: 0, code: 150, desc: "Иванов".to_owned()
            };
        let text = || "x".to_owned();
        for (failure, kind, code) in [
            (Failure::Connect(text()), "unavailable", "connect"),
            (Failure::NoPermit, "unavailable", "no_permit"),
            (Failure::Closed(text()), "unavailable", "cut"),
            (Failure::Timeout(text()), "unavailable", "timeout"),
            (Failure::Strange(text()), "unavailable", "other"),
            (Failure::Refused { command: text(), error }, "rejected", "refused"),
            (Failure::Misconfigured(text()), "misconfigured", "other"),
        ] {
            let fault = failure.fault();
            assert_eq!((fault.kind(), failure.code()), (kind, code), "{failure:?}");
            assert!(!fault.to_string().contains("Иванов"), "the upstream's words may be personal");
        }
    }
}
