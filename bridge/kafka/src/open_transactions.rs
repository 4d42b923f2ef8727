//! Transactions of others that stay open on the topic of commands, such as that of a sender that died: what
//! stands behind them cannot be read until the sender commits, or the broker gives up on it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use rdkafka::consumer::BaseConsumer;
use rdkafka::topic_partition_list::Offset;
use talon_runtime::bus::BusFault;

use crate::patience::LOOK;
use crate::reader::{offsets, partitions};

/// Where partitions could be read to, of those that have more, by topic; as it was at the last look.
#[derive(Debug, Default)]
pub(crate) struct OpenTransactions(Mutex<HashMap<String, BTreeMap<i32, i64>>>);

/// Consumers that only ask: one to which a partition ends at the first open transaction, and one to which it
/// does not.
pub(crate) struct Askers {
    pub(crate) committed: BaseConsumer,
    pub(crate) all: BaseConsumer,
}

impl OpenTransactions {
    /// The partitions of topics that are held up now where they were held up at the last look, each a
    /// sentence, by topic.
    pub(crate) fn look<'t>(
        &self,
        askers: &Askers,
        topics: &[&'t str],
    ) -> Result<HashMap<&'t str, Vec<String>>, BusFault> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = HashMap::new();
        for (topic, now) in askers.held_up(topics)? {
            let before = known.insert(topic.to_owned(), now.clone()).unwrap_or_default();
            found.insert(topic, told(&before, &now, topic));
        }
        Ok(found)
    }
}

impl Askers {
    /// Partitions that have records behind the last one that can be read, and where that ends.
    fn held_up<'t>(
        &self,
        topics: &[&'t str],
    ) -> Result<HashMap<&'t str, BTreeMap<i32, i64>>, BusFault> {
        let mut found: HashMap<&'t str, BTreeMap<i32, i64>> = HashMap::new();
        let mut places = Vec::new();
        for topic in topics {
            // Each by itself: a topic that is not there holds nothing up, and hides no other.
            if let Ok(count) = partitions(&self.all, &[topic], LOOK) {
                found.entry(topic).or_default();
                places.extend((0..count[0]).map(|partition| (*topic, partition)));
            }
        }
        // In this order, what is committed between the two is held up now and not at the next look.
        let stable = offsets(&self.committed, &places, Offset::End, LOOK)?;
        let ends = offsets(&self.all, &places, Offset::End, LOOK)?;
        for ((topic, partition), (at, end)) in places.into_iter().zip(stable.into_iter().zip(ends))
        {
            if at < end {
                found.entry(topic).or_default().insert(partition, at);
            }
        }
        Ok(found)
    }
}

fn told(before: &BTreeMap<i32, i64>, now: &BTreeMap<i32, i64>, topic: &str) -> Vec<String> {
    let stays = now.iter().filter(|(partition, at)| before.get(partition) == Some(at));
    stays
        .map(|(partition, offset)| {
            format!(
                "topic `{topic}`: a transaction of a sender has been open at offset {offset} of partition {partition} since the last look; commands behind it wait until the sender commits it or the broker aborts it (`transaction.timeout.ms` of the sender); `kafka-transactions find-hanging` finds one that hangs"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_partition_that_stands_where_it_stood_is_told() {
        let before = BTreeMap::from([(0, 5), (1, 7)]);
        let now = BTreeMap::from([(0, 6), (1, 7), (2, 0)]);
        let told = told(&before, &now, "t.commands");
        assert!(told.len() == 1 && told[0].contains("offset 7 of partition 1"), "{told:?}");
    }
}
