//! Web services of 1C: operations that are called with SOAP 1.2 and answer with a table.
//!
//! A [`Service`] is declared once; an [`Envelope`] calls one of its operations, a [`Caller`] sends it, and
//! what comes back is an [`Answer`](talon_sdk::feeds::Answer), as feeds under a quota want it.
//!
//! # Replies
//!
//! They are XML that is read as it comes, row by row, in constant memory. [`TableReader`] is fed pieces of
//! a body and gives rows as JSON objects, which is the form in which rows travel: nothing of a row is
//! lost, and its names are those of the reply's own columns.
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

mod call;
mod elements;
mod envelope;
mod fault;
mod limits;
mod reader;
mod reply;
mod row;
mod service;
mod tokens;

#[cfg(test)]
mod tests;

pub use call::{Caller, Reading};
pub use envelope::Envelope;
pub use fault::{ReplyFault, SoapFault};
pub use limits::Limits;
pub use reader::TableReader;
pub use reply::Whole;
pub use service::Service;
