//! Transactions of others that stay open on the topic of commands, such as that of a sender that died: what
//! stands behind them cannot be read until the sender commits, or the broker gives up on it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use rdkafka::consumer::BaseConsumer;
use rdkafka::topic_partition_list::Offset;
use talon_runtime::bus::BusFault;

use crate::client::refused;
use crate::cluster::Cluster;
use crate::patience::LOOK;
use crate::reader::{offsets, partitions};

/// Where partitions could be read to, of those that have more, by topic; as it was at the last look.
#[derive(Debug, Default)]
pub(crate) struct OpenTransactions(Mutex<HashMap<String, BTreeMap<i32, i64>>>);

impl OpenTransactions {
    /// The partitions of a topic that are held up now where they were held up at the last look, each a
    /// sentence.
    pub(crate) fn look(&self, cluster: &Cluster, topic: &str) -> Result<Vec<String>, BusFault> {
        let now = held_up(cluster, topic)?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.insert(topic.to_owned(), now.clone()).unwrap_or_default();
        Ok(told(&before, &now, topic))
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

/// Partitions that have records behind the last one that can be read, and where that ends.
fn held_up(cluster: &Cluster, topic: &str) -> Result<BTreeMap<i32, i64>, BusFault> {
    let client = |isolation: &str| -> Result<BaseConsumer, BusFault> {
        let mut config = cluster.config();
        config.set("isolation.level", isolation);
        config.create().map_err(|error| refused(&config, &error))
    };
    let (committed, all) = (client("read_committed")?, client("read_uncommitted")?);
    let count = partitions(&all, &[topic], LOOK)?[0];
    let places: Vec<(&str, i32)> = (0..count).map(|partition| (topic, partition)).collect();
    // In this order, what is committed between the two is held up now and not at the next look.
    let stable = offsets(&committed, &places, Offset::End, LOOK)?;
    let ends = offsets(&all, &places, Offset::End, LOOK)?;
    let each = (0..count).zip(stable.into_iter().zip(ends));
    Ok(each.filter(|(_, (at, end))| at < end).map(|(number, (at, _))| (number, at)).collect())
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
