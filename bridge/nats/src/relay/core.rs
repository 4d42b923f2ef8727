//! Subjects of core NATS, which no stream keeps: at most once.
//!
//! What is published while nobody listens, or faster than it is taken, is gone. Positions only count what was
//! read; they are of this opening, and mean nothing to the next one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_nats::{Message, Subscriber};
use futures_util::stream::{SelectAll, select_all};
use futures_util::{FutureExt, StreamExt};
use talon_runtime::bus::{BusFault, Grant};
use talon_runtime::relay::mapping::{Stored, read_message};
use talon_runtime::relay::{From, Lag, Part, Position, Read, Record, Source};
use tokio::runtime::Handle;
use tokio::time::timeout_at;

use super::place;
use crate::connection::Connection;

/// Reads subjects.
pub(super) struct CoreSource {
    runtime: Handle,
    connection: Connection,
    grant: Grant,
    subjects: Vec<String>,
    part: Part,
    bus: String,
    messages: SelectAll<Subscriber>,
    position: Position,
}

impl CoreSource {
    pub(super) fn open(connection: Connection, subjects: &[String], grant: Grant) -> CoreSource {
        let server = connection.client.server_info();
        let name = server.cluster.unwrap_or(server.server_id);
        CoreSource {
            runtime: Handle::current(),
            connection,
            grant,
            subjects: subjects.to_vec(),
            part: Part::new(&subjects.join(","), 0),
            bus: format!("nats:core@{name}"),
            messages: SelectAll::new(),
            position: Position::default(),
        }
    }

    fn unavailable(&self, why: &dyn std::fmt::Display) -> BusFault {
        let fault = BusFault::Unavailable(format!("NATS: reading `{}`: {why}", self.part.of));
        self.connection.status.explain(fault)
    }

    /// The record of a message; none for one with positions.
    fn record(&mut self, message: Message) -> Option<Record> {
        let headers = message.headers.unwrap_or_default();
        if headers.get(place::POSITION).is_some() {
            return None;
        }
        self.position.next += 1;
        Some(read_message(Stored {
            part: self.part.clone(),
            position: self.position,
            subject: message.subject.into_string(),
            headers: super::pairs(&headers),
            payload: message.payload,
            taken_ms: super::now_ms(),
        }))
    }
}

impl Source for CoreSource {
    fn bus(&self) -> &str {
        &self.bus
    }

    fn parts(&mut self) -> Result<Vec<Part>, BusFault> {
        Ok(vec![self.part.clone()])
    }

    fn assign(&mut self, from: &[(Part, From)]) -> Result<Vec<(Part, Position)>, BusFault> {
        if !from.iter().any(|(part, _)| *part == self.part) {
            return Ok(Vec::new());
        }
        self.grant.may_begin()?;
        let client = &self.connection.client;
        let subscribed = self.runtime.block_on(async {
            let mut all = Vec::with_capacity(self.subjects.len());
            for subject in &self.subjects {
                all.push(client.subscribe(subject.clone()).await.map_err(|e| e.to_string())?);
            }
            // So that what is published from now on is seen.
            client.flush().await.map_err(|error| error.to_string())?;
            Ok(select_all(all))
        });
        self.messages = subscribed.map_err(|error: String| self.unavailable(&error))?;
        let of = u64::try_from(super::now_ms()).unwrap_or_default();
        self.position = Position { next: 0, of };
        Ok(vec![(self.part.clone(), self.position)])
    }

    fn drop_parts(&mut self, parts: &[Part]) -> Result<(), BusFault> {
        if parts.contains(&self.part) {
            self.messages = SelectAll::new();
        }
        Ok(())
    }

    fn read(&mut self, records: usize, bytes: usize, patience: Duration) -> Result<Read, BusFault> {
        let until = Instant::now() + patience;
        let (mut read, mut size) = (Read::default(), 0);
        if self.messages.is_empty() {
            self.runtime.block_on(tokio::time::sleep_until(until.into()));
        }
        while read.records.len() < records && size < bytes {
            let message = match self.messages.next().now_or_never() {
                Some(message) => message,
                None if !read.records.is_empty() => break,
                None => {
                    let next = self.messages.next();
                    let next =
                        self.runtime.block_on(async { timeout_at(until.into(), next).await });
                    let Ok(message) = next else { break };
                    message
                }
            };
            let Some(message) = message else { break };
            if let Some(record) = self.record(message) {
                size += record.size();
                read.records.push(record);
            }
        }
        Ok(read)
    }

    /// What waits cannot be known.
    fn lag(&mut self) -> Result<BTreeMap<Part, Lag>, BusFault> {
        Ok(BTreeMap::from([(self.part.clone(), Lag::default())]))
    }
}
