use serde::{Deserialize, Serialize};

use super::call::Operation;
use super::settings::SoapVersion;

/// One misbehaviour, and when it happens.
pub type Fault = crate::faults::Fault<FaultKind, Requests>;

/// The faults that are in force; a cheap handle, callable at any time.
pub type Faults = crate::faults::Faults<FaultKind, Requests>;

/// What a fault is restricted to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Requests {
    /// Only calls of this operation; all by default.
    pub operation: Option<Operation>,
}

/// What can go wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// The request waits before anything happens.
    Slow {
        /// For how long, in ms.
        ms: u64,
    },
    /// The body comes slowly.
    SlowBody {
        /// How long before each piece of some 64 KiB, in ms.
        ms: u64,
    },
    /// The request is answered with a code. It is not counted.
    Status {
        /// The HTTP status, 100–999.
        code: u16,
        /// The header `Retry-After`, in seconds.
        #[serde(default)]
        retry_after_seconds: Option<u64>,
    },
    /// The connection is cut before anything happens.
    LostRequest,
    /// The call is counted, and the connection is closed without an answer.
    LostReply,
    /// The connection is cut in mid-body, after so many rows and the beginning of the next.
    Cut {
        /// How many arrive whole.
        rows: usize,
    },
    /// The body ends after so many rows, as if it were whole.
    Unfinished {
        /// How many arrive whole.
        rows: usize,
        /// Whether it ends behind a row, and not within one.
        between: bool,
    },
    /// The answer is 200 with a page for people. It is not counted.
    HtmlError,
    /// The answer is 200 with this text.
    OtherAnswer {
        /// Empty for no content.
        body: String,
    },
    /// The answer is 200 with this `ResultCode`, and the text as `ResultData`.
    Refused {
        /// Such as `INTERNAL_ERROR`.
        code: String,
        /// Why.
        text: String,
    },
    /// The answer is a SOAP fault, with the status 500.
    SoapFault {
        /// What it says.
        text: String,
        /// In this version; that of the request by default.
        #[serde(default)]
        version: Option<SoapVersion>,
    },
    /// `SUCCESS`, and no `ResultData`.
    NoData,
    /// A table without rows.
    EmptyTable,
    /// The first row lacks its last value.
    ShortRow,
    /// The first row has no identifier.
    RowWithoutId,
    /// The document begins with a document type that declares entities.
    DocumentType,
}

impl Fault {
    /// Restricts the fault to an operation.
    #[must_use]
    pub fn of(mut self, operation: Operation) -> Self {
        self.to.operation = Some(operation);
        self
    }
}

impl Faults {
    /// What happens to a request; counts it. What cannot be read is of no operation.
    pub(super) fn strike(&self, operation: Option<Operation>) -> Vec<FaultKind> {
        self.happen(|Fault { to, .. }| to.operation.is_none() || to.operation == operation)
    }
}
