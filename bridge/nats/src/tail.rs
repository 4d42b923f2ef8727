//! Following topics as any consumer would, for the console of `talon dev`.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::OrderedConfig;
use futures_util::StreamExt;
use futures_util::stream::select_all;
use talon_runtime::bus::{BusFault, GiveUp, Start, Tailed};

use crate::connection::Connection;
use crate::names;

/// How often a stop is looked for while nothing comes.
const GLANCE: Duration = Duration::from_millis(100);

/// Reads the subjects of topics from their beginnings until told to stop.
pub(crate) async fn tail(
    connection: &Connection,
    prefix: &str,
    topics: &[String],
    _from: Start,
    stop: &GiveUp,
    each: &mut dyn FnMut(Tailed<'_>),
) -> Result<(), BusFault> {
    let mut streams: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for topic in topics {
        let rest = topic.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
        if let Some((connector, _)) = rest.and_then(|rest| rest.split_once('.')) {
            streams.entry(names::stream(prefix, connector)).or_default().push(format!("{topic}.>"));
        }
    }
    let mut messages = Vec::new();
    for (name, filter_subjects) in streams {
        let stream = loop {
            match connection.jetstream.get_stream(&name).await {
                Ok(stream) => break stream,
                // It is created by the connector, which may not have come to it yet.
                Err(_) if !stop.is_set() => tokio::time::sleep(GLANCE).await,
                Err(_) => return Ok(()),
            }
        };
        let config = OrderedConfig { filter_subjects, ..OrderedConfig::default() };
        let consumer = stream.create_consumer(config).await.map_err(|error| lost(&error))?;
        messages.push(consumer.messages().await.map_err(|error| lost(&error))?);
    }
    let mut messages = select_all(messages);
    while !stop.is_set() {
        let Ok(Some(message)) = tokio::time::timeout(GLANCE, messages.next()).await else {
            continue;
        };
        let message = message.map_err(|error| lost(&error))?;
        let Some((topic, token)) = message.subject.rsplit_once('.') else { continue };
        let Some(key) = names::key(token) else { continue };
        let value = (!message.payload.is_empty()).then_some(&message.payload[..]);
        each(Tailed { topic, key: &key, value });
    }
    Ok(())
}

fn lost(error: &impl std::fmt::Display) -> BusFault {
    BusFault::Unavailable(format!("NATS: the streams cannot be read: {error}"))
}
