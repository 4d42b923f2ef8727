//! The producer of a shard or lane.

mod trouble;
mod writer;

pub(crate) use writer::{KafkaProducer, Outgoing, Transaction};
