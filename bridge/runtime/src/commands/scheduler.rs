//! Whose turn it is: commands with the same ordering key one after another, others side by side.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use talon_sdk::{Answer, Command, CommandSpec};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, interval_at};

use crate::bus::{Arrival, BusFault, LaneRecord, LaneTopic, Position};
use crate::commands::aside::Aside;
use crate::commands::attempt::{self, CommandContext, Left, Turn};
use crate::commands::duplicate;
use crate::commands::held::Held;
use crate::commands::intake::{CommandReader, Intake};
use crate::commands::ledger::{Entry, IdHash, Ledger, WAITING};
use crate::commands::metrics::LaneMetrics;
use crate::commands::record::{Outcome, ResultRecord};
use crate::commands::writer::Written;

/// Bytes of such commands, at most.
const WAITING_BYTES: usize = 64 * 1024 * 1024;

/// How often the bus is told again what is settled: Kafka forgets the offsets of a group without members
/// after `offsets.retention.minutes`, 7 days by default.
const REPEAT_EVERY: Duration = Duration::from_secs(3_600);

/// What the reader's thread hands over.
pub(crate) enum Incoming {
    Arrival(Arrival),
    /// For the first time there is nothing more to read.
    CaughtUp,
}

/// A command and what is kept with it until it is settled.
pub(super) struct Waiting {
    turn: Turn,
    bytes: usize,
    since: Instant,
}

/// What a task of the lane came to.
#[allow(
    clippy::large_enum_variant,
    reason = "it lives for a moment, between a task and the scheduler"
)]
enum Ended {
    /// A command that had its turn.
    Command { waiting: Waiting, result: Result<ResultRecord, Left> },
    /// A record of the topic that needed no turn: where it stands, whose it is, and the outcome of which
    /// type it got.
    Written {
        position: Position,
        id: Option<IdHash>,
        bytes: usize,
        outcome: Option<(&'static str, Outcome)>,
        /// Dead letters among what was written.
        dead: usize,
        result: Result<(), Left>,
    },
    /// A command that was put back, or is too large for that.
    PutBack { waiting: Waiting, result: Result<Written, Left> },
}

/// Gives commands their turns.
pub(crate) struct Scheduler {
    pub(super) context: Arc<CommandContext>,
    reader: CommandReader,
    /// Those that wait for the registry.
    aside: Aside,
    /// The types that are switched on.
    switched_on: Vec<&'static CommandSpec>,
    pub(super) ledger: Ledger,
    pub(super) metrics: LaneMetrics,
    /// Whether commands come in one order, whatever their keys.
    ordered: bool,
    pub(super) topic: String,
    pub(super) open: Held,
    pub(super) bytes: usize,
    /// Behind each ordering key that is at work: who comes next.
    lines: HashMap<String, VecDeque<Waiting>>,
    /// Have their turn now.
    ready: VecDeque<Waiting>,
    /// Ids that run, and who waits for them under another key.
    pub(super) running: HashMap<IdHash, Vec<Waiting>>,
    tasks: JoinSet<Ended>,
}

/// What a [`Scheduler`] is made of.
pub(crate) struct SchedulerParts {
    pub(crate) context: CommandContext,
    pub(crate) reader: CommandReader,
    pub(crate) switched_on: Vec<&'static CommandSpec>,
    pub(crate) ledger: Ledger,
    pub(crate) metrics: LaneMetrics,
    pub(crate) ordered: bool,
    pub(crate) topic: String,
}

impl Scheduler {
    pub(crate) fn new(parts: SchedulerParts) -> Scheduler {
        Scheduler {
            context: Arc::new(parts.context),
            aside: Aside::new(parts.reader.clone()),
            reader: parts.reader,
            switched_on: parts.switched_on,
            ledger: parts.ledger,
            metrics: parts.metrics,
            ordered: parts.ordered,
            topic: parts.topic,
            open: Held::default(),
            bytes: 0,
            lines: HashMap::new(),
            ready: VecDeque::new(),
            running: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Runs commands until the grant closes, and then until those that run have ended.
    ///
    /// # Errors
    /// The lane is lost.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Incoming>) -> Result<(), Left> {
        let context = self.context.clone();
        let mut repeat = interval_at(Instant::now() + REPEAT_EVERY, REPEAT_EVERY);
        loop {
            let room = self.open.len() < WAITING && self.bytes < WAITING_BYTES;
            tokio::select! {
                biased;
                () = context.grant.closing() => break,
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    // A panic is a defect; its command is settled when the lane is opened anew.
                    let Ok(ended) = ended else { return Err(Left) };
                    if !self.ended(ended) {
                        return Err(Left);
                    }
                }
                _ = repeat.tick() => {
                    if context.writer.hand(vec![], None).await.is_err() {
                        return Err(Left);
                    }
                }
                answer = self.aside.answer() => {
                    if self.answered(answer).await.is_err() {
                        if !context.grant.is_open() {
                            break;
                        }
                        return Err(Left);
                    }
                }
                incoming = inbox.recv(), if room => {
                    let on = match incoming {
                        None => return Err(Left),
                        Some(Incoming::Arrival(arrival)) => self.arrived(arrival).await,
                        Some(Incoming::CaughtUp) => self.caught_up().await,
                    };
                    if on.is_err() {
                        // Those that run are to end, if it is only that nothing new is to be begun.
                        if !context.grant.is_open() {
                            break;
                        }
                        return Err(Left);
                    }
                }
            }
            self.start();
            if self.open.len() == 0 {
                // Nothing waits for the upstream any more: what the last ones met says nothing of now.
                self.context.show(None);
            }
            self.metrics.held(self.open.len(), self.open.oldest_ms());
        }
        // What waits for its turn is read again by whoever opens the lane next.
        self.ready.clear();
        self.lines.clear();
        tokio::select! {
            () = async { while self.tasks.join_next().await.is_some() {} } => {}
            // There is no time for those that run: the next owner reads them back.
            () = context.grant.over() => {}
        }
        Ok(())
    }

