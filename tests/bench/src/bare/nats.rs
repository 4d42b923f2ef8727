//! NATS: every record with the sequence that it expects, so many on their way.

use std::collections::{HashMap, VecDeque};
use std::hint::black_box;

use anyhow::Context;
use async_nats::jetstream;
use async_nats::jetstream::consumer::{DeliverPolicy, pull::OrderedConfig};
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use futures_util::StreamExt;
use talon_contractor::contracts::CALL;
use tokio::runtime::Handle;

use super::event_id;

/// As many as Talon has by default.
const IN_FLIGHT: usize = 2_000;

pub(crate) struct Producer {
    runtime: Handle,
    jetstream: jetstream::Context,
    topic: String,
    headers: bool,
    sent: u32,
    /// Sequence of the last record of each key.
    sequences: HashMap<String, u64>,
    on_their_way: VecDeque<(String, PublishAckFuture)>,
}

fn connect(runtime: &Handle, servers: &str) -> anyhow::Result<jetstream::Context> {
    Ok(jetstream::new(runtime.block_on(async_nats::connect(servers))?))
}

impl Producer {
    pub(crate) fn new(servers: &str, topic: String, headers: bool) -> anyhow::Result<Producer> {
        let runtime = Handle::current();
        Ok(Producer {
            jetstream: connect(&runtime, servers)?,
            runtime,
            topic,
            headers,
            sent: 0,
            sequences: HashMap::new(),
            on_their_way: VecDeque::new(),
        })
    }

    fn wait(&mut self, at_most: usize) -> anyhow::Result<()> {
        while self.on_their_way.len() > at_most
            && let Some((key, ack)) = self.on_their_way.pop_front()
        {
            let ack = self.runtime.block_on(ack.into_future())?;
            self.sequences.insert(key, ack.sequence);
        }
        Ok(())
    }
}

impl super::Producer for Producer {
    fn begin(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn send(&mut self, key: &str, value: &[u8]) -> anyhow::Result<()> {
        let expected = self.sequences.get(key).copied().unwrap_or(0);
        let mut message = PublishMessage::build()
            .payload(Bytes::copy_from_slice(value))
            .expected_last_subject_sequence(expected);
        if self.headers {
            let id = event_id(self.sent);
            message = message
                .header("talon-schema", CALL.full_name())
                .header("talon-event-id", id.as_str())
                .message_id(id);
        }
        let subject = format!("{}.{key}", self.topic);
        let ack = self.runtime.block_on(self.jetstream.send_publish(subject, message))?;
        self.on_their_way.push_back((key.to_owned(), ack));
        self.sent += 1;
        if self.on_their_way.len() >= IN_FLIGHT {
            // Half, so that there is one wait for many.
            self.wait(IN_FLIGHT / 2)?;
        }
        Ok(())
    }

    fn commit(&mut self) -> anyhow::Result<()> {
        self.wait(0)
    }
}

/// Reads the last record of each subject below a topic.
pub(crate) fn read(servers: &str, topic: &str) -> anyhow::Result<usize> {
    let runtime = Handle::current();
    let jetstream = connect(&runtime, servers)?;
    runtime.block_on(async {
        let stream = jetstream.stream_by_subject(format!("{topic}.x")).await?;
        let stream = jetstream.get_stream(stream).await?;
        let config = OrderedConfig {
            deliver_policy: DeliverPolicy::LastPerSubject,
            filter_subject: format!("{topic}.>"),
            ..OrderedConfig::default()
        };
        let mut consumer = stream.create_consumer(config).await?;
        let mut pending = consumer.info().await?.num_pending;
        let mut messages = consumer.messages().await?;
        let mut read = 0;
        while pending > 0 {
            let message = messages.next().await.context("the stream goes on")??;
            black_box(&message.payload);
            pending = message.info().map_err(anyhow::Error::from_boxed)?.pending;
            read += 1;
        }
        Ok(read)
    })
}
