//! A command whose id has an outcome already, or may have one.

use crate::bus::Position;
use crate::commands::attempt::{CommandContext, Left, Turn};
use crate::commands::record::{Outcome, ResultRecord};

/// The outcome of a command whose id has one already: it points there.
pub(crate) async fn settle(
    context: &CommandContext,
    turn: &Turn,
    outcome: Outcome,
    position: Position,
    at_ms: i64,
) -> Result<ResultRecord, Left> {
    let first = serde_json::json!({
        "outcome": outcome.word(), "position": position.to_string(), "settled_at": at_ms * 1_000,
    });
    let record = ResultRecord {
        command_id: turn.command.id.clone(),
        r#type: turn.command.spec.name.to_owned(),
        key: turn.command.key.clone(),
        phase: "OUTCOME".to_owned(),
        outcome: Some(Outcome::Duplicate.word().to_owned()),
        settled_at: Some(context.clock.now_ms() * 1_000),
        message: Some("a command with this id has an outcome already".to_owned()),
        evidence: Some(first.to_string()),
        position: turn.position.to_string(),
        ..ResultRecord::default()
    };
    context.writer.settle(&record, Some(turn.position)).await?;
    Ok(record)
}

/// Of a command whose record cannot be read.
pub(crate) const UNREADABLE: &str = "a record about a command with this id stands on the results topic, and was written with a schema that is known neither to this version of Talon nor to the registry: the command may have been run, and is not; send it under a new id if it is still wanted";

/// The outcome of a command of whose id there is a record that cannot be read: it is not sent.
pub(crate) async fn give_up(context: &CommandContext, turn: &Turn) -> Result<ResultRecord, Left> {
    let record = ResultRecord {
        command_id: turn.command.id.clone(),
        r#type: turn.command.spec.name.to_owned(),
        key: turn.command.key.clone(),
        phase: "OUTCOME".to_owned(),
        outcome: Some(Outcome::Unknown.word().to_owned()),
        settled_at: Some(context.clock.now_ms() * 1_000),
        message: Some(UNREADABLE.to_owned()),
        position: turn.position.to_string(),
        ..ResultRecord::default()
    };
    context.writer.settle(&record, Some(turn.position)).await?;
    Ok(record)
}
