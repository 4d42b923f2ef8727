//! A call that is being answered.

use async_trait::async_trait;
use talon_sdk::feeds::{Answer, NoAnswer, Piece};
use talon_sdk::{Fault, Permit};

use super::envelope::Envelope;
use super::fault::ReplyFault;
use super::limits::Limits;
use super::reader::TableReader;
use crate::{Client, Credentials, HeaderValue, Method, Request, Stream, fault_of};

/// The media type of requests. Replies come in several, and are not known by theirs.
const CONTENT_TYPE: &str = "application/soap+xml; charset=utf-8";

/// Rows are given on when they have so many bytes, so that memory does not grow with the reply.
const PIECE_BYTES: usize = 1 << 20;

/// An answer that is no success is read so far, to see what it says.
const ERROR_BYTES: usize = 1 << 20;

/// Who is asked.
#[derive(Clone)]
pub struct Caller {
    http: Client,
    credentials: Option<Credentials>,
    /// The columns that are known; see [`TableReader::new`].
    columns: &'static [&'static str],
}

/// A reply that comes piece by piece.
pub struct Reading {
    stream: Stream,
    reader: TableReader,
}

impl Caller {
    /// Calls go out with these credentials. `columns` are the names that are known; see
    /// [`TableReader::new`].
    pub fn new(
        http: Client,
        credentials: Option<Credentials>,
        columns: &'static [&'static str],
    ) -> Caller {
        Caller { http, credentials, columns }
    }

    /// Calls an operation, if the permit holds when the first byte leaves.
    ///
    /// # Errors
    /// Where no table comes, or a refusal of the upstream in its stead.
    pub async fn call(&self, envelope: Envelope, permit: &Permit) -> Result<Reading, NoAnswer> {
        let Envelope { service, operation, .. } = envelope;
        let mut request = Request::new(Method::POST, operation, [] as [&str; 0])
            .body(envelope.body(), HeaderValue::from_static(CONTENT_TYPE))
            .credentials(self.credentials.as_ref())
            .permit(permit)
            .counted();
        if let Ok(action) = HeaderValue::try_from(format!("{}{operation}", service.action)) {
            request.headers.insert("soapaction", action);
        }
        let setting = self.credentials.as_ref().map(Credentials::setting);
        let mut stream = self.http.stream(request).await.map_err(Fault::from)?;
        let mut reader = TableReader::new(service, operation, self.columns, Limits::default());
        if let Some(fault) = fault_of(operation, stream.head(), setting) {
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
    reader.finish().err().filter(ReplyFault::is_of_the_service)
}

fn no_answer(fault: ReplyFault) -> NoAnswer {
    match fault {
        ReplyFault::OutOfLimit { .. } => NoAnswer::OutOfLimit(fault.into()),
        _ => NoAnswer::Other(fault.into()),
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
