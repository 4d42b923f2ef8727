//! The feeds of a connector at work, from an observation to committed events.
//!
//! The way of one event, in the order of the modules: [`poll`] asks a feed for an observation;
//! [`serve`] takes it, [`diff`] compares it with the [`index`] of what was published, under the
//! [`guard`] against mass deletes, and [`facts`] tells what its rows tell besides; [`publish`] makes
//! records of the changes; the bus commits them together with the [`checkpoint`]. [`feeds`] opens all
//! that, and [`state`] is what is known of each feed.

pub mod checkpoint;
pub mod diff;
pub mod facts;
pub(crate) mod feeds;
pub mod guard;
pub mod index;
mod list;
mod poll;
mod publish;
mod serve;
mod state;

pub(crate) use feeds::Feeds;
pub use feeds::shard_spec;
