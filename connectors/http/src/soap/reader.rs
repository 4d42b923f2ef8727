use bytes::Bytes;
use talon_sdk::Rows;

use super::fault::ReplyFault;
use super::limits::Limits;
use super::reply::{Reply, Whole};
use super::row::RowBuffer;
use super::service::Service;
use super::tokens::Tokens;

/// Reads the reply to one call. One task owns it; it does no I/O.
pub struct TableReader {
    pub(super) tokens: Tokens,
    pub(super) reply: Reply,
}

impl TableReader {
    /// `operation` is the one that was called. `columns` are the names that are known:
    /// a column is spelled as it is here, whatever the case in which the reply has it.
    pub fn new(
        service: &'static Service,
        operation: &str,
        columns: &'static [&'static str],
        limits: Limits,
    ) -> TableReader {
        let reply = Reply::new(service, operation, columns, limits);
        TableReader { tokens: Tokens::new(limits), reply }
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
