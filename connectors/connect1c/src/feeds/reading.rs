//! A call that is being answered.

use async_trait::async_trait;
use talon_http::{Client, Credentials, HeaderValue, Method, Request, Stream, fault_of};
use talon_sdk::feeds::{Answer, NoAnswer, Piece};
use talon_sdk::{Fault, Permit};

use crate::entity::COLUMNS;
use crate::soap;
use crate::xml::{Limits, ReplyFault, TableReader};

/// Rows are given on when they have so many bytes, so that memory does not grow with the reply.
const PIECE_BYTES: usize = 1 << 20;

/// An answer that is no success is read so far, to see what it says.
const ERROR_BYTES: usize = 1 << 20;

/// Who is asked.
#[derive(Clone)]
pub(super) struct Upstream {
    pub(super) http: Client,
    pub(super) credentials: Option<Credentials>,
}

/// A reply that comes piece by piece.
pub(super) struct Reading {
    stream: Stream,
    reader: TableReader,
}

impl Upstream {
    /// Calls an operation, if the permit holds when the first byte leaves.
    pub(super) async fn call(
        &self,
        operation: &'static str,
        envelope: String,
        permit: &Permit,
    ) -> Result<Reading, NoAnswer> {
        let mut request = Request::new(Method::POST, operation, [] as [&str; 0])
            .body(envelope, HeaderValue::from_static(soap::CONTENT_TYPE))
            .credentials(self.credentials.as_ref())
            .permit(permit)
            .counted();
        if let Ok(action) = HeaderValue::try_from(soap::action(operation)) {
            request.headers.insert("soapaction", action);
        }
        let mut stream = self.http.stream(request).await.map_err(Fault::from)?;
        let mut reader = TableReader::new(operation, COLUMNS, Limits::default());
        if let Some(fault) = fault_of(operation, stream.head(), Some("auth.password")) {
            // SOAP tells its own faults with 400 and 500.
            if matches!(stream.head().status, 400 | 500)
                && let Some(told) = told(&mut stream, &mut reader).await
            {
                return Err(no_answer(told));
            }
            return Err(NoAnswer::Other(fault));
        }
        Ok(Reading { stream, reader })
    }
}

/// What a reply that is no success says, if it is SOAP.
async fn told(stream: &mut Stream, reader: &mut TableReader) -> Option<ReplyFault> {
    let mut bytes = 0;
    while let Some(chunk) = stream.chunk().await.ok()? {
        bytes += chunk.len();
        if bytes > ERROR_BYTES {
            return None;
        }
        reader.push(&chunk).ok()?;
    }
    let told = reader.finish().err()?;
    matches!(told, ReplyFault::Soap(_) | ReplyFault::Refused { .. }).then_some(told)
}

fn no_answer(fault: ReplyFault) -> NoAnswer {
    match fault.is_out_of_limit() {
        true => NoAnswer::OutOfLimit(fault.into()),
        false => NoAnswer::Other(fault.into()),
    }
}

#[async_trait]
impl Answer for Reading {
    async fn piece(&mut self) -> Result<Piece, NoAnswer> {
        while let Some(chunk) = self.stream.chunk().await.map_err(Fault::from)? {
            self.reader.push(&chunk).map_err(no_answer)?;
            if self.reader.waiting_bytes() >= PIECE_BYTES {
                return Ok(Piece { rows: self.reader.take_rows(), is_last: false });
            }
        }
        // What was found before the end is no answer if the end says that the call failed.
        self.reader.finish().map_err(no_answer)?;
        Ok(Piece { rows: self.reader.take_rows(), is_last: true })
    }
}
