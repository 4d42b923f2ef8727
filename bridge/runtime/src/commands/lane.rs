//! The commands of one connector as a service: take the lane over, rebuild the ledger, serve.

use std::sync::Arc;
use std::time::{Duration, Instant};

use talon_schemas::Message;
use talon_schemas::result::RESULT;
use talon_schemas::wire::{Payload, Wire};
use talon_sdk::{Applier, Commands, Fault};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc};

use crate::bus::{BusFault, Hold, LaneLog, LaneReader, LaneSpec, Purpose, Recovered, TopicSpec};
use crate::commands::attempt::{CommandContext, Left};
use crate::commands::budgets::Budgets;
use crate::commands::intake::CommandReader;
use crate::commands::ledger::Ledger;
use crate::commands::metrics::LaneMetrics;
use crate::commands::record::ResultRecord;
use crate::commands::scheduler::{Incoming, Scheduler, SchedulerParts};
use crate::commands::writer;
use crate::service::health::{Severity, State};
use crate::service::options::Format;
use crate::service::progress::Progress;
use crate::service::registry::Schemas;
use crate::service::setup::{Setup, Shared, topic};
use crate::service::{Service, farewell, thread};

/// Commands between the reader's thread and the scheduler.
const INBOX: usize = 64;

/// How long the reader waits where the scheduler takes nothing.
const FULL: Duration = Duration::from_millis(10);

/// How long the reader waits before it looks whether to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// The topics of a connector's commands.
pub fn lane_spec(prefix: &str, setup: &Setup) -> LaneSpec {
    let options = setup.options;
    let spec = |name: &str, purpose, partitions, keep_ms| TopicSpec {
        name: topic(prefix, &setup.name, name),
        purpose,
        partitions,
        replication: options.replication,
        keep_ms,
        record_bytes: (purpose == Purpose::DeadLetters).then(|| options.record_bytes()),
    };
    let lane = options.lane;
    LaneSpec {
        name: setup.name.clone(),
        commands: spec("commands", Purpose::Commands, options.partitions, lane.keep_ms),
        results: spec("results", Purpose::Results, options.partitions, lane.ledger_keep_ms),
        dead_letters: spec("dlq", Purpose::DeadLetters, 1, options.dead_letter_keep_ms),
    }
}

/// The commands of a connector, as a service.
pub(crate) struct Lane {
    shared: Shared,
    setup: Setup,
    commands: Commands,
    component: String,
    budgets: Budgets,
    pub(crate) metrics: LaneMetrics,
}

/// A lane that is taken over and recovered.
pub(crate) struct Open {
    reader: Box<dyn LaneReader>,
    log: Box<dyn LaneLog>,
    ledger: Ledger,
    /// How results are written.
    results: Wire,
    /// How a command of this version's schema is written.
    commands: Wire,
    applier: Arc<dyn Applier>,
}

impl Lane {
    /// `None` where the connector carries no commands.
    pub(crate) fn of(shared: &Shared, setup: &Setup) -> Option<Lane> {
        let commands = setup.commands.clone()?;
        if setup.connector.commands().is_empty() {
            return None;
        }
        let metrics = LaneMetrics::new(&setup.name, &shared.metrics);
        metrics.expect(setup.connector.commands().iter().map(|spec| spec.name));
        Some(Lane {
            shared: shared.clone(),
            setup: setup.clone(),
            commands,
            component: format!("{}/commands", setup.name),
            budgets: Budgets::default(),
            metrics,
        })
    }
}

impl Service for Lane {
    type Open = Open;

    fn shard(&self) -> &str {
        &self.setup.name
    }

    fn component(&self) -> &str {
        &self.component
    }

    fn standby(&self) {
        self.budgets.clear();
        self.metrics.rest();
    }

    fn wake(&self) {}