    /// The registry has answered those that wait for it, or has failed to.
    async fn answered(&mut self, answer: Result<(), BusFault>) -> Result<(), Left> {
        for arrival in self.aside.answered(answer, &self.context)? {
            self.open.let_go(arrival.position);
            self.bytes -= arrival.value.len();
            self.arrived(arrival).await?;
        }
        Ok(())
    }

    /// A record of the topic of commands.
    async fn arrived(&mut self, arrival: Arrival) -> Result<(), Left> {
        let position = arrival.position;
        if self.open.has(position) {
            return Ok(());
        }
        self.open.take(position, arrival.at_ms);
        self.ledger.saw(arrival.at_ms);
        if self.aside.must_take(&arrival) {
            self.set_aside(arrival);
            return Ok(());
        }
        let intake = match self.reader.read(&arrival.value).await {
            Ok(intake) => intake,
            // What was known of the id was forgotten just now.
            Err(BusFault::Misconfigured(_) | BusFault::Unavailable(_)) => {
                self.set_aside(arrival);
                return Ok(());
            }
            Err(_) => return Err(Left),
        };
        let id = match &intake {
            Intake::Malformed { id, .. } => id.as_deref(),
            Intake::Command(command) => Some(command.id.as_str()),
        };
        let id = id.map(IdHash::of);
        if self.ledger.is_settled(position, id) {
            return self.write(vec![], position, id, None).await;
        }
        match intake {
            Intake::Command(command) if self.may_have_been_run(&arrival, &command) => {
                self.leave(&command, position).await
            }
            Intake::Malformed { id, kind, problems } => {
                self.put_aside(&arrival, id, kind, &problems).await
            }
            Intake::Command(command) => {
                if !self.ordered && !arrival.rekeyed && arrival.key.as_deref() != Some(&command.key)
                {
                    return self.rekey(arrival, command).await;
                }
                if !self.switched_on.iter().any(|on| std::ptr::eq(*on, command.spec)) {
                    let message = format!(
                        "`{}` is switched off; `connectors.{}.commands` names those that are on",
                        command.spec.name, self.context.name
                    );
                    let answer = Answer::saying(message);
                    if matches!(self.ledger.get(IdHash::of(&command.id)), Some(Entry::Intent(_))) {
                        // It may have been sent while it was on.
                        let mut waiting = self.hold(command, position, arrival.value.len());
                        waiting.turn.barred = Some(answer);
                        self.line_up(waiting);
                        return Ok(());
                    }
                    let kind = command.spec.name;
                    let ended = self.unsent(&command.id, kind, position, answer, Outcome::Rejected);
                    return self.settle(vec![], ended, kind, position).await;
                }
                let waiting = self.hold(command, position, arrival.value.len());
                self.line_up(waiting);
                Ok(())
            }
        }
    }

