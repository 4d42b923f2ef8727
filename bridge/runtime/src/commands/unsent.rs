//! Commands that are not run, and their outcomes: what is no command, what is switched off, and what may
//! have been run already.

use talon_sdk::{Answer, Command};

use crate::bus::dead_letter::{COMMAND_ID, Origin};
use crate::bus::{Arrival, LaneRecord, LaneTopic, Position};
use crate::commands::attempt::Left;
use crate::commands::duplicate::UNREADABLE;
use crate::commands::ledger::{Entry, IdHash};
use crate::commands::record::{Outcome, ResultRecord};
use crate::commands::scheduler::Scheduler;

/// Of a command that may have been run already.
const FORGOTTEN: &str = "it is older than what is remembered of commands (`commands.ledger.retention.ms`, `commands.ledger.max.entries`), so it may have been run before, and is not run; send it under a new id if it is still wanted";

impl Scheduler {
    /// Whether a command may have been run, and nothing knows of it any more.
    pub(crate) fn may_have_been_run(&self, arrival: &Arrival, command: &Command) -> bool {
        let now_ms = self.context.clock.now_ms();
        !self.ledger.reaches(arrival.at_ms, now_ms)
            && self.ledger.get(IdHash::of(&command.id)).is_none()
    }

    /// Does not run such a command.
    pub(crate) async fn leave(
        &mut self,
        command: &Command,
        position: Position,
    ) -> Result<(), Left> {
        let (kind, answer) = (command.spec.name, Answer::saying(FORGOTTEN));
        let ended = self.unsent(&command.id, kind, position, answer, Outcome::Unknown);
        self.settle(vec![], ended, kind, position).await
    }

    /// What is no command goes to the dead letters; if its id can be read, it gets an outcome too.
    pub(crate) async fn put_aside(
        &mut self,
        arrival: &Arrival,
        id: Option<String>,
        kind: &'static str,
        problems: &[String],
    ) -> Result<(), Left> {
        let problems = problems.join("; ");
        let position = arrival.position;
        tracing::warn!(
            connector = self.context.name,
            %position,
            "a malformed command is put to the dead letters: {problems}"
        );
        let origin = Origin {
            topic: &self.topic,
            connector: &self.context.name,
            stage: "command",
            fault: "talon.CommandFault",
            message: &problems,
        };
        let partition = position.partition.to_string();
        let offset = position.offset.to_string();
        let told = id.as_deref().map(|id| (COMMAND_ID, id.as_bytes()));
        let record = LaneRecord {
            topic: LaneTopic::DeadLetters,
            key: arrival.key.clone().unwrap_or_default(),
            value: arrival.value.clone(),
            headers: [
                ("__connect.errors.partition", partition.as_bytes()),
                ("__connect.errors.offset", offset.as_bytes()),
            ]
            .into_iter()
            .chain(origin.headers())
            .chain(told)
            .map(|(name, value)| (name, value.to_vec()))
            .collect(),
            id: format!("{position}/dead-letter"),
        };
        match id {
            None => self.write(vec![record], position, None, None).await,
            Some(id) => {
                let answer = Answer::saying(problems);
                let ended = self.unsent(&id, kind, position, answer, Outcome::Rejected);
                self.settle(vec![record], ended, kind, position).await
            }
        }
    }

    /// The outcome of a command that is not run: `otherwise`, where nothing is known of its id. Not that of
    /// its id, where another command has it: one that waits for its turn may have been sent by an earlier
    /// owner.
    pub(crate) fn unsent(
        &self,
        id: &str,
        kind: &'static str,
        position: Position,
        answer: Answer,
        otherwise: Outcome,
    ) -> (ResultRecord, Outcome) {
        let hash = IdHash::of(id);
        let mut intent = None;
        let outcome = match self.ledger.get(hash) {
            Some(Entry::Settled { .. }) => Outcome::Duplicate,
            // It was a command to whoever wrote the intent, and was about to be sent.
            Some(Entry::Intent(found)) if found.position() == Some(position) => {
                intent = Some(found.as_ref().clone());
                Outcome::Unknown
            }
            Some(Entry::Intent(_)) => Outcome::Duplicate,
            Some(Entry::Unreadable) => Outcome::Unknown,
            None if self.running.contains_key(&hash) || self.is_held(id) => Outcome::Duplicate,
            None => otherwise,
        };
        let answer = match self.ledger.get(hash) {
            Some(Entry::Unreadable) => Answer::saying(UNREADABLE),
            _ => answer,
        };
        let mut record = ResultRecord {
            command_id: id.to_owned(),
            r#type: kind.to_owned(),
            phase: "OUTCOME".to_owned(),
            outcome: Some(outcome.word().to_owned()),
            settled_at: Some(self.context.clock.now_ms() * 1_000),
            position: position.to_string(),
            ..intent.unwrap_or_default()
        };
        record.answer(answer);
        (record, outcome)
    }

    /// Writes these records and the outcome of a command that is not run.
    pub(crate) async fn settle(
        &mut self,
        mut records: Vec<LaneRecord>,
        (record, outcome): (ResultRecord, Outcome),
        kind: &'static str,
        position: Position,
    ) -> Result<(), Left> {
        records.push(self.context.writer.encode(&record)?);
        // At once, so that a second one with this id sees it. If it cannot be written, the ledger goes
        // with the lane.
        let id = IdHash::of(&record.command_id);
        self.ledger.take(record, self.context.clock.now_ms());
        self.write(records, position, Some(id), Some((kind, outcome))).await
    }
}
