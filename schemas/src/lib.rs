//! The contract with consumers: the Avro schemas of every feed, and how events are encoded.
//!
//! A feed's schema file (`contractor/call.avsc`) describes one entity; its connector declares it ([`contracts!`]).
//! [`Contract`] wraps it into the Debezium-style envelope, encodes entities and envelopes, and takes
//! envelopes apart again without decoding them: recovery reads millions of them.
//! [`command`] has the schemas of what is put on a connector's topic of commands, and checks it;
//! [`result`] what became of them.
//! [`wire`] puts a datum into the Confluent wire format, Avro single-object encoding, or JSON.
//!
//! Three properties on a field of a schema file mean something to Talon:
//! `talon.pii` marks personal data, which configuration can mask,
//! `talon.json` marks a field whose texts are JSON and have its [`canonical`] spelling, and
//! `talon.volatile` marks a field whose change alone is no change of the entity.
//! Volatile fields stand last in their record, so that comparing a prefix of the encoded bytes
//! leaves them out.
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod canonical;
pub mod command;
pub mod compatibility;
mod contract;
pub mod datum;
mod declare;
mod envelope;
mod error;
mod instants;
mod json;
mod message;
pub mod plan;
mod references;
mod released;
pub mod result;
pub mod wire;
mod writer;

pub use canonical::datum::Content;
pub use contract::Contract;
pub use datum::{Datum, Malformed};
pub use envelope::{Envelope, Op, Parts, Source};
pub use error::SchemaError;
pub use instants::Instants;
pub use message::Message;
pub use writer::Writer;
