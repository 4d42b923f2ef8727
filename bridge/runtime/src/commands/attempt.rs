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
//!   believed when `commands.settle.ms` have passed since the reply was given up: a request whose
//!   connection was cut may still be at work in the upstream.
//! * The shard is taken back, or the process was paused and another has taken over: the grant says so,
//!   which is asked right before the first byte, behind budgets, sign-in and dialling
//!   ([`Permit`]). What is left is a
//!   pause between that look and the first byte. A shard that is taken back is not free before this
//!   command has ended.
//! * The connector panics: before sending it is as if the upstream had not answered, while sending it is
//!   unclear. Only this command is concerned.
//! * The bus fails while a command is under way: all that run are dropped and the lane is opened anew,
//!   which is the same as having been killed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use talon_sdk::{
    Answer, Applier, ApplyFault, Clock, Command, Evidence, Fault, Finding, Permit, Repeat,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

use crate::bus::{Grant, Position};
use crate::commands::budgets::{Budget, Budgets};
use crate::commands::record::{Outcome, ResultRecord};
use crate::commands::writer::{Gone, Writer, Written};
use crate::service::backoff::Backoff;
use crate::service::health::{Health, Severity, State};
use crate::service::options::Patience;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// What all commands of a lane share.
pub(crate) struct CommandContext {
    /// Name of the connector, which is that of its shard.
    pub(crate) name: String,
    pub(crate) applier: Arc<dyn Applier>,
    pub(crate) writer: Writer,
    pub(crate) grant: Grant,
    pub(crate) clock: Clock,
    pub(crate) patience: Patience,
    pub(crate) budgets: Budgets,
    /// As many as commands may be at work in the upstream at the same time. None is held while a command
    /// waits, or for its outcome to be durable: that holds up nobody with another key.
    pub(crate) slots: Semaphore,
    pub(crate) health: Health,
    /// Name in the health report.
    pub(crate) component: String,
}

