//! What surrounds the program: whoever is behind its output, signals, and odd places to run in.
//! Real processes, against a real NATS or Kafka and a simulated upstream.
#![allow(clippy::unwrap_used)]

mod descriptors;
mod hands;
mod output;
mod places;
mod rotation;
mod service;
mod signals;
mod slow;
#[path = "../support/mod.rs"]
mod support;
