//! Commands: topics in, exactly one outcome out.
//!
//! The way of one command, in the order of the modules: the bus's [reader](crate::bus::LaneReader)
//! gives a record of the topic; [`intake`] makes a command of it, or puts it to the dead letters, once the
//! registry has given its schema ([`aside`]); [`scheduler`] gives it its turn behind others with its ordering key, unless the [`ledger`] knows its id; [`attempt`] runs
//! it; [`writer`] makes its intent and its outcome durable, as [`record`]s of the results topic, and
//! with the outcome that it has been read.
//!
//! A lane belongs to its connector's shard, so all commands of a connector run in one process. It is
//! recovered, fenced and reopened on its own: trouble with the feeds does not touch it.
//!
//! What keeps a command from being applied twice is written at the head of [`attempt`]; what keeps one
//! from being lost: its record counts as read only in the commit that has its outcome.

mod aside;
mod attempt;
mod budgets;
mod duplicate;
mod held;
mod intake;
pub(crate) mod lane;
mod ledger;
mod metrics;
mod record;
mod scheduler;
mod unsent;
mod writer;

pub use intake::{CommandReader, Intake, json_text};
pub(crate) use lane::Lane;
pub use lane::lane_spec;
pub use metrics::{LaneMetrics, LaneStatus};
pub use record::{Outcome, ResultRecord};
