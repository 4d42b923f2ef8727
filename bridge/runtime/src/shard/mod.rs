//! The feeds of a connector at work, from an observation to committed events.
//!
//! The way of one event, in the order of the modules: [`poll`] asks a feed for an observation;
//! [`serve`] takes it, [`diff`] compares it with the [`index`] of what was published, under the
//! [`guard`] against mass deletes, and [`facts`] tells what its rows tell besides; a [`list`] says what of
//! its scope is absent ([`scopes`]); [`publish`] makes records of the changes; the bus commits them in a
//! [`transaction`] together with the [`checkpoint`], or in parts where the [`pace`] says so. [`feeds`] opens all that, and [`state`] is what is
//! known of each feed. A feed that ends the shard again and again is [`set_aside`]. A [`plan`] tells what would be published.

mod change;
pub mod checkpoint;
pub mod diff;
pub mod facts;
pub(crate) mod feeds;
pub mod guard;
mod inbox;
pub mod index;
mod key;
mod list;
pub mod offsets;
mod pace;
pub mod plan;
mod poll;
mod publish;
mod recent_scopes;
mod scopes;
mod serve;
mod set_aside;
mod settled;
mod state;
mod transaction;

pub(crate) use feeds::Feeds;
pub use feeds::shard_spec;
pub(crate) use inbox::{Inlet, Request, Step};
pub use inbox::{MOST_REDRIVES, Ruling};
pub(crate) use pace::Pace;
pub(crate) use set_aside::SetAside;
pub use settled::{Places, Settled, Verdict};
