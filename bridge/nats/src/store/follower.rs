//! Follows a store: reads the newest message of each key, and goes on behind where the stream ended when that began.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use futures_util::StreamExt;
use talon_runtime::bus::{BusFault, Grant, Telling, Told};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::bucket::{OpenBucket, StoreBucket};
use super::entry::{key_of, record};
use crate::read::read_to_end;

/// How often it is looked whether the connection was lost.
const POLL: Duration = Duration::from_millis(100);

/// Pause before the bucket is read anew after trouble.
const PAUSE: Duration = Duration::from_secs(1);

/// Looks that are so late tell that the process stood still.
const STOOD_STILL: Duration = Duration::from_secs(10);

/// Follows a store, in a task of its own.
pub(super) struct Follower {
    bucket: Arc<StoreBucket>,
    read_every: Duration,
    told: mpsc::Sender<Told>,
    telling: Telling,
}

impl Follower {
    pub(super) fn new(
        bucket: Arc<StoreBucket>,
        read_every: Duration,
        told: mpsc::Sender<Told>,
    ) -> Follower {
        Follower { bucket, read_every, told, telling: Telling::default() }
    }

    /// Tells until nobody listens.
    pub(super) async fn run(mut self) {
        let told = self.told.clone();
        tokio::select! {
            () = self.tell_all() => {}
            () = told.closed() => {}
        }
    }

    async fn tell_all(&mut self) {
        loop {
            let Err(fault) = self.read_and_follow().await else {
                sleep(POLL).await;
                continue;
            };
            if let Some(new) = self.telling.trouble(fault)
                && self.told.send(new).await.is_err()
            {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// Reads everything, and follows until it is to be read anew, which trouble with the connection leads to as well.
    async fn read_and_follow(&mut self) -> Result<(), BusFault> {
        let bucket = self.bucket.open().await?;
        let losses = bucket.connection.status.losses();
        let end = bucket.look(&self.bucket).await?;
        let mut all = BTreeMap::new();
        let subjects = vec![format!("$KV.{}.>", bucket.name)];
        let newest = (bucket.below.name.as_str(), subjects, DeliverPolicy::LastPerSubject);
        let grant = Grant::unlimited("");
        read_to_end(&bucket.connection, &grant, newest, &mut |message, sequence| {
            if let Some(key) = key_of(&bucket.name, &message.subject) {
                all.insert(key, record(sequence, message.headers.as_ref(), &message.payload));
            }
            Ok(())
        })
        .await
        .map_err(|fault| match fault {
            BusFault::Aborted(_) => bucket.gone(),
            fault => fault,
        })?;
        bucket.connection.status.over();
        let news = self.telling.read(all);
        for new in news {
            if self.told.send(new).await.is_err() {
                return Ok(());
            }
        }
        self.follow(&bucket, end, losses).await
    }

    async fn follow(&mut self, bucket: &OpenBucket, end: u64, losses: u64) -> Result<(), BusFault> {
        let mut messages = behind(bucket, end).await?;
        let began = Instant::now();
        let mut looked = Instant::now();
        let mut look = interval(POLL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = messages.next() => {
                    // Whether that is trouble shows when everything is read anew.
                    let Some(Ok(message)) = message else { return Ok(()) };
                    let Ok(place) = message.info() else { return Ok(()) };
                    let sequence = place.stream_sequence;
                    let Some(key) = key_of(&bucket.name, &message.subject) else { continue };
                    let record = record(sequence, message.headers.as_ref(), &message.payload);
                    if let Some(new) = self.telling.change(&key, record)
                        && self.told.send(new).await.is_err()
                    {
                        return Ok(());
                    }
                    // Nobody took it for a while, which is nobody's standing still.
                    looked = Instant::now();
                }
                _ = look.tick() => {
                    let was_lost = bucket.connection.status.losses() != losses;
                    let stood_still = looked.elapsed() > STOOD_STILL;
                    if was_lost || stood_still || began.elapsed() > self.read_every {
                        return Ok(());
                    }
                    looked = Instant::now();
                }
            }
        }
    }
}

/// What comes behind a sequence.
async fn behind(bucket: &OpenBucket, end: u64) -> Result<Ordered, BusFault> {
    let unavailable = |error: &dyn std::fmt::Display| bucket.unavailable(error);
    let jetstream = &bucket.connection.jetstream;
    let stream = jetstream.get_stream_no_info(&bucket.below.name).await;
    let stream = stream.map_err(|error| unavailable(&error))?;
    let config = OrderedConfig {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: end + 1 },
        ..OrderedConfig::default()
    };
    let consumer = stream.create_consumer(config).await.map_err(|error| unavailable(&error))?;
    consumer.messages().await.map_err(|error| unavailable(&error))
}
