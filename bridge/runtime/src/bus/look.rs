//! A bounded look at a topic, for people.
//!
//! It joins no group, commits nothing and follows nothing, so no shard notices it. What it costs is bounded by what
//! the caller says: where the bounds end it early, [`Looked::is_complete`] says so, and what was found is the newest.

use std::time::{Duration, Instant};

use super::lane::Position;

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Look {
    /// Full name of the topic.
    pub topic: String,
    /// Which of its records.
    pub which: Which,
    /// Most records that are given.
    pub most: usize,
    /// About as many records are read at most.
    pub records: u64,
    /// Bytes of values that are read at most, in one go.
    pub bytes: usize,
    /// When it ends, whatever was found.
    pub until: Instant,
}

/// Which records of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The newest.
    Newest,
    /// The newest with this key.
    OfKey(String),
    /// The one that stands there.
    At(Position),
}

impl Look {
    /// A look that is cheap enough for a page: at most 200,000 records, 32 MiB and four seconds.
    pub fn new(topic: impl Into<String>, which: Which, most: usize) -> Look {
        let until = Instant::now() + Duration::from_secs(4);
        Look { topic: topic.into(), which, most, records: 200_000, bytes: 32 << 20, until }
    }

    /// The time that is left.
    pub fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// The newest first.
    pub records: Vec<Found>,
    /// False where the bus has no such topic.
    pub is_there: bool,
    /// Everything that could be among the records was read, or there are more than were asked for.
    pub is_complete: bool,
    /// How many records were read.
    pub read: u64,
}

/// A record that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its key; none where it has none, or one that is no text.
    pub key: Option<String>,
    /// Its value; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// When the bus took it, milliseconds since 1970 UTC; 0 where that is not known.
    pub at_ms: i64,
    /// Where it stands.
    pub position: Position,
    /// The same in the words of the bus.
    pub stands: String,
}

impl Looked {
    /// Puts the records in order and leaves out the oldest that are too many.
    pub fn newest_first(mut self, most: usize) -> Looked {
        let one_part = self.records.windows(2).all(|two| {
            let [one, other] = two else { return true };
            one.position.partition == other.position.partition
        });
        // Clocks of writers differ; inside of a partition the order is that of the offsets.
        self.records.sort_by_key(|found| {
            let at_ms = if one_part { 0 } else { found.at_ms };
            std::cmp::Reverse((at_ms, found.position.partition, found.position.offset))
        });
        self.records.truncate(most);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(partition: i32, offset: i64, at_ms: i64) -> Found {
        Found {
            key: None,
            value: None,
            headers: Vec::new(),
            at_ms,
            position: Position { partition, offset },
            stands: String::new(),
        }
    }

    fn order(records: Vec<Found>) -> Vec<(i32, i64)> {
        let looked = Looked { records, ..Looked::default() }.newest_first(3);
        looked.records.iter().map(|f| (f.position.partition, f.position.offset)).collect()
    }

    #[test]
    fn records_of_one_partition_are_in_the_order_of_their_offsets_whatever_their_times() {
        assert_eq!(
            order(vec![found(2, 7, 90), found(2, 9, 10), found(2, 8, 50)]),
            [(2, 9), (2, 8), (2, 7)]
        );
    }

    #[test]
    fn records_of_several_partitions_are_in_the_order_of_their_times_and_the_oldest_are_left_out() {
        let records = vec![found(0, 1, 10), found(1, 1, 40), found(0, 2, 30), found(1, 0, 20)];
        assert_eq!(order(records), [(1, 1), (0, 2), (1, 0)]);
    }
}
