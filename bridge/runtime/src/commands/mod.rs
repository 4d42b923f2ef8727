//! Commands: topics in, exactly one outcome out.
//!
//! The way of one command, in the order of the modules: the bus's [reader](crate::lane::LaneReader)
//! gives a record of the topic; [`intake`] makes a command of it, or puts it aside; [`desk`] gives it
//! its turn behind others with its ordering key, unless the [`ledger`] knows its id; [`attempt`] runs
//! it; [`writer`] makes its intent and its outcome durable, as [`record`]s of the results topic, and
//! with the outcome that it has been read.
//!
//! A lane belongs to its connector's shard, so all commands of a connector run in one process. It is
//! recovered, fenced and reopened on its own: trouble with the feeds does not touch it.
//!
//! What keeps a command from being applied twice is written at the head of [`attempt`]; what keeps one
//! from being lost: its record counts as read only in the commit that has its outcome.

mod attempt;
pub(crate) mod desk;
mod duplicate;
mod intake;
mod ledger;
mod metrics;
mod record;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use talon_schemas::result::RESULT;
use talon_schemas::wire::{Payload, Wire};
use talon_sdk::{Applier, Commands, Connector, Fault};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::backoff::Backoff;
use crate::board::{State, Weight};
use crate::bus::{BusFault, Purpose, Recovered, TopicSpec};
use crate::commands::attempt::Desk;
use crate::commands::desk::{Dispatch, DispatchParts};
use crate::commands::ledger::Ledger;
use crate::lane::{Arrival, LaneLog, LaneReader, LaneSpec};
use crate::options::Format;
use crate::registry::Schemas;
use crate::supervise::{Setup, Shared, blocking, topic};
use crate::tenure::{End, Service};

pub use attempt::Patience;
pub use intake::{Intake, Reading, ordering_key};
pub use metrics::{LaneMetrics, LaneStatus};
pub use record::{Outcome, ResultRecord};

/// Commands between the reader's thread and the desk.
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
    pub(crate) metrics: LaneMetrics,
}

/// What the reader's thread hands over.
pub(crate) enum Incoming {
    Arrival(Arrival),
    /// For the first time there is nothing more to read.
    CaughtUp,
}

