use std::time::Duration;

use quick_xml::errors::{Error, IllFormedError};
use talon_sdk::Fault;

/// The longest text of an upstream that is shown, in letters.
const SHOWN: usize = 200;

/// Why a body is no answer. Says nothing of its rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyFault {
    /// The document ends too early.
    #[error("the reply ends at byte {at}, with {open} elements open")]
    Cut {
        /// Where it ends.
        at: u64,
        /// How many elements are open; none where nothing came.
        open: usize,
    },
    /// It is no XML.
    #[error("the reply is no XML: {what} at byte {at}")]
    NotXml {
        /// What is wrong.
        what: String,
        /// Where.
        at: u64,
    },
    /// It has what no reply needs, and what is dangerous to read.
    #[error("the reply has {what} at byte {at}, which is refused")]
    Forbidden {
        /// What it is.
        what: &'static str,
        /// Where.
        at: u64,
    },
    /// Something is too large.
    #[error("the reply has {what} of more than {limit}")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// What is the most.
        limit: usize,
    },
    /// It is XML, but no reply to the call.
    #[error("the reply is something else: {0}")]
    NotAReply(&'static str),
    /// It does not say how the call went.
    #[error("the reply is something else: it has no `{0}`")]
    NoCode(&'static str),
    /// The call failed, and a SOAP fault says so.
    #[error("{0}")]
    Soap(SoapFault),
    /// The quota is used up, by whomever; said as the next one is.
    #[error("the upstream refused the call with `{code}`: {text}")]
    OutOfLimit {
        /// The code.
        code: String,
        /// The reason, as the upstream has it.
        text: String,
    },
    /// The call failed, and its code says so, with status 200.
    #[error("the upstream refused the call with `{code}`: {text}")]
    Refused {
        /// The code.
        code: String,
        /// The reason, as the upstream has it.
        text: String,
    },
}

/// A SOAP fault of either version.
#[derive(Debug, Clone, PartialEq, Eq, Default, thiserror::Error)]
#[error("the upstream answered with the SOAP fault `{code}`: {text}")]
pub struct SoapFault {
    /// `Receiver`, `Sender`, or in version 1.1 `Server`, `Client`; without its prefix.
    pub code: String,
    /// What it says.
    pub text: String,
}

impl ReplyFault {
    /// Whether the service itself says so.
    pub(super) fn is_of_the_service(&self) -> bool {
        use ReplyFault::{OutOfLimit, Refused, Soap};
        matches!(self, Soap(_) | Refused { .. } | OutOfLimit { .. })
    }
}

/// A text of the upstream as it is shown.
pub(super) fn shown(text: &str) -> String {
    let mut text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl From<ReplyFault> for Fault {
    fn from(fault: ReplyFault) -> Fault {
        let reason = fault.to_string();
        match &fault {
            ReplyFault::OutOfLimit { .. } => {
                Fault::Unavailable { reason, retry_after: Some(Duration::from_secs(3600)) }
            }
            // An unknown code would come again for the same request.
            ReplyFault::Refused { .. } => Fault::Rejected { reason },
            ReplyFault::Soap(SoapFault { code, .. }) if code == "Sender" || code == "Client" => {
                Fault::Rejected { reason }
            }
            // Something else answers in the upstream's place, or the way to it is disturbed.
            _ => Fault::unavailable(reason),
        }
    }
}

/// The library's words quote the document, so they are not used.
pub(super) fn no_xml(error: &Error, at: u64) -> ReplyFault {
    let what = match error {
        Error::Syntax(_) => "a tag that is none",
        Error::IllFormed(IllFormedError::UnclosedReference) => "a `&` without its end",
        Error::IllFormed(_) => "a tag that does not belong there",
        Error::InvalidAttr(_) => "an attribute that is none",
        Error::Encoding(_) => "text that is not UTF-8",
        Error::Escape(_) => "an unknown reference",
        Error::Namespace(_) => "a namespace that cannot be",
        Error::Io(_) => "an error of reading",
    };
    ReplyFault::NotXml { what: what.to_owned(), at }
}
