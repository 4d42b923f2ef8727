//! A bus in memory: transactions, fencing, and commits that fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use talon_runtime::bus::{Append, Bus, BusFault, Grant, Place, Recovered, ShardLog, ShardSpec};

#[derive(Clone, Default)]
pub(crate) struct MemoryBus(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    topics: BTreeMap<String, Vec<Record>>,
    checkpoints: BTreeMap<String, Vec<u8>>,
    owner: u64,
    commits: u64,
    fail_every: Option<u64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) id: Vec<u8>,
}

impl MemoryBus {
    pub(crate) fn records(&self, topic: &str) -> Vec<Record> {
        self.inner().topics.get(topic).cloned().unwrap_or_default()
    }

    /// Those from a place on; none where there are not so many.
    pub(crate) fn records_from(&self, topic: &str, place: usize) -> Option<Vec<Record>> {
        match self.inner().topics.get(topic) {
            Some(records) => records.get(place..).map(<[Record]>::to_vec),
            None => (place == 0).then(Vec::new),
        }
    }

    /// As retention does.
    pub(crate) fn let_go_of(&self, topic: &str) {
        self.inner().topics.remove(topic);
    }

    pub(crate) fn commits(&self) -> u64 {
        self.inner().commits
    }

    /// Every so many commits one fails; every other of those has taken place all the same.
    pub(crate) fn fail_every(&self, commits: Option<u64>) {
        self.inner().fail_every = commits;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

impl Bus for MemoryBus {
    fn describe(&self) -> String {
        "memory".to_owned()
    }

    fn probe(&self) -> Result<String, BusFault> {
        Ok(String::new())
    }

    fn open(&self, spec: &ShardSpec, _: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        let mut inner = self.inner();
        inner.owner += 1;
        let topics = spec.topics.iter().map(|topic| topic.name.clone()).collect();
        Ok(Box::new(Log { bus: self.clone(), owner: inner.owner, topics, pending: Vec::new() }))
    }
}

struct Log {
    bus: MemoryBus,
    owner: u64,
    topics: Vec<String>,
    pending: Vec<(usize, Record)>,
}

impl Log {
    fn owned(&self) -> Result<MutexGuard<'_, Inner>, BusFault> {
        let inner = self.bus.inner();
        if inner.owner == self.owner {
            Ok(inner)
        } else {
            Err(BusFault::Fenced("fenced".to_owned()))
        }
    }
}

impl ShardLog for Log {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        let inner = self.owned()?;
        // The last topic is that of the dead letters.
        for (place, topic) in self.topics[..self.topics.len() - 1].iter().enumerate() {
            for record in inner.topics.get(topic).into_iter().flatten() {
                let Record { key, value, id } = record;
                let (value, event_id) = (value.as_deref(), Some(id.as_slice()));
                each(Place::Topic(place), Recovered { key, value, event_id, at_ms: 0 })?;
            }
        }
        for (key, value) in &inner.checkpoints {
            each(
                Place::Checkpoints,
                Recovered { key, value: Some(value), event_id: None, at_ms: 0 },
            )?;
        }
        Ok(())
    }

    fn append(&mut self, record: &Append<'_>) -> Result<(), BusFault> {
        drop(self.owned()?);
        let id = record.headers.iter().find(|(name, _)| *name == "talon-event-id");
        let id = id.map_or(Vec::new(), |(_, id)| id.to_vec());
        let (key, value) = (record.key.to_owned(), record.value.map(<[u8]>::to_vec));
        self.pending.push((record.topic, Record { key, value, id }));
        Ok(())
    }

    fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        let pending = std::mem::take(&mut self.pending);
        let topics = self.topics.clone();
        let mut inner = self.owned()?;
        inner.commits += 1;
        let turn = inner
            .fail_every
            .and_then(|every| inner.commits.is_multiple_of(every).then(|| inner.commits / every));
        if turn.is_none_or(|turn| turn % 2 == 0) {
            for (topic, record) in pending {
                inner.topics.entry(topics[topic].clone()).or_default().push(record);
            }
            inner.checkpoints.extend(checkpoints.iter().cloned());
        }
        match turn {
            Some(_) => Err(BusFault::Aborted("the commit is unclear".to_owned())),
            None => Ok(()),
        }
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        self.owned().map(drop)
    }
}