impl CommandContext {
    /// Waits for leave to have the upstream work.
    async fn slot(&self) -> Result<SemaphorePermit<'_>, Left> {
        tokio::select! {
            slot = self.slots.acquire() => slot.map_err(|_| Left),
            () = self.grant.closing() => Err(Left),
        }
    }

    /// Leave to send, which ends as soon as another process may have taken over.
    fn permit(&self) -> Permit {
        let grant = self.grant.clone();
        Permit::new(move || grant.is_open())
    }

    /// Shows whether the upstream lets commands through.
    pub(crate) fn show(&self, fault: Option<&Fault>) {
        let (state, message) = match fault {
            None => (State::Up, String::new()),
            Some(fault) => (State::of_upstream(fault), fault.to_string()),
        };
        self.health.set(&self.component, Severity::Feed, state, &message);
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
enum Stage {
    /// Surely not applied.
    NotSent,
    /// It may have been applied; this process knows of that since then.
    Sent { before: Evidence, sent_at_ms: i64, since: Instant, answer: Option<Answer> },
}

/// One command at work.
struct Attempt<'a> {
    context: &'a CommandContext,
    command: &'a Command,
    position: Position,
    barred: Option<&'a Answer>,
    attempts: i32,
    sent_at_ms: Option<i64>,
    backoff: Backoff,
    budget: Budget,
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
pub(crate) async fn run(context: &CommandContext, turn: &Turn) -> Result<ResultRecord, Left> {
    let Turn { command, position, intent, barred } = turn;
    let mut attempt = Attempt {
        context,
        command,
        position: *position,
        barred: barred.as_ref(),
        attempts: intent.as_ref().map_or(0, |intent| intent.attempts),
        sent_at_ms: None,
        backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
        budget: context.budgets.of(*position, context.patience.retry_budget),
    };
    let stage = match intent {
        None => Stage::NotSent,
        Some(intent) => {
            let sent_at_ms = intent.sent_at.unwrap_or_default() / 1_000;
            attempt.sent_at_ms = Some(sent_at_ms);
            let before = Evidence(intent.evidence.clone().unwrap_or_default());
            Stage::Sent { before, sent_at_ms, since: Instant::now(), answer: None }
        }
    };
    let ending = attempt.settle(stage).await?;
    let record = attempt.outcome(ending);
    context.writer.settle(&record, Some(*position)).await?;
    context.budgets.forget(*position);
    Ok(record)
}

impl Attempt<'_> {
    async fn settle(&mut self, mut stage: Stage) -> Result<Ending, Left> {
        loop {
            let step = match stage {
                Stage::NotSent => match self.barred {
                    Some(answer) => Step::End(Ending::new(Outcome::Rejected, answer.clone())),
                    None => self.send().await?,
                },
                Stage::Sent { before, sent_at_ms, since, answer } => {
                    self.read_back(before, sent_at_ms, since, answer).await?
                }
            };
            match step {
                Step::End(ending) => return Ok(ending),
                Step::Go(next) => stage = next,
            }
        }
    }

    /// Looks, makes the intent durable, and sends once.
    async fn send(&mut self) -> Result<Step, Left> {
        let Attempt { context, command, .. } = *self;
        let repeat = command.spec.repeat;
        let slot = context.slot().await?;
        if let Some(expired) = self.expired() {
            return Ok(Step::End(expired));
        }
        let mut before = Evidence::default();
        if repeat != Repeat::Always || !command.expect.is_empty() {
            self.may_act()?;
            let looked = guarded(context.applier.look(command)).await;
            let looked = looked.unwrap_or_else(|_| Err(ApplyFault::NotApplied(panicked())));
            before = match looked {
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
        let sent_at_ms = context.clock.now_ms();
        if repeat != Repeat::Always {
            let intent = ResultRecord {
                phase: "INTENT".to_owned(),
                sent_at: Some(sent_at_ms * 1_000),
                evidence: Some(before.0.clone()).filter(|evidence| !evidence.is_empty()),
                ..self.record()
            };
            if context.writer.settle(&intent, None).await? == Written::TooLarge {
                let message =
                    "its intent is larger than the bus takes a record, so it was not sent";
                return Ok(Step::End(Ending::saying(Outcome::Failed, message)));
            }
            if let Some(expired) = self.expired() {
                self.attempts -= 1;
                return Ok(Step::End(expired));
            }
        }
        self.may_act()?;
        let sent_at_ms = context.clock.now_ms();
        self.sent_at_ms = Some(sent_at_ms);
        let applied = guarded(context.applier.apply(command, &before, &context.permit())).await;
        let applied =
            applied.unwrap_or_else(|_| Err(ApplyFault::Unclear(Answer::saying(PANICKED))));
        // From here on the upstream may still be at work on it, and not from when it was sent: the reply
        // may have been waited for.
        let since = Instant::now();
        drop(slot);
        match applied {
            Ok(answer) => {
                context.show(None);
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
                if Instant::now() >= self.budget.send_until {
                    return Ok(Step::End(Ending::new(Outcome::Unknown, answer)));
                }
                let wait = self.backoff.next(None);
                self.wait(wait).await?;
                Ok(Step::Go(Stage::NotSent))
            }
            Err(ApplyFault::Unclear(answer)) => {
                // To read back is another thing than to send.
                self.backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
                // To read back gets time of its own: to give up means not to know.
                self.budget.probe_until =
                    context.budgets.probe(self.position, context.patience.retry_budget);
                Ok(Step::Go(Stage::Sent { before, sent_at_ms, since, answer: Some(answer) }))
            }
        }
    }

    /// Surely not applied: waits, and tries again within the budget.
    async fn again(&mut self, fault: &Fault) -> Result<Step, Left> {
        // Where it was refused for that it says nothing of the upstream.
        self.may_act()?;
        self.context.show(Some(fault));
        let left = self.budget.send_until.saturating_duration_since(Instant::now());
        if left.is_zero() || asks_for_more(fault, left) {
            return Ok(Step::End(Ending::saying(Outcome::Failed, fault.to_string())));
        }
        let wait = self.backoff.after(fault);
        self.wait(wait.min(left)).await?;
        Ok(Step::Go(Stage::NotSent))
    }

    /// Asks the upstream whether it was applied.
    async fn read_back(
        &mut self,
        before: Evidence,
        sent_at_ms: i64,
        since: Instant,
        answer: Option<Answer>,
    ) -> Result<Step, Left> {
        let Attempt { context, command, .. } = *self;
        let slot = context.slot().await?;
        let found = guarded(context.applier.probe(command, &before, sent_at_ms)).await;
        let found = found.unwrap_or_else(|_| Err(panicked()));
        drop(slot);
        if found.is_ok() {
            context.show(None);
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
                let left = context.patience.settle.saturating_sub(since.elapsed());
                if !left.is_zero() {
                    self.wait(left).await?;
                    return Ok(Step::Go(Stage::Sent { before, sent_at_ms, since, answer }));
                }
                if Instant::now() >= self.budget.send_until {
                    let ending = Ending::new(Outcome::Failed, answer.unwrap_or_default());
                    return Ok(Step::End(ending));
                }
                Ok(Step::Go(Stage::NotSent))
            }
            Ok(Finding::Unclear(why)) => {
                let answer = answer.unwrap_or_default();
                let evidence = Some(evidence(&before, &why));
                Ok(Step::End(Ending { outcome: Outcome::Unknown, answer, evidence }))
            }
            Err(fault) => {
                context.show(Some(&fault));
                let left = self.budget.probe_until.saturating_duration_since(Instant::now());
                if left.is_zero() || asks_for_more(&fault, left) {
                    let why = format!("it could not be read back: {fault}");
                    let evidence = Some(evidence(&before, &why));
                    let answer = answer.unwrap_or_default();
                    return Ok(Step::End(Ending { outcome: Outcome::Unknown, answer, evidence }));
                }
                let wait = self.backoff.after(&fault);
                self.wait(wait.min(left)).await?;
                Ok(Step::Go(Stage::Sent { before, sent_at_ms, since, answer }))
            }
        }
    }

    fn expired(&self) -> Option<Ending> {
        let expires_at_ms = self.command.expires_at_ms?;
        (self.context.clock.now_ms() >= expires_at_ms)
            .then(|| Ending::saying(Outcome::Expired, "`expires_at` passed before it was sent"))
    }

    /// Another process may have taken over: then nothing more is sent from here.
    fn may_act(&self) -> Result<(), Left> {
        if self.context.grant.is_open() { Ok(()) } else { Err(Left) }
    }

    /// Waits, unless the lane is to be let go.
    async fn wait(&self, wait: Duration) -> Result<(), Left> {
        tokio::select! {
            () = sleep(wait) => Ok(()),
            () = self.context.grant.closing() => Err(Left),
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
            settled_at: Some(self.context.clock.now_ms() * 1_000),
            evidence: ending.evidence,
            ..self.record()
        };
        record.answer(ending.answer);
        record
    }
}

/// Whether the upstream asks to be left alone for longer than there is time: nothing is gained by waiting.
fn asks_for_more(fault: &Fault, left: Duration) -> bool {
    matches!(fault, Fault::Unavailable { retry_after: Some(asked), .. } if *asked > left)
}

/// Of a connector that panicked.
const PANICKED: &str = "a defect of Talon: the connector panicked";

fn panicked() -> Fault {
    Fault::Internal { reason: PANICKED.to_owned() }
}

/// Runs what a connector does, so that its panic ends this one command only.
async fn guarded<T>(work: impl Future<Output = T>) -> Result<T, ()> {
    // What it shares with others are the connector's own locks, which are not poisoned for ever.
    AssertUnwindSafe(work).catch_unwind().await.map_err(drop)
}

/// What comes after a step.
enum Step {
    End(Ending),
    Go(Stage),
}

/// What is known of a command that could not be resolved, for whoever looks into it.
fn evidence(before: &Evidence, why: &str) -> String {
    serde_json::json!({"before": before.0, "probe": why}).to_string()
}
