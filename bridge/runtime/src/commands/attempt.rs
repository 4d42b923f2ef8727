//! The life of one command, from its turn to its outcome.
//!
//! ```text
//! look ──► intent ──► send ──► applied, refused ─────────────────────────► outcome
//!   ▲        (not for           │ surely not applied: wait, again
//!   │         `Always`)         ▼ unclear
//!   └──── surely not there ◄── probe ──► found, cannot be told ──────────► outcome
//! ```
//!
//! How it can fail, and what holds then:
//!
//! * Killed before the intent is durable: nothing was sent; whoever reads the command next begins anew.
//! * Killed between intent and outcome, wherever: the intent is found in the ledger, and the probe
//!   comes first. Nothing else can tell whether it was sent, and when: an intent may have waited for the
//!   bus, so it may have been sent until the lane was taken over.
//! * Killed between the outcome and its commit: as if it had not been written; the probe finds it.
//! * The reply is lost, before or after the effect: the probe tells. That nothing is there is only
//!   believed when `commands.settle.ms` have passed since it was sent: a request whose connection was
//!   cut may still be at work in the upstream.
//! * The process was paused, or waited long to send, and another has taken over: the grant has lapsed,
//!   which the request asks right before its first byte leaves ([`Permit`]). What is left is a pause
//!   between that look and the first byte.
//! * The bus fails while a command is under way: all that run are dropped and the lane is opened anew,
//!   which is the same as having been killed.

use std::sync::Arc;
use std::time::Duration;

use talon_sdk::{
    Answer, Applier, ApplyFault, Clock, Command, Evidence, Fault, Finding, Permit, Repeat,
};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep};

use crate::backoff::Backoff;
use crate::board::{Board, State as Health, Weight};
use crate::commands::record::{Outcome, ResultRecord};
use crate::commands::writer::{Gone, Writer};
use crate::lane::Position;
use crate::ownership::Ownership;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// How long and how often commands are tried.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long a command is tried, or read back, before it is given up.
    pub retry_budget: Duration,
    /// How long after sending it is only believed that a command was applied, not that it was not.
    pub settle: Duration,
}

/// What all commands of a lane share.
pub(crate) struct Desk {
    /// Name of the connector, which is that of its shard.
    pub(crate) name: String,
    pub(crate) applier: Arc<dyn Applier>,
    pub(crate) writer: Writer,
    pub(crate) ownership: Ownership,
    pub(crate) clock: Clock,
    pub(crate) patience: Patience,
    /// As many as commands may be at work in the upstream at the same time. None is held while a command
    /// waits, or for its outcome to be durable: that holds up nobody with another key.
    pub(crate) slots: Semaphore,
    /// True when nothing new is to be begun.
    pub(crate) halted: watch::Receiver<bool>,
    pub(crate) board: Board,
    /// Name on the board.
    pub(crate) component: String,
}

impl Desk {
    /// Waits until nothing new is to be begun.
    pub(crate) async fn halted(&self) {
        // The sender being gone means the same.
        self.halted.clone().wait_for(|halted| *halted).await.ok();
    }

    /// Waits for leave to have the upstream work.
    async fn slot(&self) -> Result<SemaphorePermit<'_>, Left> {
        tokio::select! {
            slot = self.slots.acquire() => slot.map_err(|_| Left),
            () = self.halted() => Err(Left),
        }
    }

    /// Leave to send, which ends as soon as another process may have taken over.
    fn permit(&self) -> Permit {
        let (ownership, name) = (self.ownership.clone(), self.name.clone());
        Permit::new(move || ownership.may_act(&name))
    }

    /// Shows whether the upstream lets commands through.
    pub(crate) fn show(&self, fault: Option<&Fault>) {
        let (state, message) = match fault {
            None => (Health::Up, String::new()),
            Some(fault @ Fault::Unavailable { .. }) => (Health::Unavailable, fault.to_string()),
            Some(fault @ Fault::Internal { .. }) => (Health::Internal, fault.to_string()),
            Some(fault) => (Health::Misconfigured, fault.to_string()),
        };
        self.board.set(&self.component, Weight::Feed, state, &message);
    }
}

/// A command that has its turn.
pub(crate) struct Turn {
    pub(crate) command: Command,
    pub(crate) position: Position,
    /// Its intent, where an earlier run left one.
    pub(crate) intent: Option<Box<ResultRecord>>,
    /// Why it is not sent, where it is not: it is read back, and refused if it is surely not there.
    pub(crate) barred: Option<Answer>,
}

/// Why a command has no outcome here: it is settled by whoever opens the lane next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left;

impl From<Gone> for Left {
    fn from(_: Gone) -> Left {
        Left
    }
}

/// What is known of the command so far.
enum State {
    /// Surely not applied.
    NotSent,
    /// It may have been applied; this process knows of that since then.
    Sent { before: Evidence, sent_at_ms: i64, since: Instant, answer: Option<Answer> },
}