    /// Holds a record until the registry has answered.
    fn set_aside(&mut self, arrival: Arrival) {
        self.bytes += arrival.value.len();
        self.aside.take(arrival);
    }

    /// Counts the bytes of a command that is held.
    fn hold(&mut self, command: Command, position: Position, bytes: usize) -> Waiting {
        self.bytes += bytes;
        let turn = Turn { command, position, intent: None, barred: None };
        Waiting { turn, bytes, since: Instant::now() }
    }

    /// Puts a command behind those with its key.
    fn line_up(&mut self, waiting: Waiting) {
        let key = &waiting.turn.command.key;
        match self.lines.get_mut(key) {
            Some(line) => line.push_back(waiting),
            None => {
                self.lines.insert(key.clone(), VecDeque::new());
                self.ready.push_back(waiting);
            }
        }
    }

    /// Starts whoever is ready.
    fn start(&mut self) {
        while let Some(mut waiting) = self.ready.pop_front() {
            let id = IdHash::of(&waiting.turn.command.id);
            if let Some(behind) = self.running.get_mut(&id) {
                behind.push(waiting);
                continue;
            }
            let known = self.ledger.get(id).cloned();
            self.running.insert(id, Vec::new());
            let context = self.context.clone();
            match known {
                Some(Entry::Settled { outcome, position, at_ms }) => {
                    self.tasks.spawn(async move {
                        let result =
                            duplicate::settle(&context, &waiting.turn, outcome, position, at_ms)
                                .await;
                        Ended::Command { waiting, result }
                    });
                }
                Some(Entry::Unreadable) => {
                    self.tasks.spawn(async move {
                        let result = duplicate::give_up(&context, &waiting.turn).await;
                        Ended::Command { waiting, result }
                    });
                }
                other => {
                    if let Some(Entry::Intent(intent)) = other {
                        waiting.turn.intent = Some(intent);
                    }
                    self.tasks.spawn(async move {
                        let result = attempt::run(&context, &waiting.turn).await;
                        Ended::Command { waiting, result }
                    });
                }
            }
        }
    }

    /// `false` if the lane is lost.
    fn ended(&mut self, ended: Ended) -> bool {
        let (waiting, record) = match ended {
            Ended::Command { waiting, result: Ok(record) } => (waiting, record),
            Ended::Written { position, id, bytes, outcome, dead, result: Ok(()) } => {
                self.metrics.dead_letters(dead);
                self.open.let_go(position);
                self.bytes -= bytes;
                self.ledger.remember(position, id);
                if let Some((kind, outcome)) = outcome {
                    self.metrics.outcome(kind, outcome);
                }
                return true;
            }
            Ended::PutBack { waiting, result: Ok(Written::Done) } => {
                let position = waiting.turn.position;
                self.open.let_go(position);
                self.bytes -= waiting.bytes;
                self.ledger.remember(position, Some(IdHash::of(&waiting.turn.command.id)));
                return true;
            }
            Ended::PutBack { waiting, result: Ok(Written::TooLarge) } => {
                // Rather out of order than not at all.
                self.line_up(waiting);
                return true;
            }
            Ended::Command { .. } | Ended::Written { .. } | Ended::PutBack { .. } => return false,
        };
        let Turn { command, position, .. } = &waiting.turn;
        if let Some(outcome) = record.outcome() {
            self.metrics.settled(command.spec.name, outcome, waiting.since.elapsed());
            tracing::debug!(
                connector = self.context.name,
                command = command.spec.name,
                %position,
                outcome = outcome.word(),
                "settled"
            );
            if outcome == Outcome::Unknown {
                tracing::warn!(
                    connector = self.context.name,
                    command = command.spec.name,
                    %position,
                    "a command ended UNKNOWN: it may or may not have been applied; its record on the results topic has the evidence"
                );
            }
        }
        self.ledger.take(record, self.context.clock.now_ms());
        self.open.let_go(*position);
        self.bytes -= waiting.bytes;
        let behind = self.running.remove(&IdHash::of(&command.id)).unwrap_or_default();
        self.ready.extend(behind);
        match self.lines.get_mut(&command.key).and_then(VecDeque::pop_front) {
            Some(next) => self.ready.push_back(next),
            None => {
                self.lines.remove(&command.key);
            }
        }
        true
    }

