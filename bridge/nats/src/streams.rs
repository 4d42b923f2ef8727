//! Streams and the bucket: created where they are missing for the first time, looked at where they
//! exist, and never made again empty where they existed before.
//!
//! That something existed is known from three places: this process has seen it; a key in the bucket
//! says so of each stream; the metadata of a stream says so of the bucket. If the server has lost
//! everything, and Talon was restarted, nothing is left that could tell.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{Config, Info};
use serde::Serialize;
use serde::de::DeserializeOwned;
use talon_runtime::bus::BusFault;

use crate::connection::Connection;
use crate::fault::{fault_of, fault_of_request};
use crate::layout::{Bucket, CHECKPOINTS, PREFIX};
use crate::names;
use crate::policy::{Role, covers, violations};

/// Names of streams that this process has seen.
#[derive(Default)]
pub(crate) struct KnownStreams(Mutex<HashSet<String>>);

/// What [`ensure`] found or made.
pub(crate) struct Ensured {
    /// The stream below the bucket of the checkpoints.
    pub(crate) checkpoints: Config,
    /// The streams, in the order in which they were wanted.
    pub(crate) streams: Vec<Config>,
}

impl KnownStreams {
    fn has(&self, stream: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(stream)
    }

    fn add(&self, stream: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(stream.to_owned());
    }
}

/// Asks JetStream for something; `None` where the answer is that it does not exist.
pub(crate) async fn ask<T: DeserializeOwned>(
    connection: &Connection,
    subject: String,
    body: &impl Serialize,
    what: &str,
) -> Result<Option<T>, BusFault> {
    let answer: Response<T> = connection
        .jetstream
        .request(subject, body)
        .await
        .map_err(|error| connection.status.explain(fault_of_request(&error, what)))?;
    match answer {
        Response::Ok(answer) => Ok(Some(answer)),
        Response::Err { error } => match error.error_code() {
            ErrorCode::STREAM_NOT_FOUND
            | ErrorCode::CONSUMER_NOT_FOUND
            | ErrorCode::NO_MESSAGE_FOUND => Ok(None),
            _ => Err(fault_of(&error, what)),
        },
    }
}

/// What the server knows of a stream.
pub(crate) async fn info(connection: &Connection, stream: &str) -> Result<Option<Info>, BusFault> {
    let what = format!("stream `{stream}`");
    ask(connection, format!("STREAM.INFO.{stream}"), &(), &what).await
}

/// Makes sure of the bucket of the checkpoints, and of streams. Returns how each is on the server.
pub(crate) async fn ensure(
    connection: &Connection,
    bucket: &Bucket,
    wanted: &[(Role, &Config)],
    known: &KnownStreams,
) -> Result<Ensured, BusFault> {
    let mut found = Vec::with_capacity(wanted.len());
    for (_, stream) in wanted {
        found.push(info(connection, &stream.name).await?);
    }
    // Before the server is asked: another shard of this process may create it meanwhile.
    let existed = known.has(&bucket.below.name);
    let below = match info(connection, &bucket.below.name).await? {
        Some(below) => accept(Role::Checkpoints, below.config, &bucket.below)?,
        None => {
            let mut configs = found.iter().flatten().map(|stream| &stream.config);
            let told = configs.any(|c| c.metadata.get(CHECKPOINTS) == Some(&bucket.name));
            if told || existed {
                return Err(BusFault::Misconfigured(format!(
                    "NATS: the bucket `{0}` existed and is gone; restore it, or accept that all feeds are read again, and create it: `nats kv add {0}`",
                    bucket.name
                )));
            }
            create(connection, &bucket.below).await?
        }
    };
    known.add(&below.name);
    let mut streams = Vec::with_capacity(wanted.len());
    for ((role, wanted), found) in wanted.iter().zip(found) {
        streams.push(stream(connection, *role, found, wanted, bucket, known).await?);
    }
    Ok(Ensured { checkpoints: below, streams })
}

async fn stream(
    connection: &Connection,
    role: Role,
    found: Option<Info>,
    wanted: &Config,
    bucket: &Bucket,
    known: &KnownStreams,
) -> Result<Config, BusFault> {
    let name = &wanted.name;
    let note = note_of(connection, bucket, name).await?;
    let existed = match note {
        Note::Created => true,
        // The bucket may be a new one, so what this process has seen counts.
        Note::None => known.has(name),
        // An operator has said that it may be made again.
        Note::Deleted => false,
    };
    // What was not there may have been created since by another shard or process, which has then said
    // so. Whoever finds it said looks again.
    let found = match found {
        None if existed => info(connection, name).await?,
        found => found,
    };
    let config = match found {
        Some(found) => adapt(connection, role, found.config, wanted).await?,
        None if existed => {
            return Err(BusFault::Misconfigured(format!(
                "NATS: the stream `{name}` existed and is gone, and {} with it; restore it, or accept that {}, and delete the key that remembers it: `nats kv del {} {}`",
                role.content(),
                role.loss(),
                bucket.name,
                names::created_key(name),
            )));
        }
        None => create(connection, wanted).await?,
    };
    if note != Note::Created {
        put_note(connection, bucket, name).await?;
    }
    known.add(name);
    Ok(config)
}

pub(crate) async fn create(connection: &Connection, wanted: &Config) -> Result<Config, BusFault> {
    let name = &wanted.name;
    let what = format!("creating the stream `{name}`");
    let made: Option<Info> =
        ask(connection, format!("STREAM.CREATE.{name}"), wanted, &what).await?;
    let made = made.ok_or_else(|| BusFault::Unavailable(format!("NATS: {what}: not found")))?;
    tracing::info!(stream = name, replicas = made.config.num_replicas, "stream created");
    Ok(made.config)
}

