//! The commands of one connector as a service: take the lane over, rebuild the ledger, serve.

use std::sync::Arc;
use std::time::{Duration, Instant};

use talon_schemas::Message;
use talon_schemas::result::RESULT;
use talon_schemas::wire::{Payload, Wire};
use talon_sdk::{Applier, Commands, Connector, Fault};
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
use crate::service::registry::Schemas;
use crate::service::setup::{Setup, Shared, topic};
use crate::service::{Service, thread};

/// Commands between the reader's thread and the scheduler.
const INBOX: usize = 64;

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
        let commands = setup.commands?;
        if setup.connector.commands().is_empty() {
            return None;
        }
        Some(Lane {
            shared: shared.clone(),
            setup: setup.clone(),
            commands,
            component: format!("{}/commands", setup.name),
            budgets: Budgets::default(),
            metrics: LaneMetrics::new(&setup.name, &shared.metrics),
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
        let (shared, setup, commands) = (self.shared.clone(), self.setup.clone(), self.commands);
        let (hold, schemas) = (hold.clone(), Schemas::new(shared.registry.clone()));
        let name = format!("{} opens", self.component);
        thread::run(&name, move || open(&shared, &setup, commands, &schemas, &hold)).await
    }

    async fn serve(&self, open: Open, hold: &Hold) -> Result<(), BusFault> {
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
                commands: self.commands,
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
        let writing = thread::run(&self.component, move || {
            let written = writing.run();
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

    fn ended(&self) {
        self.metrics.rest();
    }

    fn connector(&self) -> &dyn Connector {
        self.setup.connector.as_ref()
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
    let mut strange = 0_u64;
    log.recover(&mut |record| {
        grant.may_begin()?;
        match result_of(&record, wire, schemas)? {
            Some(result) => ledger.take(result, record.at_ms),
            None => strange += 1,
        }
        Ok(())
    })?;
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

/// The result in a record; `None` where it is nothing that Talon wrote.
///
/// # Errors
/// Where Talon wrote it and it cannot be read: it may be an intent, so no command can be run.
fn result_of(
    record: &Recovered<'_>,
    wire: Wire,
    schemas: &Schemas,
) -> Result<Option<ResultRecord>, BusFault> {
    let Some(value) = record.value else { return Ok(None) };
    let read = match wire.open(&*RESULT, value) {
        Payload::Own(datum) => RESULT.decode(datum).ok(),
        Payload::Registered(id, datum) => schemas.by_id(id)?.and_then(|writer| {
            let datum = RESULT.upgrade(&writer, datum).ok()?;
            RESULT.decode(&datum).ok()
        }),
        Payload::Json(json) => serde_json::from_slice(json).ok(),
        Payload::Unknown(_) => None,
        Payload::Foreign => return Ok(None),
    };
    read.map(Some).ok_or_else(|| {
        BusFault::Misconfigured(
            "a record on the results topic was written with another schema and cannot be read: which commands were sent is not known, so none is run; run the version of Talon that wrote it, or delete the topic's records and with them the memory of commands".to_owned(),
        )
    })
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
        metrics.behind(behind.unwrap_or(0));
        let incoming = match arrival {
            Some(arrival) => Incoming::Arrival(arrival),
            None if !caught_up && behind == Some(0) => {
                caught_up = true;
                Incoming::CaughtUp
            }
            None => continue,
        };
        if arrivals.blocking_send(incoming).is_err() {
            break;
        }
    }
    Ok(())
}