    async fn open(&self, hold: &Hold) -> Result<Open, BusFault> {
        let (shared, setup, commands) =
            (self.shared.clone(), self.setup.clone(), self.commands.clone());
        let (hold, schemas) = (hold.clone(), Schemas::new(shared.registry.clone()));
        let name = format!("{} opens", self.component);
        thread::run(&name, move || open(&shared, &setup, commands, &schemas, &hold)).await
    }

    async fn serve(&self, open: Open, hold: &Hold, progress: &Progress) -> Result<(), BusFault> {
        self.shared.health.set(&self.component, Severity::Feed, State::Up, "");
        let (writer, writing) =
            writer::writer(&self.setup.name, open.log, open.results, self.shared.metrics.clone());
        let (arrivals, inbox) = mpsc::channel(INBOX);
        let ordered = open.reader.is_ordered();
        let scheduler = Scheduler::new(SchedulerParts {
            context: CommandContext {
                name: self.setup.name.clone(),
                applier: open.applier,
                writer,
                grant: hold.grant().clone(),
                clock: self.shared.clock.clone(),
                patience: self.setup.options.lane.patience,
                budgets: self.budgets.clone(),
                slots: Semaphore::new(self.setup.options.lane.max_in_flight),
                health: self.shared.health.clone(),
                component: self.component.clone(),
            },
            reader: CommandReader {
                commands: self.commands.clone(),
                wire: open.commands,
                registry: self.shared.registry.clone(),
            },
            switched_on: self.setup.connector.commands(),
            ledger: open.ledger,
            metrics: self.metrics.clone(),
            ordered,
            topic: lane_spec(&self.shared.prefix, &self.setup).commands.name,
        });
        let (metrics, reads, writes) = (self.metrics.clone(), hold.clone(), hold.clone());
        let reading = thread::run(&self.component, move || {
            let read = read(open.reader, &arrivals, &metrics);
            drop(reads);
            read
        });
        let progress = progress.clone();
        let writing = thread::run(&self.component, move || {
            let written = writing.run(&progress);
            drop(writes);
            written
        });
        // The reader's thread ends when nobody takes commands any more, the writer's when all that hand
        // it records are gone: both when the scheduler has ended.
        let (scheduled, written, read) = tokio::join!(scheduler.run(inbox), writing, reading);
        written.and(read)?;
        match scheduled {
            Ok(()) => Ok(()),
            Err(Left) => Err(BusFault::Aborted(
                "this process stood still and may have lost its commands to another".to_owned(),
            )),
        }
    }

    /// What is known of the commands that wait stays shown: they still do.
    fn ended(&self) {}

    async fn leave(&self) {
        farewell(self.setup.connector.as_ref()).await;
    }
}

/// Takes the lane over and rebuilds the ledger. Blocks.
fn open(
    shared: &Shared,
    setup: &Setup,
    commands: Commands,
    schemas: &Schemas,
    hold: &Hold,
) -> Result<Open, BusFault> {
    let applier = setup.connector.applier().map_err(|fault| match fault {
        Fault::Unavailable { reason, .. } => BusFault::Unavailable(reason),
        other => BusFault::Misconfigured(other.to_string()),
    })?;
    let spec = lane_spec(&shared.prefix, setup);
    let result_schema: &Message = (*RESULT).as_ref();
    let wanted = [
        (spec.commands.name.as_str(), (commands.contract)().as_ref()),
        (spec.results.name.as_str(), result_schema),
    ];
    let (commands, results) = match (setup.options.format, schemas.wires(&wanted)?.as_slice()) {
        (Format::Json, [commands, ..]) => (*commands, Wire::Json),
        (Format::Avro, [commands, results]) => (*commands, *results),
        _ => return Err(BusFault::Aborted("a schema of the commands is missing".to_owned())),
    };
    hold.grant().may_begin()?;
    let (reader, mut log) = shared.bus.open_lane(&spec, hold.grant())?;
    let lane = setup.options.lane;
    let mut ledger = Ledger::new(lane.ledger_keep_ms, lane.ledger_entries);
    recover(log.as_mut(), results, schemas, &mut ledger, hold)?;
    Ok(Open { reader, log, ledger, results, commands, applier })
}

