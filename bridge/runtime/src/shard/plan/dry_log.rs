//! The log of a shard that is read back, and keeps what would be appended to it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::bus::{Append, Bus, BusFault, Place, Recovered, ShardLog, ShardSpec};

/// An event that would be published.
pub struct Planned {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
}

pub(super) struct DryLog {
    bus: Arc<dyn Bus>,
    spec: ShardSpec,
    most: usize,
    appended: Appended,
}

/// The first events of each topic.
#[derive(Clone)]
pub(super) struct Appended(Arc<Mutex<Vec<Vec<Planned>>>>);

impl Appended {
    pub(super) fn take(&self) -> Vec<Vec<Planned>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl DryLog {
    /// Keeps so many events of each topic at most.
    pub(super) fn new(bus: Arc<dyn Bus>, spec: ShardSpec, most: usize) -> (DryLog, Appended) {
        let empty = spec.topics.iter().map(|_| Vec::new()).collect();
        let appended = Appended(Arc::new(Mutex::new(empty)));
        (DryLog { bus, spec, most, appended: appended.clone() }, appended)
    }
}

impl ShardLog for DryLog {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        self.bus.read_back(&self.spec, each)
    }

    fn append(&mut self, record: &Append<'_>) -> Result<(), BusFault> {
        let mut appended = self.appended.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_topic = &mut appended[record.topic];
        if let Some(value) = record.value
            && of_topic.len() < self.most
        {
            of_topic.push(Planned { key: record.key.to_owned(), value: value.to_vec() });
        }
        Ok(())
    }

    fn commit(&mut self, _: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        Ok(())
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        Ok(())
    }
}
