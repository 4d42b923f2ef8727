//! Ids that the registry has given to this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For how long an id is believed. After an outage of the bus all connectors open again and again, and
/// ask the registry once; one that was lost meanwhile is noticed after so long.
const BELIEVED: Duration = Duration::from_secs(60);

/// The ids by subject. Who asks for one that another is asking for waits for that answer.
#[derive(Default)]
pub(super) struct Remembered(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Given>>>>>);

/// An id that was given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    text: u128,
    id: u32,
    since: Instant,
}

impl Given {
    pub(super) fn now(text: &str, id: u32) -> Given {
        Given { text: hash(text), id, since: Instant::now() }
    }

    /// The id, if it is that of this text and is believed still.
    pub(super) fn id_of(&self, text: &str) -> Option<u32> {
        let is_it = self.text == hash(text) && self.since.elapsed() < BELIEVED;
        is_it.then_some(self.id)
    }
}

impl Remembered {
    /// What is known of a subject.
    pub(super) fn of(&self, subject: &str) -> Arc<tokio::sync::Mutex<Option<Given>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(subject.to_owned()).or_default().clone()
    }
}

fn hash(text: &str) -> u128 {
    xxhash_rust::xxh3::xxh3_128(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_believed_for_its_text_and_for_a_while() {
        let given = Given::now("one", 7);
        assert_eq!((given.id_of("one"), given.id_of("two")), (Some(7), None));
        let before = Instant::now().checked_sub(BELIEVED).unwrap();
        assert_eq!(Given { since: before, ..given }.id_of("one"), None);
    }
}
