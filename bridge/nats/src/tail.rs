//! Following topics as any consumer would.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use futures_util::StreamExt;
use futures_util::stream::select_all;
use talon_runtime::bus::{BusFault, Start, Stop, Tailed};

use crate::connection::Connection;
use crate::names;
use crate::read::time_of;

/// How often a stop is looked for while nothing comes.
const POLL: Duration = Duration::from_millis(100);

/// Reads the subjects of topics until told to stop.
pub(crate) async fn tail(
    connection: &Connection,
    prefix: &str,
    topics: &[String],
    from: Start,
    stop: &Stop,
    each: &mut dyn FnMut(Tailed<'_>),
) -> Result<(), BusFault> {
    let mut streams: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for topic in topics {
        let Some((stream, subject)) = names::place(prefix, topic) else { continue };
        streams.entry(stream).or_default().push(subject);
    }
    let deliver_policy = match from {
        Start::Beginning => DeliverPolicy::All,
        Start::Time(ms) => DeliverPolicy::ByStartTime { start_time: time_of(ms).into() },
    };
    let mut messages = Vec::new();
    for (name, filter_subjects) in streams {
        let stream = loop {
            match connection.jetstream.get_stream(&name).await {
                Ok(stream) => break stream,
                // It is created by the connector, which may not have come to it yet.
                Err(_) if !stop.is_set() => tokio::time::sleep(POLL).await,
                Err(_) => return Ok(()),
            }
        };
        let config = OrderedConfig { filter_subjects, deliver_policy, ..OrderedConfig::default() };
        let consumer =
            stream.create_consumer(config).await.map_err(|error| lost(connection, &error))?;
        messages.push(consumer.messages().await.map_err(|error| lost(connection, &error))?);
    }
    let mut messages = select_all(messages);
    while !stop.is_set() {
        let Ok(Some(message)) = tokio::time::timeout(POLL, messages.next()).await else {
            continue;
        };
        let message = message.map_err(|error| lost(connection, &error))?;
        // Dead letters are all on one subject.
        let in_header = message.headers.as_ref().and_then(|headers| headers.get("talon-key"));
        let (topic, token) = match (in_header, message.subject.rsplit_once('.')) {
            (Some(key), _) => (message.subject.as_str(), key.as_str()),
            (None, Some(split)) => split,
            (None, None) => continue,
        };
        let Some(key) = names::key(token) else { continue };
        let value = (!message.payload.is_empty()).then_some(&message.payload[..]);
        each(Tailed { topic, key: &key, value });
    }
    Ok(())
}

fn lost(connection: &Connection, error: &impl std::fmt::Display) -> BusFault {
    let fault = BusFault::Unavailable(format!("NATS: the streams cannot be read: {error}"));
    connection.status.explain(fault)
}