/// A lane that is taken over and recovered.
struct Open {
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
            metrics: LaneMetrics::new(&setup.name, &shared.metrics),
        })
    }

    fn open(&self) -> impl Future<Output = Result<Open, BusFault>> + use<> {
        let (shared, setup, commands) = (self.shared.clone(), self.setup.clone(), self.commands);
        let schemas = Schemas { registry: shared.registry.clone(), runtime: Handle::current() };
        blocking(move || {
            let applier = setup.connector.applier().map_err(|fault| match fault {
                Fault::Unavailable { reason, .. } => BusFault::Unavailable(reason),
                other => BusFault::Misconfigured(other.to_string()),
            })?;
            let spec = lane_spec(&shared.prefix, &setup);
            let results = match setup.options.format {
                Format::Json => Wire::Json,
                Format::Avro => schemas.wire(&spec.results.name, &*RESULT)?,
            };
            let contract = (commands.contract)();
            let commands = schemas.wire(&spec.commands.name, contract)?;
            let (reader, mut log) = shared.bus.open_lane(&spec, &shared.give_up)?;
            let lane = setup.options.lane;
            let mut ledger = Ledger::new(lane.ledger_keep_ms, lane.ledger_entries);
            recover(log.as_mut(), results, &schemas, &mut ledger, &setup.name)?;
            Ok(Open { reader, log, ledger, results, commands, applier })
        })
    }

    async fn serve(&self, open: Open) -> End {
        let (halt, halted) = watch::channel(false);
        let (writer, writing) =
            writer::writer(&self.setup.name, open.log, open.results, self.shared.metrics.clone());
        let (arrivals, inbox) = mpsc::channel(INBOX);
        let ordered = open.reader.is_ordered();
        let dispatch = Dispatch::new(DispatchParts {
            desk: Desk {
                name: self.setup.name.clone(),
                applier: open.applier,
                writer,
                ownership: self.shared.ownership.clone(),
                clock: self.shared.clock.clone(),
                patience: self.setup.options.lane.patience,
                slots: Semaphore::new(self.setup.options.lane.max_in_flight),
                halted,
                board: self.shared.board.clone(),
                component: self.component.clone(),
            },
            reading: Reading {
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
        let enough = Arc::new(AtomicBool::new(false));
        let reading = {
            let (enough, metrics) = (enough.clone(), self.metrics.clone());
            spawn_blocking(move || read(open.reader, &arrivals, &enough, &metrics))
        };
        let writing = spawn_blocking(move || writing.run());
        let mut stop = self.shared.stop.clone();
        let dispatching = dispatch.run(inbox);
        tokio::pin!(dispatching);
        loop {
            tokio::select! {
                () = &mut dispatching => break,
                () = async { stop.wait_for(|stopped| *stopped).await.ok(); }, if !*halt.borrow() => {
                    halt.send_replace(true);
                }
                () = self.shared.ownership.wait_revoked(&self.setup.name), if !*halt.borrow() => {
                    halt.send_replace(true);
                }
            }
        }
        enough.store(true, Ordering::Release);
        // The writer's thread ends when all that hand it records are gone, which they are.
        let written = joined(writing).await;
        let read = joined(reading).await;
        match written.and(read) {
            Err(fault) => End::Failed(fault),
            Ok(()) if *halt.borrow() => End::Halted,
            Ok(()) => End::Failed(BusFault::Aborted(
                "this process stood still and may have lost its commands to another".to_owned(),
            )),
        }
    }
}

impl Service for Lane {
    fn shard(&self) -> &str {
        &self.setup.name
    }

    fn component(&self) -> &str {
        &self.component
    }

    fn standby(&self) {
        let message = "another process of the group runs it";
        self.shared.board.set(&self.component, Weight::Vital, State::Standby, message);
        self.metrics.rest();
    }

    fn wake(&self) {}

    async fn run(&self, backoff: &mut Backoff) -> End {
        let mut stop = self.shared.stop.clone();
        let open = tokio::select! {
            open = self.open() => match open {
                Ok(open) => open,
                Err(fault) => return End::Failed(fault),
            },
            () = async { stop.wait_for(|stopped| *stopped).await.ok(); } => return End::Halted,
        };
        self.shared.board.set(&self.component, Weight::Feed, State::Up, "");
        backoff.reset();
        self.serve(open).await
    }

    fn ended(&self) {
        self.metrics.rest();
    }

    fn connector(&self) -> &dyn Connector {
        self.setup.connector.as_ref()
    }
}

/// Rebuilds the ledger.
fn recover(
    log: &mut dyn LaneLog,
    wire: Wire,
    schemas: &Schemas,
    ledger: &mut Ledger,
    name: &str,
) -> Result<(), BusFault> {
    let started = Instant::now();
    let mut strange = 0_u64;
    log.recover(&mut |record| {
        match result_of(&record, wire, schemas)? {
            Some(result) => ledger.take(result),
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

/// Hands commands to the desk until there are enough. Blocks.
fn read(
    mut reader: Box<dyn LaneReader>,
    arrivals: &mpsc::Sender<Incoming>,
    enough: &AtomicBool,
    metrics: &LaneMetrics,
) -> Result<(), BusFault> {
    let mut caught_up = false;
    while !enough.load(Ordering::Acquire) {
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

async fn joined(thread: JoinHandle<Result<(), BusFault>>) -> Result<(), BusFault> {
    thread.await.unwrap_or_else(|panic| {
        Err(BusFault::Aborted(format!("a defect of Talon ended the commands: {panic}")))
    })
}
