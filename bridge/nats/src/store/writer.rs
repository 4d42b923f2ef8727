//! Compare and set, by the sequence that a write expects of its subject.
//!
//! An attempt without an answer may have been stored, or may yet be. It is published again, as what it is, with the
//! same expectation, so one of the two is stored at most; and what stands behind the expected sequence says which it
//! was: this write, by its id, or another one, and then this one never is. Where that was purged, or written over more
//! often than a bucket keeps, nobody can say.

use std::error::Error;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::stream::{LastRawMessageErrorKind, RawMessageErrorKind, Stream};
use bytes::Bytes;
use futures_util::future::join_all;
use rand::RngExt;
use talon_runtime::bus::{BusFault, Expected, Put, Record, WriteFault, write_id};
use tokio::time::sleep;

use super::bucket::{OpenBucket, StoreBucket};
use super::entry::{fits, headers, record, subject, write_of};
use crate::fault::{fault_of, is_conflict};
use crate::streams::bucket_subject;

/// One request to the server, at most.
const REQUEST: Duration = Duration::from_secs(5);

/// How long is tried, before the last attempt.
const TRIED: Duration = Duration::from_secs(40);

/// The pause before the next attempt, at most.
const PAUSE: Duration = Duration::from_millis(200);

/// A write.
struct Entry<'e> {
    key: &'e str,
    value: Option<&'e [u8]>,
    expected: Expected,
    /// No other has it.
    id: String,
    /// It was published with this sequence expected, and what became of that is not known.
    open: Option<u64>,
}

/// What became of an attempt.
enum Attempt {
    Written(u64),
    Conflict,
    /// Somebody else was quicker; what stands there now is to be compared.
    Overtaken,
}

/// Why an attempt failed.
enum Failed {
    /// It can be tried again.
    Fault(BusFault),
    /// What would tell whether it was written is gone.
    Forgotten,
}

impl From<BusFault> for Failed {
    fn from(fault: BusFault) -> Failed {
        Failed::Fault(fault)
    }
}

/// See [`Store::write`](talon_runtime::bus::Store::write).
pub(super) async fn write(
    bucket: &StoreBucket,
    key: &str,
    value: Option<&[u8]>,
    expected: Expected,
) -> Result<u64, WriteFault> {
    let mut entry = Entry { key, value, expected, id: write_id(), open: None };
    let since = Instant::now();
    loop {
        let fault = match attempt(bucket, &mut entry).await {
            Ok(Attempt::Written(revision)) => return Ok(revision),
            Ok(Attempt::Conflict) => return Err(WriteFault::Conflict),
            Ok(Attempt::Overtaken) => continue,
            Err(Failed::Forgotten) => {
                return Err(WriteFault::Unclear(BusFault::Aborted(format!(
                    "NATS: `{key}` was written over too often, or purged"
                ))));
            }
            Err(Failed::Fault(fault)) => fault,
        };
        let is_final = matches!(fault, BusFault::Misconfigured(_) | BusFault::TooLarge(_));
        if is_final || since.elapsed() > TRIED {
            return Err(match entry.open {
                Some(_) => WriteFault::Unclear(fault),
                None => WriteFault::Bus(fault),
            });
        }
        tracing::debug!(key, "a write is tried again: {fault}");
        sleep(PAUSE.mul_f64(rand::rng().random_range(0.1..1.0))).await;
    }
}

async fn attempt(store: &StoreBucket, entry: &mut Entry<'_>) -> Result<Attempt, Failed> {
    let bucket = store.open().await?;
    fits(&bucket, entry.value)?;
    let subject = subject(&bucket, entry.key)?;
    let jetstream = &bucket.connection.jetstream;
    let stream = jetstream.get_stream_no_info(&bucket.below.name).await;
    let stream = stream.map_err(|error| bucket.unavailable(&error))?;
    let over = match entry.open {
        Some(over) => match behind(&bucket, &stream, (&subject, over), &entry.id).await? {
            Behind::Own(revision) => return Ok(Attempt::Written(revision)),
            Behind::Another => {
                entry.open = None;
                return Ok(Attempt::Overtaken);
            }
            Behind::Nothing => {
                let there = newest(&bucket, &stream, &subject).await?;
                if there.map_or(0, |record| record.revision) != over {
                    return Err(Failed::Forgotten);
                }
                over
            }
        },
        None => {
            let found = newest(&bucket, &stream, &subject).await?;
            bucket.connection.status.over();
            let entry_there = found.as_ref().filter(|record| record.value.is_some());
            if !entry.expected.is_met(entry_there.map(|record| record.revision)) {
                return Ok(Attempt::Conflict);
            }
            found.map_or(0, |record| record.revision)
        }
    };
    let mut headers = headers(&entry.id, entry.value);
    headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, over.to_string());
    let was_open = entry.open.replace(over).is_some();
    match publish(&bucket, entry.key, headers, entry.value).await {
        Ok(Some(revision)) => Ok(Attempt::Written(revision)),
        Ok(None) => Ok(Attempt::Overtaken),
        Err(Refused::Silent(fault)) => Err(fault.into()),
        Err(Refused::Answered(fault)) => {
            // This attempt was not stored. One before it may have been.
            entry.open = was_open.then_some(over);
            Err(fault.into())
        }
    }
}

