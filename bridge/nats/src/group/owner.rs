//! Which process runs a shard, for somebody who is not in the group.

use std::time::{Duration, Instant};

use talon_runtime::bus::BusFault;
use tokio::time::sleep;

use super::bucket::LeaseBucket;
use super::entries::shard_key;
use crate::session::Session;

/// Pause between two looks.
const GLANCE: Duration = Duration::from_millis(200);

/// The process whose lease of a shard is renewed. One that was killed holds it until it has stood still for as
/// long as a lease is, which is waited for.
pub(crate) async fn owner(session: &Session, shard: &str) -> Result<Option<String>, BusFault> {
    let connection = session.aside().await?;
    let Some(bucket) = LeaseBucket::of(&connection, session).await? else { return Ok(None) };
    let (key, since) = (shard_key(shard), Instant::now());
    let mut first = None;
    loop {
        let Some((lease, revision)) = bucket.stored(&key).await? else { return Ok(None) };
        let Some(owner) = lease.owner else { return Ok(None) };
        if *first.get_or_insert(revision) != revision {
            return Ok(Some(lease.process.unwrap_or(owner)));
        }
        if since.elapsed() > session.access.lease {
            return Ok(None);
        }
        sleep(GLANCE).await;
    }
}
