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
pub(crate) fn partition(shard: &str) -> i32 {
    // FNV-1a, because it is short and will not change.
    let hash = shard.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % u64::from(PARTITIONS)) as i32
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
}
