//! Which partition of `{prefix}.shards` a shard belongs to.

use talon_runtime::bus::{Purpose, TopicSpec};

/// Partitions of the topic: the most shards of a group that surely run in different processes.
pub(crate) const PARTITIONS: u32 = 32;

/// The topic of a prefix.
pub(crate) fn topic(prefix: &str, replication: u16) -> TopicSpec {
    TopicSpec {
        name: format!("{prefix}.shards"),
        purpose: Purpose::Shards,
        partitions: PARTITIONS,
        replication,
        keep_ms: 0,
        record_bytes: None,
    }
}

/// The partition that a shard belongs to. The same in every version: processes of different versions
/// share a group during an upgrade.
///
/// The tasks of a relay (`relay/{name}/{task}`) lie as far apart as can be, and no two share a partition while there
/// are no more of them: the group gives a process runs of partitions, or every third one, and both have an even share
/// of the tasks then.
pub(crate) fn partition(shard: &str) -> i32 {
    let task = shard.strip_prefix("relay/").and_then(|rest| rest.rsplit_once('/'));
    let (name, number) = match task.and_then(|(_, task)| task.parse::<u64>().ok()) {
        Some(number) => (&shard[..shard.rfind('/').unwrap_or(shard.len())], number),
        None => (shard, 0),
    };
    // FNV-1a, because it is short and will not change.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash.wrapping_add(apart(number)) % u64::from(PARTITIONS)) as i32
}

/// The digits of a number in reverse, base two, within the partitions: 0, 16, 8, 24, 4, …
fn apart(number: u64) -> u64 {
    const DIGITS: u32 = PARTITIONS.trailing_zeros();
    (number % u64::from(PARTITIONS)).reverse_bits() >> (u64::BITS - DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_belongs_to_the_same_partition_in_every_version() {
        assert_eq!(["field-service", "a", ""].map(partition), [partition("field-service"), 12, 5]);
        assert!(
            ["x", "y", "z"].iter().all(|name| (0..PARTITIONS as i32).contains(&partition(name)))
        );
    }

    #[test]
    fn no_two_tasks_of_a_relay_share_a_partition() {
        let tasks = (0..PARTITIONS).map(|task| partition(&format!("relay/to-edge/{task}")));
        let all: std::collections::BTreeSet<i32> = tasks.collect();
        assert_eq!(all.len(), PARTITIONS as usize);
    }

    #[test]
    fn tasks_are_shared_evenly_whether_a_process_has_a_run_of_partitions_or_every_third_one() {
        // As the group gives 32 partitions to three processes.
        let run = |partition: i32| (partition >= 11) as usize + (partition >= 22) as usize;
        let every_third = |partition: i32| partition as usize % 3;
        for name in ["to-edge", "from-edge", "calls", "a", "b", "c"] {
            for tasks in 1..=PARTITIONS {
                for owner in [&run as &dyn Fn(i32) -> usize, &every_third] {
                    let mut shares = [0_i32; 3];
                    for task in 0..tasks {
                        shares[owner(partition(&format!("relay/{name}/{task}")))] += 1;
                    }
                    let (most, least) = (shares.iter().max(), shares.iter().min());
                    let apart = most.unwrap() - least.unwrap();
                    assert!(apart <= 3, "{name}, {tasks} tasks: {shares:?}");
                }
            }
        }
    }
}
