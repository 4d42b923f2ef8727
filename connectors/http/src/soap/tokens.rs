//! A stream of pieces as the tokens of `quick-xml`.
//!
//! `quick-xml` reads a slice, or something that blocks, or something async; none of these takes pieces as
//! they come and can be asked whether a token is whole.
//! So each piece is read as a slice of its own, from where the last whole token ended; what follows that is
//! kept for the next piece.
//! A token that reaches the end of what there is is not whole: `quick-xml` says so by an error, and for a
//! text by where it ends.
//! Which elements are open, and what their prefixes mean, is known outside (`elements`), so that nothing is
//! lost between two slices.

use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::fault::{ReplyFault, no_xml};
use super::limits::Limits;
use super::reply::Reply;

/// What stands before a document in UTF-8. `quick-xml` takes it off each slice; within a document it is a
/// letter.
const MARK: &str = "\u{feff}";

pub(super) struct Tokens {
    limits: Limits,
    buffer: Vec<u8>,
    /// Where the buffer begins in the document.
    begin: u64,
    /// Below this length it is not looked at again: so a token that comes in many pieces costs no square
    /// of its length.
    enough: usize,
    /// How many bytes were looked at, again or not.
    #[cfg(test)]
    pub(super) looked: usize,
}

impl Tokens {
    pub(super) fn new(limits: Limits) -> Tokens {
        Tokens {
            limits,
            buffer: Vec::new(),
            begin: 0,
            enough: 0,
            #[cfg(test)]
            looked: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    pub(super) fn push(&mut self, piece: &[u8], reply: &mut Reply) -> Result<(), ReplyFault> {
        self.buffer.extend_from_slice(piece);
        if self.buffer.len() < self.enough {
            return Ok(());
        }
        self.read(false, reply)?;
        self.check(self.buffer.len())?;
        self.enough = (self.buffer.len() * 2).min(self.limits.token);
        Ok(())
    }

    pub(super) fn finish(&mut self, reply: &mut Reply) -> Result<(), ReplyFault> {
        self.read(true, reply)?;
        reply.elements.end(self.begin)
    }

    fn check(&self, length: usize) -> Result<(), ReplyFault> {
        let limit = self.limits.token;
        if length > limit { Err(ReplyFault::TooLarge { what: "a token", limit }) } else { Ok(()) }
    }

    /// Reads all whole tokens.
    fn read(&mut self, is_last: bool, reply: &mut Reply) -> Result<(), ReplyFault> {
        #[cfg(test)]
        {
            self.looked += self.buffer.len();
        }
        let mut used = 0;
        while self.begin > 0 && self.buffer[used..].starts_with(MARK.as_bytes()) {
            reply.text(MARK)?;
            used += MARK.len();
        }
        let rest = &self.buffer[used..];
        let mut reader = Reader::from_reader(rest);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        loop {
            let from = place(&reader);
            let at = self.begin + (used + from) as u64;
            // Behind a reference: an event is large, and to move it costs as much as to read it.
            match &reader.read_event() {
                Ok(Event::Eof) => {
                    used += from;
                    break;
                }
                Ok(Event::Text(_)) if !is_last && reader.get_ref().is_empty() => {
                    used += from;
                    break;
                }
                Ok(event) => {
                    self.check(place(&reader) - from)?;
                    reply.event(event, at)?;
                }
                Err(error) if !is_last && may_go_on(error, reader.get_ref().is_empty()) => {
                    used += from;
                    break;
                }
                Err(Error::Syntax(_)) if is_last => {
                    return Err(ReplyFault::Cut { at, open: reply.elements.depth() });
                }
                Err(error) => return Err(no_xml(error, at)),
            }
        }
        self.buffer.drain(..used);
        self.begin += used as u64;
        Ok(())
    }
}

fn place(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

/// Whether more of the document could make a token of it. What is wrong in its syntax looks the same, and
/// is found at the end, or when it has become too large.
fn may_go_on(error: &Error, is_used_up: bool) -> bool {
    match error {
        Error::Syntax(_) => true,
        Error::IllFormed(IllFormedError::UnclosedReference) | Error::Encoding(_) => is_used_up,
        _ => false,
    }
}
