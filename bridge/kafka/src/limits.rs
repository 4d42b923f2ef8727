//! How large the records of a topic may be.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a record has besides its key, value and headers, at most: its own frame and that of its batch.
const FRAME: usize = 128;

/// What a header has besides its name and value.
const HEADER: usize = 12;

/// What a topic takes where nothing else is set (`max.message.bytes`): beyond it, the client must be told.
pub(crate) const USUAL: usize = 1_048_588;

/// The client's own limit of a batch, uncompressed.
const BATCH: usize = 1_000_000;

/// What is known of the topics of a cluster. A topic's limit counts for a batch, as compressed; here it
/// counts for a record, uncompressed, which is stricter and does not depend on what is in the record.
#[derive(Debug, Default)]
pub(crate) struct Limits(Mutex<HashMap<String, Limit>>);

#[derive(Debug, Default, Clone, Copy)]
struct Limit {
    /// As the topic says; none where that may not be seen.
    told: Option<usize>,
    /// The smallest record that the broker refused although it was alone in its batch.
    refused: Option<usize>,
    /// The broker refused a batch.
    alone: bool,
}

/// How a producer is to be made for some topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sizes {
    /// `message.max.bytes`, where it must be more than usual.
    pub(crate) record: Option<usize>,
    /// `batch.size`, where it must be less than usual.
    pub(crate) batch: Option<usize>,
    /// One record a batch.
    pub(crate) alone: bool,
}

impl Limits {
    fn known(&self) -> MutexGuard<'_, HashMap<String, Limit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the topic was asked.
    pub(crate) fn knows(&self, topic: &str) -> bool {
        self.known().contains_key(topic)
    }

    /// The topic was asked, and said so.
    pub(crate) fn learn(&self, topic: &str, told: Option<usize>) {
        let mut known = self.known();
        let limit = known.entry(topic.to_owned()).or_default();
        if told.is_some() && told != limit.told {
            *limit = Limit { told, ..Limit::default() };
        }
    }

    /// The broker refused a batch whose largest record is so large. A batch of one says what the topic
    /// takes; of many it says only that they were too many, and from then on they go one by one.
    pub(crate) fn refuse(&self, topic: &str, bytes: usize, was_alone: bool) {
        let mut known = self.known();
        let limit = known.entry(topic.to_owned()).or_default();
        if was_alone {
            limit.refused = Some(limit.refused.map_or(bytes, |known| known.min(bytes)));
        }
        limit.alone = true;
    }

    /// The most that a record of a topic may have, as [`size`] counts; none where it is not known.
    pub(crate) fn most(&self, topic: &str) -> Option<usize> {
        let limit = self.known().get(topic).copied()?;
        let refused = limit.refused.map(|bytes| bytes.saturating_sub(1));
        limit.told.into_iter().chain(refused).min()
    }

    /// How a producer for these topics is to be made.
    pub(crate) fn sizes<'t>(&self, topics: impl Iterator<Item = &'t str>) -> Sizes {
        let known = self.known();
        let limits: Vec<Limit> = topics.filter_map(|topic| known.get(topic).copied()).collect();
        let told = || limits.iter().filter_map(|limit| limit.told);
        Sizes {
            record: told().max().filter(|most| *most > USUAL),
            batch: told().min().filter(|least| *least < BATCH),
            alone: limits.iter().any(|limit| limit.alone),
        }
    }
}

/// How large a record is at most, by itself in a batch and uncompressed.
pub(crate) fn size<'h>(
    key: &[u8],
    value: Option<&[u8]>,
    headers: impl Iterator<Item = (&'h str, &'h [u8])>,
) -> usize {
    let headers: usize = headers.map(|(name, value)| HEADER + name.len() + value.len()).sum();
    FRAME + key.len() + value.map_or(0, <[u8]>::len) + headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn producers_fit_the_topics_that_they_write_to() {
        let limits = Limits::default();
        let sizes = |topics: &[&str]| limits.sizes(topics.iter().copied());
        assert_eq!(sizes(&["a", "b"]), Sizes::default());
        limits.learn("a", Some(USUAL));
        assert_eq!(sizes(&["a"]), Sizes::default());
        limits.learn("b", Some(10_000));
        limits.learn("c", Some(9_000_000));
        let expected = Sizes { record: Some(9_000_000), batch: Some(10_000), alone: false };
        assert_eq!(sizes(&["a", "b", "c"]), expected);
        assert_eq!(limits.most("b"), Some(10_000));
    }

    #[test]
    fn a_refused_batch_says_nothing_of_its_records_and_a_refused_record_does() {
        let limits = Limits::default();
        limits.learn("a", None);
        assert!(limits.knows("a"));
        limits.refuse("a", 700, false);
        assert_eq!((limits.most("a"), limits.sizes(["a"].into_iter()).alone), (None, true));
        limits.refuse("a", 9_000, true);
        limits.refuse("a", 12_000, true);
        assert_eq!(limits.most("a"), Some(8_999));
        // An operator who raises the limit is heard.
        limits.learn("a", Some(2_000_000));
        assert_eq!(limits.most("a"), Some(2_000_000));
        assert!(!limits.sizes(["a"].into_iter()).alone);
    }
}
