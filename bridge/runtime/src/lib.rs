//! From observations to events, on any bus.
//!
//! [`bus`] is what is asked of Kafka or NATS. A [`service`] is what runs while the bus grants its shard:
//! the feeds of a connector ([`shard`]: from an observation to events), or its [`commands`] (from a
//! command to its outcome). A [`relay`] carries records from one bus to another. The [`engine`] is all
//! connectors of a process.
//!
//! Names no connector and no broker client.
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]
// The modules above are private where nobody outside needs them.
#![allow(rustdoc::private_intra_doc_links)]

pub mod bus;
pub mod commands;
pub mod engine;
pub mod relay;
pub mod service;
pub mod shard;

pub use commands::lane_spec;
pub use engine::{Engine, Parts};
pub use service::setup::{Setup, topic};
pub use service::{health, metrics, options, registry};
pub use shard::{MOST_REDRIVES, Places, Ruling, Settled, Verdict};
pub use shard::{checkpoint, diff, facts, guard, index, offsets, plan, shard_spec};