/// Rebuilds the ledger.
fn recover(
    log: &mut dyn LaneLog,
    wire: Wire,
    schemas: &Schemas,
    ledger: &mut Ledger,
    hold: &Hold,
) -> Result<(), BusFault> {
    let started = Instant::now();
    let (name, grant) = (hold.grant().shard(), hold.grant());
    let (mut strange, mut unreadable) = (0_u64, 0_u64);
    log.recover(&mut |record| {
        grant.may_begin()?;
        match result_of(&record, wire, schemas)? {
            Found::Result(result) => ledger.take(*result, record.at_ms),
            Found::Unreadable => {
                unreadable += 1;
                ledger.take_unreadable(record.key);
            }
            Found::Nothing => strange += 1,
        }
        Ok(())
    })?;
    if unreadable > 0 {
        tracing::warn!(
            connector = name,
            records = unreadable,
            "records on the results topic were written with a schema that is known neither to this version nor to the registry: a command with the id of one of them may have been run, and ends UNKNOWN instead of being sent"
        );
    }
    if strange > 0 {
        tracing::warn!(
            connector = name,
            records = strange,
            "records on the results topic that are no results were passed over"
        );
    }
    tracing::info!(
        connector = name,
        commands = ledger.len(),
        unsettled = ledger.intents().len(),
        ms = started.elapsed().as_millis() as u64,
        "commands recovered"
    );
    Ok(())
}

/// What a record of the results topic is.
enum Found {
    /// An intent or an outcome.
    Result(Box<ResultRecord>),
    /// Either of them, written with a schema that is not known. Its key is the command's id.
    Unreadable,
    /// Nothing that Talon wrote.
    Nothing,
}

/// Reads a record.
///
/// # Errors
/// Where the registry is needed and does not answer.
fn result_of(record: &Recovered<'_>, wire: Wire, schemas: &Schemas) -> Result<Found, BusFault> {
    let Some(value) = record.value else { return Ok(Found::Nothing) };
    // An intent and an outcome stand under the id of their command, which tells a datum that was read
    // with a wrong schema.
    let decode = |datum: &[u8]| {
        let result = RESULT.decode::<ResultRecord>(datum).ok();
        result.filter(|result| result.command_id == record.key)
    };
    let payload = wire.open(&*RESULT, value);
    let own = match payload {
        Payload::Own(datum) => decode(datum),
        Payload::Json(json) => serde_json::from_slice(json).ok(),
        Payload::Registered(..) | Payload::Fingerprinted(..) => None,
        Payload::Foreign => return Ok(Found::Nothing),
    };
    if let Some(result) = own {
        return Ok(Found::Result(Box::new(result)));
    }
    let is_ours = |datum: &[u8]| decode(datum).is_some();
    let datum = schemas.read_back(&RESULT, payload, is_ours)?;
    let result = datum.as_deref().and_then(decode);
    Ok(result.map_or(Found::Unreadable, |result| Found::Result(Box::new(result))))
}

/// Hands commands to the scheduler until it has ended. Blocks.
fn read(
    mut reader: Box<dyn LaneReader>,
    arrivals: &mpsc::Sender<Incoming>,
    metrics: &LaneMetrics,
) -> Result<(), BusFault> {
    let mut caught_up = false;
    while !arrivals.is_closed() {
        let arrival = reader.next(GLANCE)?;
        let behind = reader.behind();
        metrics.behind(behind);
        let incoming = match arrival {
            Some(arrival) => Incoming::Arrival(arrival),
            None if !caught_up && behind == Some(0) => {
                caught_up = true;
                Incoming::CaughtUp
            }
            None => continue,
        };
        let mut waiting = incoming;
        while let Err(refused) = arrivals.try_send(waiting) {
            let TrySendError::Full(back) = refused else { return Ok(()) };
            waiting = back;
            std::thread::sleep(FULL);
            reader.look_ahead()?;
            metrics.behind(reader.behind());
        }
    }
    Ok(())
}