/// One command at work.
struct Attempt<'a> {
    desk: &'a Desk,
    command: &'a Command,
    position: Position,
    barred: Option<&'a Answer>,
    attempts: i32,
    sent_at_ms: Option<i64>,
    backoff: Backoff,
    /// Until then it is sent again where it was surely not applied.
    send_until: Instant,
    /// Until then it is read back.
    probe_until: Instant,
}

/// How a command ends.
struct Ending {
    outcome: Outcome,
    answer: Answer,
    evidence: Option<String>,
}

impl Ending {
    fn new(outcome: Outcome, answer: Answer) -> Ending {
        Ending { outcome, answer, evidence: None }
    }

    fn saying(outcome: Outcome, message: impl Into<String>) -> Ending {
        Ending::new(outcome, Answer::saying(message))
    }
}

/// Runs a command to its outcome, which is durable when this returns.
pub(crate) async fn run(desk: &Desk, turn: &Turn) -> Result<ResultRecord, Left> {
    let Turn { command, position, intent, barred } = turn;
    let mut attempt = Attempt {
        desk,
        command,
        position: *position,
        barred: barred.as_ref(),
        attempts: intent.as_ref().map_or(0, |intent| intent.attempts),
        sent_at_ms: None,
        backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
        send_until: Instant::now() + desk.patience.retry_budget,
        probe_until: Instant::now() + desk.patience.retry_budget,
    };
    let state = match intent {
        None => State::NotSent,
        Some(intent) => {
            let sent_at_ms = intent.sent_at.unwrap_or_default() / 1_000;
            attempt.sent_at_ms = Some(sent_at_ms);
            let before = Evidence(intent.evidence.clone().unwrap_or_default());
            State::Sent { before, sent_at_ms, since: Instant::now(), answer: None }
        }
    };
    let ending = attempt.settle(state).await?;
    let record = attempt.outcome(ending);
    desk.writer.settle(&record, Some(*position)).await?;
    Ok(record)
}

