//! The feeds: what each reads, how often, and how its rows read.

pub(crate) mod book;
pub(crate) mod codec;
mod level;
pub(crate) mod operation_state;
pub(crate) mod queue;
pub(crate) mod server_info;
mod specs;
pub(crate) mod unended;

use talon_sdk::{Coverage, Observation, Rows};

pub(crate) use self::specs::all;
use crate::session::Live;

/// The scope of an observation whose rows are messages that could not be read: every one of them is a
/// dead letter, whatever it looks like.
pub(crate) const UNREADABLE: &str = "unreadable message";

/// A message that could not be read, as an observation.
pub(crate) fn stray(live: &Live, as_of_ms: i64) -> Option<Observation> {
    let rows = Rows::of_one(live.stray()?);
    Some(Observation {
        scope: UNREADABLE.to_owned(),
        coverage: Coverage::Incomplete,
        rows,
        cursor: None,
        snapshot: false,
        as_of_ms,
    })
}
