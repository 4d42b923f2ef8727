//! Relays: records of one bus, carried to another, as they are.
//!
//! A [`Source`] reads, a [`Sink`] writes; they know nothing of each other, so that each pair of buses works:
//! Kafka to NATS, NATS to Kafka, and each to its own kind. What passes between them is a [`Record`], which holds
//! everything that any bus knows of one. [`mapping`] says where a record goes, and how a record of Kafka is
//! written as a message of NATS and read back unchanged.
//!
//! # Exactly once
//!
//! The position of each part (a partition, or a stream) is kept on the target, and becomes readable with the
//! records that it covers, never before and never after. Who opens a task of a relay first fences earlier owners,
//! then reads the positions back, and only then reads the source. Nothing is kept at the source or in the process.
//!
//! - **To Kafka**: records and positions are one transaction. A position is a record in the compacted topic
//!   `{prefix}.relays`, keyed `{relay}/{topic}/{partition}`. Not an offset of a consumer group: the broker takes
//!   offsets of topics only that it has, and the source is often another cluster or a stream; and it forgets
//!   those of a group without members after `offsets.retention.minutes`, so a relay that was paused for a week
//!   would begin anew and double everything. A record in a compacted topic stays, takes part in the transaction
//!   like any other, and everybody can read it. The `transactional.id` is `{prefix}.relay.{relay}.{task}`:
//!   initialising it aborts what an earlier owner left open and fences it, after which the topic is read to its
//!   end.
//! - **To NATS, 2.12 or later, a stream with `allow_atomic`**: records and the position are one atomic batch. The
//!   position is the last message of a subject of its own in the same stream, and expects the sequence of the one
//!   before: that is the fence, since a new owner writes it once before it reads anything.
//! - **To NATS otherwise**: each record says where it comes from (header `Talon-Relay-From`), and expects the record
//!   before it to be the last one of the stream (`Nats-Expected-Last-Msg-Id`); the first one expects the sequence of
//!   the owner's own position record. So nothing is stored behind a record that is lost, nor behind the fence: a new
//!   owner writes the position record anew, then reads the stream between the one before and its own.
//!
//! # Order
//!
//! A task reads its parts in order and writes them in order. A part belongs to one task
//! ([`Part::task`]), so no other can be ahead of it. Where the number of tasks is changed, those of the number before
//! are fenced first ([`Tasks`]).
//!
//! # What is deliberately absent
//!
//! Transformations of values, but for the form in which they stand ([`Values`]); a memory of ids (a window of duplicates is shorter than an outage); a commit at the
//! source.

mod converted;
mod hops;
pub mod mapping;
mod pattern;
mod pause;
mod record;
mod service;
mod sink;
mod source;
mod spec;
mod status;
mod task;
mod tasks;
mod value;
mod view;

pub use converted::{CONTENT_TYPE, Converted, Form};
pub use hops::Hops;
pub use pattern::Pattern;
pub use pause::{Pause, Seen};
pub use record::{Header, Key, Origin, Part, Position, Record};
pub use service::Relay;
pub(crate) use service::RelayTask;
pub use sink::{Address, Resume, Sink};
pub use source::{Begin, From, Lag, Read, Source};
pub use spec::{RelayBus, Selection, SinkSpec, SourceSpec};
pub use status::{Status, Tally};
pub use task::{Echoes, OnError, Plan, Task};
pub use tasks::{Agreed, Tasks};
pub use value::{Converter, Unconverted, Values};
pub use view::RelayRow;
pub(crate) use view::RelayView;