impl Attempt<'_> {
    async fn settle(&mut self, mut state: State) -> Result<Ending, Left> {
        loop {
            let step = match state {
                State::NotSent => match self.barred {
                    Some(answer) => Step::End(Ending::new(Outcome::Rejected, answer.clone())),
                    None => self.send().await?,
                },
                State::Sent { before, sent_at_ms, since, answer } => {
                    self.read_back(before, sent_at_ms, since, answer).await?
                }
            };
            match step {
                Step::End(ending) => return Ok(ending),
                Step::Go(next) => state = next,
            }
        }
    }

    /// Looks, makes the intent durable, and sends once.
    async fn send(&mut self) -> Result<Step, Left> {
        let Attempt { desk, command, .. } = *self;
        let repeat = command.spec.repeat;
        let slot = desk.slot().await?;
        if let Some(expired) = self.expired() {
            return Ok(Step::End(expired));
        }
        let mut before = Evidence::default();
        if repeat != Repeat::Always || !command.expect.is_empty() {
            self.may_act()?;
            before = match desk.applier.look(command).await {
                Ok(before) => before,
                Err(ApplyFault::Refused(answer)) => {
                    return Ok(Step::End(Ending::new(Outcome::Rejected, answer)));
                }
                // A look changes nothing.
                Err(ApplyFault::NotApplied(fault)) => {
                    drop(slot);
                    return self.again(&fault).await;
                }
                Err(ApplyFault::Unclear(answer)) => {
                    drop(slot);
                    return self.again(&Fault::unavailable(answer.message)).await;
                }
            };
        }
        self.attempts += 1;
        let sent_at_ms = desk.clock.now_ms();
        if repeat != Repeat::Always {
            let intent = ResultRecord {
                phase: "INTENT".to_owned(),
                sent_at: Some(sent_at_ms * 1_000),
                evidence: Some(before.0.clone()).filter(|evidence| !evidence.is_empty()),
                ..self.record()
            };
            desk.writer.settle(&intent, None).await?;
            if let Some(expired) = self.expired() {
                self.attempts -= 1;
                return Ok(Step::End(expired));
            }
        }
        self.may_act()?;
        let (sent_at_ms, since) = (desk.clock.now_ms(), Instant::now());
        self.sent_at_ms = Some(sent_at_ms);
        let applied = desk.applier.apply(command, &before, &desk.permit()).await;
        drop(slot);
        match applied {
            Ok(answer) => {
                desk.show(None);
                Ok(Step::End(Ending::new(Outcome::Applied, answer)))
            }
            Err(ApplyFault::Refused(answer)) => {
                Ok(Step::End(Ending::new(Outcome::Rejected, answer)))
            }
            Err(ApplyFault::NotApplied(fault)) => {
                self.may_act()?;
                self.again(&fault).await
            }
            Err(ApplyFault::Unclear(answer)) if repeat == Repeat::Always => {
                if Instant::now() >= self.send_until {
                    return Ok(Step::End(Ending::new(Outcome::Unknown, answer)));
                }
                let wait = self.backoff.next(None);
                self.wait(wait).await?;
                Ok(Step::Go(State::NotSent))
            }
            Err(ApplyFault::Unclear(answer)) => {
                self.backoff.reset();
                // To read back gets time of its own: to give up means not to know.
                self.probe_until = Instant::now() + desk.patience.retry_budget;
                Ok(Step::Go(State::Sent { before, sent_at_ms, since, answer: Some(answer) }))
            }
        }
    }

    /// Surely not applied: waits, and tries again within the budget.
    async fn again(&mut self, fault: &Fault) -> Result<Step, Left> {
        self.desk.show(Some(fault));
        if Instant::now() >= self.send_until {
            return Ok(Step::End(Ending::saying(Outcome::Failed, fault.to_string())));
        }
        let wait = match fault {
            Fault::Unavailable { retry_after, .. } => self.backoff.next(*retry_after),
            _ => self.backoff.slowest(),
        };
        let left = self.send_until.saturating_duration_since(Instant::now());
        self.wait(wait.min(left)).await?;
        Ok(Step::Go(State::NotSent))
    }

    /// Asks the upstream whether it was applied.
    async fn read_back(
        &mut self,
        before: Evidence,
        sent_at_ms: i64,
        since: Instant,
        answer: Option<Answer>,
    ) -> Result<Step, Left> {
        let Attempt { desk, command, .. } = *self;
        let slot = desk.slot().await?;
        let found = desk.applier.probe(command, &before, sent_at_ms).await;
        drop(slot);
        if found.is_ok() {
            desk.show(None);
        }
        match found {
            Ok(Finding::Applied(mut found)) => {
                if found.message.is_empty() {
                    "read back".clone_into(&mut found.message);
                }
                Ok(Step::End(Ending::new(Outcome::Applied, found)))
            }
            Ok(Finding::Absent) => {
                // By no clock that can be set: the one that `sent_at` is of may have been ahead or
                // behind, and an earlier process's is not this one's.
                let left = desk.patience.settle.saturating_sub(since.elapsed());
                if !left.is_zero() {
                    self.wait(left).await?;
                    return Ok(Step::Go(State::Sent { before, sent_at_ms, since, answer }));
                }
                if Instant::now() >= self.send_until {
                    let ending = Ending::new(Outcome::Failed, answer.unwrap_or_default());
                    return Ok(Step::End(ending));
                }
                Ok(Step::Go(State::NotSent))
            }
            Ok(Finding::Unclear(why)) => {
                let answer = answer.unwrap_or_default();
                let evidence = Some(evidence(&before, &why));
                Ok(Step::End(Ending { outcome: Outcome::Unknown, answer, evidence }))
            }
            Err(fault) => {
                desk.show(Some(&fault));
                if Instant::now() >= self.probe_until {
                    let why = format!("it could not be read back: {fault}");
                    let evidence = Some(evidence(&before, &why));
                    let answer = answer.unwrap_or_default();
                    return Ok(Step::End(Ending { outcome: Outcome::Unknown, answer, evidence }));
                }
                let wait = match &fault {
                    Fault::Unavailable { retry_after, .. } => self.backoff.next(*retry_after),
                    _ => self.backoff.slowest(),
                };
                self.wait(wait).await?;
                Ok(Step::Go(State::Sent { before, sent_at_ms, since, answer }))
            }
        }
    }

    fn expired(&self) -> Option<Ending> {
        let expires_at_ms = self.command.expires_at_ms?;
        (self.desk.clock.now_ms() >= expires_at_ms)
            .then(|| Ending::saying(Outcome::Expired, "`expires_at` passed before it was sent"))
    }

    /// Another process may have taken over: then nothing more is sent from here.
    fn may_act(&self) -> Result<(), Left> {
        if self.desk.ownership.may_act(&self.desk.name) { Ok(()) } else { Err(Left) }
    }

    /// Waits, unless the lane is to be let go.
    async fn wait(&self, wait: Duration) -> Result<(), Left> {
        tokio::select! {
            () = sleep(wait) => Ok(()),
            () = self.desk.halted() => Err(Left),
        }
    }

    fn record(&self) -> ResultRecord {
        ResultRecord {
            command_id: self.command.id.clone(),
            r#type: self.command.spec.name.to_owned(),
            key: self.command.key.clone(),
            attempts: self.attempts,
            sent_at: self.sent_at_ms.map(|ms| ms * 1_000),
            position: self.position.to_string(),
            ..ResultRecord::default()
        }
    }

    fn outcome(&self, ending: Ending) -> ResultRecord {
        let mut record = ResultRecord {
            phase: "OUTCOME".to_owned(),
            outcome: Some(ending.outcome.word().to_owned()),
            settled_at: Some(self.desk.clock.now_ms() * 1_000),
            evidence: ending.evidence,
            ..self.record()
        };
        record.answer(ending.answer);
        record
    }
}

/// What comes after a step.
enum Step {
    End(Ending),
    Go(State),
}

/// What is known of a command that could not be resolved, for whoever looks into it.
fn evidence(before: &Evidence, why: &str) -> String {
    serde_json::json!({"before": before.0, "probe": why}).to_string()
}
