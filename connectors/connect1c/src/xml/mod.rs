//! Replies: XML that is read as it comes, row by row, in constant memory.
//!
//! [`TableReader`] is fed pieces of a body and gives rows as JSON objects, which is the form in which rows
//! travel: nothing of a row is lost, and its names are those of the reply's own columns.
//!
//! What is read by what:
//!
//! - `tokens` cuts the stream into the tokens of `quick-xml`, over a buffer that holds no more than one
//!   piece and the beginning of one token.
//! - `elements` knows which elements are open: names that match, namespaces, limits, one root, an end.
//! - `reply` knows what a SOAP reply is made of.
//! - `row` writes a row.
//!
//! # What is refused
//!
//! A document type, so there are no entities but the five names and numbers; another encoding than UTF-8;
//! nesting deeper, and tokens, texts and tags larger, than [`Limits`].
//!
//! # Where a document ends
//!
//! `quick-xml` (0.42) says `Eof` without an error wherever the input stops between two tokens, also within
//! open elements, and in an empty body; a test shows it.
//! So a reply is whole only if [`TableReader::finish`] says so: what came before is rows, but it tells of
//! no absence.

mod elements;
mod fault;
mod limits;
mod reply;
mod row;
mod tokens;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use talon_sdk::Rows;

pub use fault::{ReplyFault, SoapFault};
pub use limits::Limits;
use reply::Reply;
pub use reply::Whole;
use row::RowBuffer;
use tokens::Tokens;

/// Reads the reply to one call. One task owns it; it does no I/O.
pub struct TableReader {
    tokens: Tokens,
    reply: Reply,
}

impl TableReader {
    /// `operation` is the name of the operation that was called. `columns` are the names that are known:
    /// a column is spelled as it is here, whatever the case in which the reply has it.
    pub fn new(operation: &str, columns: &'static [&'static str], limits: Limits) -> TableReader {
        TableReader { tokens: Tokens::new(limits), reply: Reply::new(operation, columns, limits) }
    }

    /// Takes the next piece of the body, of any size.
    ///
    /// # Errors
    /// Where the document is no reply. After that there is nothing more.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), ReplyFault> {
        self.tokens.push(piece, &mut self.reply)
    }

    /// The rows that are whole so far, and were not taken yet.
    ///
    /// A row is a JSON object. One that has more or fewer values than there are columns is an array around
    /// it, for then its names cannot be trusted: it is no row, and goes to the dead letters as it is.
    pub fn take_rows(&mut self) -> Rows {
        let RowBuffer { bytes, spans } = self.reply.take_rows();
        Rows::of_spans(Bytes::from(bytes), spans)
    }

    /// Bytes of the rows that were not taken yet.
    pub fn waiting_bytes(&self) -> usize {
        self.reply.rows.whole()
    }

    /// The body is over; further rows may wait to be taken.
    ///
    /// # Errors
    /// Where the document is not whole, or says that the call failed. Rows that were given before stand.
    pub fn finish(&mut self) -> Result<Whole, ReplyFault> {
        self.tokens.finish(&mut self.reply)?;
        self.reply.whole()
    }
}
