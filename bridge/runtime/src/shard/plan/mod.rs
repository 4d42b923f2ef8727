//! What the next observations of a connector would publish, told without publishing anything.
//!
//! The shard is the one that publishes, with a log that keeps what it is given ([`DryLog`]). Nothing is taken
//! over, no topic is made, no schema registered, no checkpoint written; so it may run beside the process that
//! runs the connector. The upstream is read for real: it counts these requests, and a session in which it is
//! signed in is one of its own.
//!
//! What it cannot know: what changes until a process reads. And of a feed that reads on and on (a backfill)
//! it tells the beginning.

mod dry_log;

use std::sync::Arc;
use std::time::Duration;

use talon_schemas::wire::Wire;
use talon_schemas::{Contract, Op};
use talon_sdk::{Clock, Coverage, Cursor, Feed, FeedPlan};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use self::dry_log::DryLog;
pub use self::dry_log::Planned;
use super::Pace;
use super::feeds::{shard_spec, states};
use super::inbox::Sighting;
use super::recent_scopes::RecentScopes;
use super::serve::Shard;
use crate::bus::{Bus, BusFault, Grant};
use crate::service::health::Health;
use crate::service::metrics::Metrics;
use crate::service::options::Format;
use crate::service::registry::{Registry, Schemas};
use crate::service::setup::Setup;

/// What a plan is made of.
pub struct Planning {
    /// First part of all topic names.
    pub prefix: String,
    /// The bus that is read.
    pub bus: Arc<dyn Bus>,
    /// Where schemas of what was published are looked up.
    pub registry: Option<Registry>,
    /// The time.
    pub clock: Clock,
    /// How long a feed may be read.
    pub patience: Duration,
    /// How many observations of a feed are read at most.
    pub observations: usize,
    /// How many events of a feed are kept to be shown.
    pub shown: usize,
}

/// What a feed would publish.
pub struct PlannedFeed {
    /// The feed.
    pub name: Arc<str>,
    /// Its topic.
    pub topic: String,
    /// What its values are.
    pub contract: &'static Contract,
    /// Entities that the topic holds.
    pub known: usize,
    /// Observations that were read.
    pub observations: usize,
    /// Rows in them.
    pub rows: usize,
    /// Events by what they would tell.
    pub events: Vec<(Op, u64)>,
    /// Rows that would go to the dead letters.
    pub dead: u64,
    /// Entities that vanished and would not be deleted, and why.
    pub withheld: Option<(usize, &'static str)>,
    /// The first events, encoded as on a topic without a registry.
    pub first: Vec<Planned>,
    /// Why no more was read.
    pub end: PlanEnd,
}

/// Why no more of a feed was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanEnd {
    /// It would wait now.
    Waits,
    /// It would read on at once.
    ReadsOn,
    /// Nothing came for as long as was waited.
    Silent,
    /// Another feed's rows tell it.
    Told,
    /// The upstream, or the connector, failed.
    Failed(String),
}

