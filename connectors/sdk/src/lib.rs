//! What a connector author needs, and nothing of the runtime or of a broker.
//!
//! A connector says *what it saw* ([`Feed`] gives [`Observation`]s) and *how its rows read*
//! ([`RowCodec`]), and how one thing is done and read back ([`Applier`]). The runtime owns scheduling, diffing, retry, publication, metrics and shutdown.
//! Sleeping, retrying and spawning are therefore no business of a connector.
//!
//! | Word | Meaning |
//! | --- | --- |
//! | upstream | the external system |
//! | connector | the code for one upstream system ([`Class`]), and a configured instance of it ([`Connector`]) |
//! | feed | one resource of one connector, read in one way ([`FeedSpec`], [`Feed`]) |
//! | scope | the part of a feed that one read covers |
//! | observation | what one read or push saw ([`Observation`]) |
//! | cursor | where the upstream was read to ([`Cursor`]) |
//! | command, evidence, answer | something to do upstream ([`Command`]), what was seen before ([`Evidence`]), what the upstream said ([`Answer`]) |
//! | permit | leave to change the upstream, asked right before the first byte leaves ([`Permit`]) |
//! | fault | why something failed, one of four ([`Fault`]) |
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

// What `derive(Record)` makes names it, in this crate too.
extern crate self as talon_sdk;

pub mod action;
mod answer;
mod brackets;
mod clock;
mod command;
pub mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod connector;
pub mod entity;
mod fault;
mod feed;
pub mod feeds;
mod files;
pub mod instant;
mod member;
mod metrics;
mod observation;
mod permit;
pub mod privacy;
mod progress;
pub mod quota;
mod received;
pub mod record;
pub mod rows;
pub mod spelling;
pub mod split;
mod text;

pub use answer::{Answer, ApplyFault, Evidence, Finding};
pub use clock::Clock;
pub use command::{Applier, Command, CommandSpec, Commands, OrderingKey, Repeat};
pub use connector::{Class, Connector, Context, FeedPlan};
pub use fault::Fault;
pub use feed::{FactCodec, Facts, Feed, FeedSpec, Kind, Row, RowCodec, RowFault};
pub use files::unreadable;
pub use metrics::UpstreamMetrics;
pub use observation::{Coverage, Cursor, Observation};
pub use permit::Permit;
pub use progress::{Backfills, Progress, Standing};
pub use quota::{Left, Quotas};
pub use received::{Form, NoAnswer, Received};
pub use rows::Rows;
// Macros of this crate name it.
#[doc(hidden)]
pub use serde;
#[doc(hidden)]
pub use serde_json;