/// An existing stream: what Talon created gets what a newer Talon or a newer server adds; what others
/// created is taken as it is. Refused where it breaks a guarantee.
async fn adapt(
    connection: &Connection,
    role: Role,
    found: Config,
    wanted: &Config,
) -> Result<Config, BusFault> {
    let ours = found.metadata.contains_key(PREFIX);
    if ours && let Some(theirs) = of_another(&found, wanted) {
        let name = &wanted.name;
        return Err(BusFault::Misconfigured(format!(
            "NATS: the stream `{name}` is there for `{theirs}`, which is of another connector; connectors must not be called as another one and `_COMMANDS`, `_RESULTS` or `_DLQ`"
        )));
    }
    let mut next = found.clone();
    for subject in &wanted.subjects {
        if !next.subjects.iter().any(|pattern| covers(pattern, subject)) {
            next.subjects.push(subject.clone());
        }
    }
    next.allow_message_ttl |= wanted.allow_message_ttl;
    // Never lowered: a server may drop what does not fit any more.
    if found.max_bytes > 0 {
        next.max_bytes = found.max_bytes.max(wanted.max_bytes);
    }
    let same_prefix = found.metadata.get(PREFIX) == wanted.metadata.get(PREFIX);
    if ours && same_prefix && next != found {
        let name = &wanted.name;
        let what = format!("updating the stream `{name}`");
        let updated: Option<Info> =
            ask(connection, format!("STREAM.UPDATE.{name}"), &next, &what).await?;
        tracing::info!(stream = name, "stream updated");
        return accept(role, updated.map_or(next, |info| info.config), wanted);
    }
    accept(role, found, wanted)
}

/// A subject of a stream that Talon created for another connector.
fn of_another<'c>(found: &'c Config, wanted: &Config) -> Option<&'c str> {
    // `{prefix}.{connector}.`
    let prefix = format!("{}.", wanted.metadata.get(PREFIX)?);
    let wanted = wanted.subjects.first()?.strip_prefix(&prefix)?;
    let root = format!("{prefix}{}.", wanted.split_once('.')?.0);
    let all = format!("{root}>");
    let shared = |subject: &String| subject.starts_with(&root) || covers(subject, &all);
    let theirs = found.subjects.iter().find(|subject| subject.starts_with(&prefix))?;
    (!found.subjects.iter().any(shared)).then_some(theirs)
}

pub(crate) fn accept(role: Role, found: Config, wanted: &Config) -> Result<Config, BusFault> {
    let name = &wanted.name;
    if let (Some(theirs), Some(ours)) = (found.metadata.get(PREFIX), wanted.metadata.get(PREFIX))
        && theirs != ours
    {
        return Err(BusFault::Misconfigured(format!(
            "NATS: the stream `{name}` belongs to the prefix `{theirs}`, and `{ours}` would share it; choose another `talon.prefix`"
        )));
    }
    let violations = violations(role, &found, wanted);
    if violations.is_empty() {
        return Ok(found);
    }
    Err(BusFault::Misconfigured(format!(
        "NATS: the stream `{name}` exists with settings that break a guarantee: {}",
        violations.join("; ")
    )))
}

/// What the bucket says of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Note {
    /// Nothing.
    None,
    /// That it was created.
    Created,
    /// That somebody has deleted the key that said so.
    Deleted,
}

async fn note_of(connection: &Connection, bucket: &Bucket, stream: &str) -> Result<Note, BusFault> {
    let bucket_stream = &bucket.below.name;
    let subject = format!("$KV.{}.{}", bucket.name, names::created_key(stream));
    let found: Option<Found> = ask(
        connection,
        format!("STREAM.MSG.GET.{bucket_stream}"),
        &LastOf { last_by_subj: subject },
        &format!("bucket `{}`", bucket.name),
    )
    .await?;
    Ok(match found {
        None => Note::None,
        Some(Found { message: FoundMessage { data: Some(data) } }) if !data.is_empty() => {
            Note::Created
        }
        Some(_) => Note::Deleted,
    })
}

async fn put_note(connection: &Connection, bucket: &Bucket, stream: &str) -> Result<(), BusFault> {
    let key = names::created_key(stream);
    let subject = bucket_subject(connection.domain.as_deref(), &bucket.name, &key);
    let what = format!("bucket `{}`", bucket.name);
    let unavailable = |error: async_nats::jetstream::context::PublishError| {
        connection.status.explain(BusFault::Unavailable(format!("NATS: {what}: {error}")))
    };
    let sent = connection.jetstream.publish(subject, "created".into()).await;
    sent.map_err(unavailable)?.await.map_err(unavailable)?;
    Ok(())
}

/// The subject on which a value of the bucket is published.
pub(crate) fn bucket_subject(domain: Option<&str>, bucket: &str, key: &str) -> String {
    match domain {
        Some(domain) => format!("$JS.{domain}.API.$KV.{bucket}.{key}"),
        None => format!("$KV.{bucket}.{key}"),
    }
}

#[derive(Serialize)]
struct LastOf {
    last_by_subj: String,
}

#[derive(serde::Deserialize)]
struct Found {
    message: FoundMessage,
}

#[derive(serde::Deserialize)]
struct FoundMessage {
    data: Option<String>,
}