/// Reads what was published, then each feed, and tells what would be published. Blocks.
///
/// # Errors
/// What the bus says, and what the registry says of a schema that was written.
///
/// # Panics
/// Outside a Tokio runtime.
pub fn plan(planning: &Planning, setup: &Setup) -> Result<Vec<PlannedFeed>, BusFault> {
    let spec = shard_spec(&planning.prefix, setup);
    let metrics = Metrics::new().map_err(|error| BusFault::Aborted(error.to_string()))?;
    let feeds: Vec<FeedPlan> = setup.connector.feeds();
    let with_metrics = feeds.iter().map(|plan| {
        let metrics = metrics.feed(&setup.name, &plan.spec.name, plan.interval, &planning.clock);
        (plan.clone(), metrics)
    });
    let wire = match setup.options.format {
        Format::Json => Wire::Json,
        Format::Avro => Wire::SingleObject,
    };
    let states = states(setup, &spec, with_metrics.collect(), vec![wire; feeds.len()]);
    let grant = Grant::unlimited(&setup.name);
    let hold = grant.hold().ok_or(BusFault::Revoked)?;
    let (log, appended) = DryLog::new(planning.bus.clone(), spec, planning.shown);
    let schemas = Schemas::new(planning.registry.clone());
    let recovery = metrics.recovering(&setup.name);
    let clock = planning.clock.clone();
    let health = Health::new(clock.clone(), metrics.clone());
    let pace = Pace::new(&setup.name, health, metrics.clone());
    let mut shard =
        Shard::recover(&hold, Box::new(log), states, &schemas, clock, (metrics, &recovery))?;
    let known: Vec<usize> = shard.feeds().iter().map(|feed| feed.known.len()).collect();

    let mut planned = Vec::with_capacity(feeds.len());
    for ((place, plan), start) in feeds.iter().enumerate().zip(shard.starts()) {
        let mut reading = Reading::default();
        let end = if plan.codec.facts().is_some() {
            PlanEnd::Told
        } else {
            let read = Read { planning, plan, place, pace: &pace };
            read.run(setup, start, &mut shard, &mut reading)?
        };
        planned.push((place, reading, end));
    }
    // Only now: rows of one feed tell the facts of another.
    let mut appended = appended.take();
    let feed = |(place, reading, end): (usize, Reading, PlanEnd)| {
        let state = &shard.feeds()[place];
        PlannedFeed {
            name: state.frame.feed.clone(),
            topic: state.frame.topic.clone(),
            contract: state.frame.contract,
            known: known[place],
            observations: reading.observations,
            rows: reading.rows,
            events: state.tally.changes(),
            dead: state.tally.dead_letters(),
            withheld: reading.withheld,
            first: std::mem::take(&mut appended[place]),
            end,
        }
    };
    Ok(planned.into_iter().map(feed).collect())
}

/// What was read of a feed.
#[derive(Default)]
struct Reading {
    observations: usize,
    rows: usize,
    withheld: Option<(usize, &'static str)>,
}

/// Reading one feed.
struct Read<'a> {
    planning: &'a Planning,
    plan: &'a FeedPlan,
    place: usize,
    pace: &'a Pace,
}

impl Read<'_> {
    fn run(
        &self,
        setup: &Setup,
        mut cursor: Option<Cursor>,
        shard: &mut Shard,
        reading: &mut Reading,
    ) -> Result<PlanEnd, BusFault> {
        let until = Instant::now() + self.planning.patience;
        let mut feed = match setup.connector.open(&self.plan.spec.name) {
            Ok(feed) => feed,
            Err(fault) => return Ok(PlanEnd::Failed(fault.to_string())),
        };
        let mut scopes = RecentScopes::default();
        let mut seen = Vec::new();
        loop {
            let next = timeout_at(until, feed.next(cursor.as_ref()));
            let observation = match Handle::current().block_on(next) {
                Err(_) => return Ok(PlanEnd::Silent),
                Ok(Err(fault)) => return Ok(PlanEnd::Failed(fault.to_string())),
                Ok(Ok(observation)) => observation,
            };
            reading.observations += 1;
            reading.rows += observation.rows.len();
            if observation.cursor.is_some() {
                cursor.clone_from(&observation.cursor);
            }
            let is_over = observation.coverage != Coverage::Incomplete;
            if is_over && !seen.contains(&observation.scope) {
                seen.push(observation.scope.clone());
            }
            let novelty = scopes.see(&observation.scope);
            let sighting = Sighting {
                feed: self.place,
                observation,
                after_fault: novelty.after_fault,
                after_gap: novelty.after_gap,
                follows: None,
                committed: None,
            };
            let summary = shard.would_publish(&sighting, self.pace)?;
            if let Some((entities, why)) = summary.withheld {
                let (before, _) = reading.withheld.unwrap_or_default();
                reading.withheld = Some((before + entities, why.reason()));
            }
            let reads_on = reads_on(feed.as_mut(), &seen);
            if is_over && !reads_on {
                return Ok(PlanEnd::Waits);
            }
            if is_over && feed.waits_for_commit()
                || reading.observations >= self.planning.observations
            {
                // Each further read may cost what is counted.
                return Ok(PlanEnd::ReadsOn);
            }
        }
    }
}

/// Whether a feed would read on at once, or has scopes that were not read yet.
fn reads_on(feed: &mut dyn Feed, seen: &[String]) -> bool {
    feed.due().is_some_and(|wait| wait.is_zero())
        || feed.follows().is_some_and(|scopes| scopes.iter().any(|scope| !seen.contains(scope)))
}
