//! The lane of a connector: its commands, and what became of them.
//!
//! | What | Stream | Subject |
//! | --- | --- | --- |
//! | commands | `{PREFIX}_{name}_COMMANDS` | `{prefix}.{name}.commands.{key token}` |
//! | intents and outcomes | `{PREFIX}_{name}_RESULTS` | `{prefix}.{name}.results.{command id token}` |
//!
//! A command is read by a durable consumer and acknowledged when its outcome is stored, so a command
//! without an outcome comes again, to this process or to the next. How it can fail, and what holds then:
//!
//! * Killed at any instruction: the next owner reads on behind the acknowledgement floor of the consumer
//!   that was left (see [`consumer`]), and so sees every command that is not settled, in the order of the
//!   stream. Those behind the floor that are settled come again too, and are known by their outcomes.
//! * A paused process wakes up: its consumer is gone, so it reads nothing more and its acknowledgements
//!   go nowhere; either ends its lane. A result that it publishes over one of the new owner is refused
//!   by its expected sequence; one that gets in is a gap in the sequences of the new owner, who then
//!   opens the lane anew and reads it.
//! * The connection is lost: results are published again, and known by their ids; acknowledgements are
//!   sent again; commands that were on their way come again, and are known by their positions.
//! * A command takes longer than the server waits for its acknowledgement: the server is told in time
//!   that it is being worked on.
//! * The stream of the results was purged or lost: a conflict, or the next opening says that it is gone.

mod acks;
mod consumer;
mod layout;
mod log;
mod reader;
mod unsettled;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::stream::Config;
use bytes::Bytes;
use talon_runtime::bus::{BusFault, Grant, LaneSpec};

use crate::connection::Connection;
use crate::names;
use crate::policy::Role;
use crate::session::Session;
use crate::streams::{self, KnownStreams};

use layout::LaneLayout;
use log::NatsLaneLog;
use reader::NatsLaneReader;

/// Takes a lane over.
pub(crate) async fn open(
    session: &Session,
    known: &KnownStreams,
    lane: &LaneSpec,
    grant: &Grant,
) -> Result<(NatsLaneReader, NatsLaneLog), BusFault> {
    let connection = session.connection(grant).await?;
    let replication = session.replication();
    let layout = LaneLayout::new(&session.prefix, lane, replication, &session.access);
    let wanted = [
        (Role::Commands, &layout.commands),
        (Role::Results, &layout.results),
        (Role::DeadLetters, &layout.dead_letters),
    ];
    let found = streams::ensure(&connection, &layout.checkpoints, &wanted, known).await?;
    connection.status.over();
    let (reader, unsettled) =
        NatsLaneReader::open(connection.clone(), &layout, grant.clone()).await?;
    let of_reader = (unsettled, reader.consumer().to_owned());
    let (in_flight, grant) = (session.access.max_in_flight, grant.clone());
    let log = NatsLaneLog::open(connection, layout, &found.streams, of_reader, in_flight, grant);
    Ok((reader, log.await?))
}

/// The streams of a lane but for its dead letters, as they would be created.
pub(crate) fn streams(session: &Session, lane: &LaneSpec) -> [(Role, Config); 2] {
    let replication = session.replication();
    let layout = LaneLayout::new(&session.prefix, lane, replication, &session.access);
    [(Role::Commands, layout.commands), (Role::Results, layout.results)]
}

/// Puts a command on its stream, as any client would.
pub(crate) async fn send(
    connection: &Connection,
    lane: &LaneSpec,
    key: &str,
    value: &[u8],
) -> Result<(), BusFault> {
    let subject = format!("{}.{}", lane.commands.name, names::token(key));
    let payload = Bytes::copy_from_slice(value);
    let sent = async { connection.jetstream.publish(subject, payload).await?.await };
    match sent.await {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.kind() {
            // A sender does not create it: it may not have the right, and does not know how.
            PublishErrorKind::StreamNotFound => BusFault::Misconfigured(format!(
                "NATS: no stream takes `{}`; `talon run` creates it when it runs the connector",
                lane.commands.name
            )),
            kind => connection
                .status
                .explain(BusFault::Unavailable(format!("NATS: the command is not taken: {kind}"))),
        }),
    }
}
