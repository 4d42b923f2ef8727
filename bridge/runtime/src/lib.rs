//! From observations to events, on any bus.
//!
//! The way of one event, in the order of the modules: [`poll`] asks a feed for an observation;
//! [`shard`] takes it, [`diff`] compares it with the [`index`] of what was published, under the
//! [`guard`] against mass deletes, and [`facts`] tells what its rows tell besides; [`publish`] makes
//! records of the changes; the [`bus`] commits them together with the [`checkpoint`]. [`supervise`]
//! starts all that, [`tenure`] where [`ownership`] lets it, and again after every failure; [`engine`]
//! is all connectors of a process; [`board`] and [`metrics`] show it.
//!
//! The way of one command is in [`commands`].
//!
//! Names no connector and no broker client.
#![forbid(unsafe_code)]
// The modules above are private where nobody outside needs them.
#![allow(rustdoc::private_intra_doc_links)]

mod backoff;
pub mod board;
pub mod bus;
pub mod checkpoint;
pub mod commands;
pub mod diff;
pub mod engine;
pub mod facts;
pub mod guard;
pub mod index;
pub mod lane;
mod list;
pub mod metrics;
pub mod options;
pub mod ownership;
mod poll;
mod publish;
pub mod registry;
mod shard;
mod state;
mod supervise;
mod tenure;

pub use commands::lane_spec;
pub use engine::{Engine, Parts};
pub use supervise::{Setup, shard_spec, topic};
