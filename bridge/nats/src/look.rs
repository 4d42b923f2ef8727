//! A bounded look at a topic.
//!
//! A key is a subject, of which the server finds the records itself. The newest of a topic are read from so many
//! sequences before the end on, and from further back where these are not enough.

use std::collections::VecDeque;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::DeliverPolicy;
use talon_runtime::bus::{BusFault, Found, Grant, Look, Looked, Position, Which};
use tokio::time::timeout;

use crate::connection::Connection;
use crate::names;
use crate::read::{read_to_end, taken_ms};
use crate::streams;

/// How much further back each attempt begins than the one before.
const GROWTH: u64 = 8;

/// Looks at a topic.
pub(crate) async fn look(
    connection: &Connection,
    prefix: &str,
    look: &Look,
) -> Result<Looked, BusFault> {
    let Some((stream, subject)) = names::place(prefix, &look.topic) else {
        return Ok(Looked::default());
    };
    let Some(info) = streams::info(connection, &stream).await? else {
        return Ok(Looked { is_complete: true, ..Looked::default() });
    };
    let reading = Reading { connection, stream: &stream, look };
    let (first, last) = (info.state.first_sequence, info.state.last_sequence);
    match &look.which {
        Which::At(position) => reading.at(position.offset, last).await,
        Which::OfKey(key) => {
            let subject = format!("{}.{}", look.topic, names::token(key));
            reading.from(subject, first, look.most).await
        }
        Which::Newest => {
            let mut back = (look.most as u64).max(1);
            loop {
                let start = last.saturating_sub(back - 1).max(first);
                let mut looked = reading.from(subject.clone(), start, look.most).await?;
                let is_all = start <= first;
                if is_all || !looked.is_complete || looked.records.len() >= look.most {
                    return Ok(looked);
                }
                if back >= look.records {
                    looked.is_complete = false;
                    return Ok(looked);
                }
                back = back.saturating_mul(GROWTH).min(look.records);
            }
        }
    }
}

struct Reading<'a> {
    connection: &'a Connection,
    stream: &'a str,
    look: &'a Look,
}

impl Reading<'_> {
    /// The newest records of a subject from a sequence on. Where a bound ends it, nothing: the newest come last.
    async fn from(&self, subject: String, start: u64, most: usize) -> Result<Looked, BusFault> {
        let (mut found, mut read, mut bytes) = (VecDeque::new(), 0, 0);
        let mut is_over = false;
        let policy = match start {
            0 | 1 => DeliverPolicy::All,
            start_sequence => DeliverPolicy::ByStartSequence { start_sequence },
        };
        let grant = Grant::unlimited("");
        let mut each = |message: &Message, sequence: u64| {
            read += 1;
            bytes += message.payload.len();
            if read > self.look.records || bytes > self.look.bytes {
                is_over = true;
                return Err(BusFault::Aborted("enough was read".to_owned()));
            }
            found.push_back(self.found(message, sequence));
            if found.len() > most {
                found.pop_front();
            }
            Ok(())
        };
        let place = (self.stream, vec![subject], policy);
        let reading = read_to_end(self.connection, &grant, place, &mut each);
        let is_complete = match timeout(self.look.left(), reading).await {
            Ok(Ok(())) => true,
            Ok(Err(_)) if is_over => false,
            Ok(Err(fault)) => return Err(fault),
            Err(_) => false,
        };
        let records = if is_complete { found.into() } else { Vec::new() };
        let looked = Looked { records, is_there: true, is_complete, read };
        Ok(looked.newest_first(most))
    }

    /// The record with a sequence.
    async fn at(&self, sequence: i64, last: u64) -> Result<Looked, BusFault> {
        let nothing = Looked { is_there: true, is_complete: true, ..Looked::default() };
        let Some(sequence) = u64::try_from(sequence).ok().filter(|at| (1..=last).contains(at))
        else {
            return Ok(nothing);
        };
        // All that comes behind it is left unread.
        let mut found = None;
        let grant = Grant::unlimited("");
        let mut each = |message: &Message, at: u64| {
            found = (at == sequence).then(|| self.found(message, at));
            Err(BusFault::Aborted("it was read".to_owned()))
        };
        let subject = format!("{}.>", self.look.topic);
        let policy = DeliverPolicy::ByStartSequence { start_sequence: sequence };
        let place = (self.stream, vec![subject], policy);
        let reading = read_to_end(self.connection, &grant, place, &mut each);
        match timeout(self.look.left(), reading).await {
            Ok(Err(BusFault::Aborted(_)) | Ok(())) => {}
            Ok(Err(fault)) => return Err(fault),
            Err(_) => return Ok(Looked { is_complete: false, ..nothing }),
        }
        Ok(Looked { records: found.into_iter().collect(), read: 1, ..nothing })
    }

    fn found(&self, message: &Message, sequence: u64) -> Found {
        let headers = message.headers.iter().flat_map(|headers| headers.iter());
        let headers = headers.flat_map(|(name, values)| {
            values.iter().map(move |value| (name.to_string(), value.as_str().as_bytes().to_vec()))
        });
        let in_header = message.headers.as_ref().and_then(|headers| headers.get("talon-key"));
        let token = match in_header {
            Some(key) => key.as_str(),
            None => message.subject.rsplit('.').next().unwrap_or_default(),
        };
        Found {
            key: names::key(token),
            value: (!message.payload.is_empty()).then(|| message.payload.to_vec()),
            headers: headers.collect(),
            at_ms: taken_ms(message),
            position: Position {
                partition: 0,
                offset: i64::try_from(sequence).unwrap_or(i64::MAX),
            },
            stands: format!("stream {}, sequence {sequence}", self.stream),
        }
    }
}
