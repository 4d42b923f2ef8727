//! Which process runs a shard, for somebody who is not in the group.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rdkafka::consumer::Consumer;
use talon_runtime::bus::BusFault;

use super::member::session;
use super::presence::{Reader, STALE};
use super::shards::partition;
use crate::cluster::Cluster;
use crate::fault::fault_of;
use crate::patience::PATIENCE;

/// Pause between two looks.
const GLANCE: Duration = Duration::from_millis(20);

/// The process that has said that it runs a shard, if the group has members at all. One that was killed runs it
/// until its session is over; where the group has other members, until what it said is old.
///
/// Blocks, for ten seconds at most.
pub(crate) fn owner(
    cluster: &Cluster,
    group: &str,
    topic: &str,
    shard: &str,
) -> Result<Option<String>, BusFault> {
    let asker = cluster.asker()?;
    let groups = asker.fetch_group_list(Some(group), PATIENCE).map_err(|error| fault_of(&error))?;
    let mut members = groups.groups().iter().filter(|found| found.name() == group);
    if !members.any(|found| !found.members().is_empty()) {
        return Ok(None);
    }
    let mut reader = Reader::new(cluster, group, topic)?;
    let since = Instant::now();
    while !reader.whole.contains(&partition(shard)) {
        if since.elapsed() > PATIENCE {
            return Err(BusFault::Unavailable(format!("Kafka: `{topic}` cannot be read")));
        }
        reader.read(group)?;
        thread::sleep(GLANCE);
    }
    let Some(heard) = reader.heard.remove(shard) else { return Ok(None) };
    let said = Duration::from_millis(heard.said_ms.and_then(|ms| ms.try_into().ok()).unwrap_or(0));
    // A clock that is behind makes it no older.
    let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + said).unwrap_or_default();
    Ok(heard.name.filter(|_| age <= session(&cluster.config()) * STALE))
}
