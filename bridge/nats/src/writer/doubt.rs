//! Looking into the stream where an answer does not tell whether a record is stored.

use std::time::Duration;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::{
    self, Context, message::StreamMessage, stream::LastRawMessageErrorKind,
};
use tokio::time::timeout;

use super::record::Record;

/// One look, at most.
const LOOK: Duration = Duration::from_secs(3);

/// Why it is in doubt whether a record is stored.
#[derive(Debug)]
pub(crate) enum Doubt {
    /// The server remembers its id, of a record of this stream that had this sequence. The memory of ids
    /// outlives what it names.
    Duplicate { stream: String, sequence: u64 },
    /// The last record of its subject is another one than was expected: it may be this record itself,
    /// whose acknowledgement was lost, or that another process made of the same past. From 2.12 on a
    /// server looks at the expected sequence before it looks for duplicates.
    Conflict { stream: String, error: jetstream::Error },
}

/// What became of a record.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It is stored with this sequence.
    Stored(u64),
    /// What the server remembers by its id is gone, or something else: it must be published under
    /// another id.
    Forgotten(u64),
    /// Another record has its place.
    Conflict(jetstream::Error),
    /// Not to be seen yet: it is to be published again.
    Open,
}

impl Doubt {
    /// Asks the leader of the stream.
    pub(crate) async fn settle(self, jetstream: &Context, record: &Record) -> Fate {
        timeout(LOOK, self.look(jetstream, record)).await.unwrap_or(Fate::Open)
    }

    async fn look(self, jetstream: &Context, record: &Record) -> Fate {
        match self {
            Doubt::Duplicate { stream, sequence } => {
                let Ok(stream) = jetstream.get_stream_no_info(stream).await else {
                    return Fate::Open;
                };
                match stream.get_raw_message(sequence).await {
                    Ok(found) if is_same(&found, record) => Fate::Stored(sequence),
                    Ok(_) => Fate::Forgotten(sequence),
                    Err(error) if is_nothing(error.kind()) => Fate::Forgotten(sequence),
                    Err(_) => Fate::Open,
                }
            }
            Doubt::Conflict { stream, error } => {
                let expected = record.expected().unwrap_or(0);
                let Ok(stream) = jetstream.get_stream_no_info(stream).await else {
                    return Fate::Open;
                };
                match stream.get_last_raw_message_by_subject(record.stored_under()).await {
                    Ok(found) if found.sequence == expected => Fate::Open,
                    Ok(found) if found.sequence > expected && is_same(&found, record) => {
                        Fate::Stored(found.sequence)
                    }
                    Ok(_) => Fate::Conflict(error),
                    Err(none) if is_nothing(none.kind()) && expected == 0 => Fate::Open,
                    Err(none) if is_nothing(none.kind()) => Fate::Conflict(error),
                    Err(_) => Fate::Open,
                }
            }
        }
    }
}

fn is_same(found: &StreamMessage, record: &Record) -> bool {
    let id = found.headers.get(NATS_MESSAGE_ID).map(|id| id.as_str());
    found.subject.as_str() == record.stored_under() && id == record.id()
}

fn is_nothing(kind: LastRawMessageErrorKind) -> bool {
    kind == LastRawMessageErrorKind::NoMessageFound
}