/// What stands behind a sequence of a subject.
enum Behind {
    Nothing,
    Own(u64),
    Another,
}

async fn behind(
    bucket: &OpenBucket,
    stream: &Stream<()>,
    (subject, over): (&str, u64),
    id: &str,
) -> Result<Behind, Failed> {
    let asked = stream.get_first_raw_message_by_subject(subject, over + 1);
    let found = bucket.connection.answer(REQUEST, asked).await.ok_or_else(|| bucket.silence())?;
    let message = match found {
        Ok(message) => message,
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {
            return Ok(Behind::Nothing);
        }
        Err(error) => return Err(bucket.unavailable(&error).into()),
    };
    match write_of(&message) {
        (Some(own), _) if own == id => Ok(Behind::Own(message.sequence)),
        // It was written over what this one was to be written over.
        (_, Some(expected)) if expected == over => Ok(Behind::Another),
        // One between them is gone, which may have been this one.
        _ => Err(Failed::Forgotten),
    }
}

/// What stands under a subject, as the leader of the stream knows it.
async fn newest(
    bucket: &OpenBucket,
    stream: &Stream<()>,
    subject: &str,
) -> Result<Option<Record>, BusFault> {
    let asked = stream.get_last_raw_message_by_subject(subject);
    let found = bucket.connection.answer(REQUEST, asked).await.ok_or_else(|| bucket.silence())?;
    match found {
        Ok(found) => Ok(Some(record(found.sequence, Some(&found.headers), &found.payload))),
        Err(error) => match error.kind() {
            LastRawMessageErrorKind::NoMessageFound => Ok(None),
            LastRawMessageErrorKind::JetStream(told) => Err(fault_in(bucket, &told)),
            _ => Err(bucket.unavailable(&error)),
        },
    }
}

/// Writes what was put, whatever stands there, and waits until it is acknowledged. One that was stored before under
/// its id is not stored again.
pub(super) async fn put(store: &StoreBucket, puts: &[Put]) -> Result<(), BusFault> {
    let bucket = store.open().await?;
    let writes = puts.iter().map(|put| {
        let bucket = &bucket;
        async move {
            let value = put.value.as_deref();
            if let Err(fault) = fits(bucket, value).and(subject(bucket, &put.key).map(drop)) {
                tracing::warn!(key = put.key, "an entry is left out: {fault}");
                return Ok(());
            }
            match publish(bucket, &put.key, headers(&put.id, value), value).await {
                Ok(_) => Ok(()),
                Err(Refused::Silent(fault) | Refused::Answered(fault)) => Err(fault),
            }
        }
    });
    join_all(writes).await.into_iter().collect()
}

/// Why something was not published.
enum Refused {
    /// No answer: it may be stored all the same.
    Silent(BusFault),
    /// The server does not take it.
    Answered(BusFault),
}

/// Its sequence; none where another one was expected.
async fn publish(
    bucket: &OpenBucket,
    key: &str,
    headers: HeaderMap,
    value: Option<&[u8]>,
) -> Result<Option<u64>, Refused> {
    let connection = &bucket.connection;
    let subject = subject(bucket, key).map_err(Refused::Answered)?;
    let key = subject.rsplit('.').next().unwrap_or_default();
    let to = bucket_subject(connection.domain.as_deref(), &bucket.name, key);
    let payload = value.map(Bytes::copy_from_slice).unwrap_or_default();
    let sent =
        async { connection.jetstream.publish_with_headers(to, headers, payload).await?.await };
    match connection.answer(REQUEST, sent).await {
        None => Err(Refused::Silent(bucket.silence())),
        Some(Ok(acknowledged)) => Ok(Some(acknowledged.sequence)),
        Some(Err(error)) if is_conflict_of(&error) => Ok(None),
        Some(Err(error)) => Err(match jetstream_error(&error) {
            Some(told) => Refused::Answered(fault_in(bucket, told)),
            None => Refused::Silent(bucket.unavailable(&error)),
        }),
    }
}

fn jetstream_error(error: &PublishError) -> Option<&async_nats::jetstream::Error> {
    error.source()?.downcast_ref()
}

/// The client knows the conflict by one of its two numbers only (async-nats 0.51).
fn is_conflict_of(error: &PublishError) -> bool {
    error.kind() == PublishErrorKind::WrongLastSequence
        || jetstream_error(error).is_some_and(is_conflict)
}

fn fault_in(bucket: &OpenBucket, told: &async_nats::jetstream::Error) -> BusFault {
    match fault_of(told, &format!("bucket `{}`", bucket.name)) {
        BusFault::Aborted(_) => bucket.gone(),
        fault => fault,
    }
}
