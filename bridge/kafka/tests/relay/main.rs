//! Relays from Kafka to Kafka. Against a real broker.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod exactly_once;
mod mapping;
mod parts;
mod tasks;
mod topics;
