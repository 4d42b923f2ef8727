//! How many tasks a relay has, as a message of the target stream says: read, and changed.
//!
//! Each change expects the message before it, so of two at the same time one fails. Where the stream has let go of the
//! message, by its age or size, whoever may be at work is fenced as if it were another number.

use std::collections::BTreeMap;
use std::time::Instant;

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_ROLLUP};
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::message::StreamMessage;
use talon_runtime::bus::{BusFault, Grant};
use talon_runtime::relay::{Agreed, SinkSpec};

use super::super::place;
use super::kept::Kept;
use super::owner::{Owner, refused};
use super::target::Target;
use super::wire::{Message, Wire};
use crate::connection::Connection;
use crate::read::read_to_end;
use crate::writer::Answer;

/// What a message says. One that cannot be read is an error: two numbers could be at work.
pub(super) fn parse(subject: &str, payload: &[u8]) -> Result<Agreed, BusFault> {
    serde_json::from_slice(payload).map_err(|error| {
        BusFault::Misconfigured(format!(
            "NATS: the last message of `{subject}` does not say how many tasks a relay has: {error}"
        ))
    })
}

/// What the stream says of a relay.
pub(super) struct Found {
    /// The position messages of all tasks, with their sequences.
    pub(super) tasks: BTreeMap<u32, (Kept, u64)>,
    /// How many tasks it has.
    pub(super) agreed: Option<Agreed>,
}

/// Reads what the stream says of a relay. The replica that answers may be behind.
pub(super) async fn read(
    connection: &Connection,
    grant: &Grant,
    prefix: &str,
    spec: &SinkSpec,
) -> Result<Found, BusFault> {
    let subjects = vec![place::positions(prefix, &spec.stream, &spec.relay)];
    let all = (spec.stream.as_str(), subjects, DeliverPolicy::LastPerSubject);
    let number = place::tasks(prefix, spec);
    let mut found = Found { tasks: BTreeMap::new(), agreed: None };
    read_to_end(connection, grant, all, &mut |message, sequence| {
        let subject = &*message.subject;
        if *subject == *number {
            found.agreed = Some(parse(subject, &message.payload)?);
            return Ok(());
        }
        let task = subject.rsplit('.').next().and_then(|task| task.parse().ok());
        match (task, serde_json::from_slice(&message.payload)) {
            (Some(task), Ok(kept)) => drop(found.tasks.insert(task, (kept, sequence))),
            (None, _) => tracing::warn!(subject, "no positions of a relay"),
            (_, Err(error)) => tracing::warn!(subject, "no positions of a relay: {error}"),
        }
        Ok(())
    })
    .await?;
    Ok(found)
}

/// Makes the number of tasks that of this process, at the first opening of one of them here.
pub(super) fn settle(
    spec: &SinkSpec,
    (prefix, target, grant): (&str, &Target, &Grant),
    wire: &mut Wire,
) -> Result<(), BusFault> {
    // Before the task takes its fence: nothing is lost by it.
    spec.tasks.settle(Instant::now(), || {
        let subject = place::tasks(prefix, spec);
        let (found, last) = match wire.last_of(&spec.stream, &subject)? {
            None => (None, 0),
            Some(raw) => {
                let last = StreamMessage::try_from(raw);
                let last = last.map_err(|error| wire.unavailable(&error.to_string()))?;
                (Some(parse(&subject, &last.payload)?), last.sequence)
            }
        };
        let found = match found {
            Some(found) => Some(found),
            None => {
                let runtime = wire.runtime.clone();
                let all = runtime.block_on(read(&wire.connection, grant, prefix, spec))?;
                // Where no task was ever begun there is nobody to be fenced.
                all.tasks.last_key_value().map(|(last, _)| Agreed {
                    tasks: last + 1,
                    counts: false,
                    before: last + 1,
                    changed: true,
                })
            }
        };
        let Some(change) = spec.tasks.change(found) else { return Ok(false) };
        let last = say(&subject, change, (last, target.rollup), wire)?;
        if change.counts {
            return Ok(false);
        }
        for task in 0..change.before {
            Owner::new(prefix, spec, task, target.rollup).take_over(wire, target.atomic)?;
        }
        say(&subject, change.complete(), (last, target.rollup), wire)?;
        let (relay, tasks) = (&spec.relay, change.tasks);
        tracing::info!(
            relay,
            tasks,
            "the number of tasks was changed; those of the one before are fenced"
        );
        Ok(true)
    })?;
    Ok(())
}

/// Writes the number, where the message before it is this one; gives its sequence.
fn say(
    subject: &str,
    agreed: Agreed,
    (last, rollup): (u64, bool),
    wire: &mut Wire,
) -> Result<u64, BusFault> {
    let payload = serde_json::to_vec(&agreed).map_err(|error| {
        BusFault::Misconfigured(format!("NATS: the number of tasks of a relay: {error}"))
    })?;
    let mut headers = HeaderMap::new();
    // No record, for whoever reads the stream.
    headers.insert(place::POSITION, "1");
    headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, last.to_string());
    if rollup {
        headers.insert(NATS_ROLLUP, "sub");
    }
    let message = Message { subject: subject.to_owned(), headers, payload: payload.into() };
    let number = wire.ask(&message)?;
    match wire.answer_to(number)? {
        Answer::Stored(sequence) => Ok(sequence),
        Answer::Conflict(_) => Err(BusFault::Aborted(
            "NATS: another process changes the number of tasks of the relay too".to_owned(),
        )),
        answer => Err(refused(answer, wire)),
    }
}