    /// Puts a command back under its ordering key, once, so that it stands in order with the others.
    async fn rekey(&mut self, arrival: Arrival, command: Command) -> Result<(), Left> {
        let position = arrival.position;
        let mut headers = vec![("talon-rekeyed", b"1".to_vec())];
        headers.extend(arrival.traceparent.map(|parent| ("traceparent", parent.into_bytes())));
        let record = LaneRecord {
            topic: LaneTopic::Commands,
            key: command.key.clone(),
            value: arrival.value,
            headers,
            id: format!("{}/{position}/rekeyed", command.id),
        };
        let waiting = self.hold(command, position, record.value.len());
        let written = self.context.writer.hand(vec![record], Some(position)).await?;
        self.tasks.spawn(async move {
            let result = written.await.map_err(|_| Left);
            Ended::PutBack { waiting, result }
        });
        Ok(())
    }

    /// Hands records to the writer, in the order of calls, and lets a task wait for them.
    pub(super) async fn write(
        &mut self,
        records: Vec<LaneRecord>,
        position: Position,
        id: Option<IdHash>,
        outcome: Option<(&'static str, Outcome)>,
    ) -> Result<(), Left> {
        let bytes = records.iter().map(|record| record.value.len()).sum();
        let is_dead = |record: &&LaneRecord| record.topic == LaneTopic::DeadLetters;
        let dead = records.iter().filter(is_dead).count();
        self.bytes += bytes;
        let written = self.context.writer.hand(records, Some(position)).await?;
        self.tasks.spawn(async move {
            let result = written.await.map(drop).map_err(|_| Left);
            Ended::Written { position, id, bytes, outcome, dead, result }
        });
        Ok(())
    }

    /// Everything on the topic has been read: an intent whose command is not there any more (it was
    /// kept for too short a time) cannot be resolved.
    async fn caught_up(&mut self) -> Result<(), Left> {
        for intent in self.ledger.intents() {
            let Some(position) = intent.position() else { continue };
            let hash = IdHash::of(&intent.command_id);
            let waits = self.open.has(position) || self.running.contains_key(&hash);
            if waits || self.is_held(&intent.command_id) {
                continue;
            }
            let record = ResultRecord {
                phase: "OUTCOME".to_owned(),
                outcome: Some(Outcome::Unknown.word().to_owned()),
                settled_at: Some(self.context.clock.now_ms() * 1_000),
                message: Some(
                    "it was about to be sent, and is no longer on the topic of commands to be read back".to_owned(),
                ),
                ..intent
            };
            self.context.writer.settle(&record, None).await?;
            tracing::warn!(
                connector = self.context.name,
                command = record.r#type,
                %position,
                "a command ended UNKNOWN: its intent is there, and the command is no longer on its topic"
            );
            self.metrics.outcome(&record.r#type, Outcome::Unknown);
            self.ledger.take(record, self.context.clock.now_ms());
        }
        Ok(())
    }

    /// Whether a command of this id is held unsettled.
    pub(super) fn is_held(&self, id: &str) -> bool {
        let lines = self.lines.values().flatten();
        self.ready.iter().chain(lines).any(|waiting| waiting.turn.command.id == id)
    }
}
