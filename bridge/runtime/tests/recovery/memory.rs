//! A bus in memory for the feeds of one connector: what stands on its topics can be changed from outside.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use talon_runtime::bus::{Append, Bus, BusFault, Grant, Place, Recovered, ShardLog, ShardSpec};

#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) id: Option<Vec<u8>>,
}

#[derive(Default)]
pub(crate) struct State {
    /// By the last part of their names.
    pub(crate) topics: BTreeMap<String, Vec<Record>>,
    pub(crate) checkpoints: BTreeMap<String, Vec<u8>>,
    /// The largest value that is taken, where there is a limit.
    pub(crate) largest: Option<usize>,
}

/// The bus. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

impl Memory {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn records(&self, feed: &str) -> Vec<Record> {
        self.state().topics.get(feed).cloned().unwrap_or_default()
    }
}

impl Bus for Memory {
    fn describe(&self) -> String {
        "memory".to_owned()
    }

    fn probe(&self) -> Result<String, BusFault> {
        Ok(String::new())
    }

    fn open(&self, spec: &ShardSpec, _: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        let name = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        let topics = spec.topics.iter().map(|topic| name(&topic.name)).collect();
        Ok(Box::new(Log { memory: self.clone(), topics, pending: Vec::new() }))
    }
}

struct Log {
    memory: Memory,
    topics: Vec<String>,
    pending: Vec<(String, Record)>,
}

impl ShardLog for Log {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        // Inside a future, as a bus does whose client is asynchronous.
        tokio::runtime::Handle::current().block_on(async {
            let state = self.memory.state();
            for (key, value) in &state.checkpoints {
                each(
                    Place::Checkpoints,
                    Recovered { key, value: Some(value), event_id: None, at_ms: 0 },
                )?;
            }
            // The last topic is that of the dead letters.
            for (place, topic) in self.topics[..self.topics.len() - 1].iter().enumerate() {
                for Record { key, value, id } in state.topics.get(topic).into_iter().flatten() {
                    let (value, event_id) = (value.as_deref(), id.as_deref());
                    each(Place::Topic(place), Recovered { key, value, event_id, at_ms: 0 })?;
                }
            }
            Ok(())
        })
    }

    fn append(&mut self, record: &Append<'_>) -> Result<(), BusFault> {
        let size = record.value.map_or(0, <[u8]>::len);
        let is_letter = record.topic == self.topics.len() - 1;
        if !is_letter && self.memory.state().largest.is_some_and(|largest| size > largest) {
            return Err(BusFault::TooLarge("an event".to_owned()));
        }
        let id = record.headers.iter().find(|(name, _)| *name == "talon-event-id");
        let record_of = Record {
            key: record.key.to_owned(),
            value: record.value.map(<[u8]>::to_vec),
            id: id.map(|(_, id)| id.to_vec()),
        };
        self.pending.push((self.topics[record.topic].clone(), record_of));
        Ok(())
    }

    fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        let mut state = self.memory.state();
        for (topic, record) in self.pending.drain(..) {
            state.topics.entry(topic).or_default().push(record);
        }
        state.checkpoints.extend(checkpoints.iter().cloned());
        Ok(())
    }

    fn ends(&self, topic: usize) -> Vec<u64> {
        vec![self.memory.records(&self.topics[topic]).len() as u64]
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        Ok(())
    }
}
