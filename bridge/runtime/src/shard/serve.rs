//! A shard at work: recover what was published, then observation after observation until the end.
//!
//! Runs on a thread of its own, since it computes, and waits for the bus.
//!
//! How it can fail, and what holds then:
//!
//! * Killed anywhere: what was not committed is invisible, and the next owner reads again from the
//!   checkpoint of the last commit. Rows that are already published have their fingerprint in the
//!   recovered index and publish nothing.
//! * The bus fails an append or a commit: the index is ahead of the topic, so all of it is thrown away
//!   and recovered. Whether an unclear commit took place is answered by the topic itself.
//! * An observation makes this code panic: the index is thrown away as above, and its feed is set aside
//!   ([`SetAside`]), so that it does not happen again at once. A row at which the connector's code panics
//!   is a dead letter, and needs none of that.
//! * Paused, and another process took over: opening fenced this one, and its next append or commit
//!   says so. It stops.

mod letters;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Instant;

use talon_sdk::{Clock, Coverage, Cursor};
use tokio::sync::mpsc;

use crate::bus::{BusFault, Hold, Place, ShardLog, settled_key};
use crate::service::metrics::{Metrics, Recovery};
use crate::service::progress::Progress;
use crate::service::registry::Schemas;
use crate::shard::checkpoint::{self, Checkpoint};
use crate::shard::diff::Summary;
use crate::shard::inbox::{Inbound, Sighting};
use crate::shard::pace::Pace;
use crate::shard::publish::{Publisher, Told};
use crate::shard::set_aside::SetAside;
use crate::shard::settled::Settled;
use crate::shard::state::{FeedState, Known, Loss, pair, with_told};
use crate::shard::transaction::Transaction;

/// Observations are committed together until their rows have so many bytes.
const GROUP_BYTES: usize = 16 * 1024 * 1024;

/// A checkpoint alone, without events, is committed at most this often: losing it costs a read.
const IDLE_CHECKPOINT_MS: i64 = 10_000;

/// While records are read back, the grant is looked at after so many.
const RECORDS_PER_LOOK: u64 = 1_024;

/// A shard that is recovered and ready to serve.
pub(crate) struct Shard {
    name: String,
    log: Box<dyn ShardLog>,
    feeds: Vec<FeedState>,
    clock: Clock,
    metrics: Metrics,
    buffer: Vec<u8>,
    /// Of its dead letters.
    settled: Settled,
}

impl Shard {
    /// Reads back what was published and how far was read.
    pub(crate) fn recover(
        hold: &Hold,
        mut log: Box<dyn ShardLog>,
        mut feeds: Vec<FeedState>,
        schemas: &Schemas,
        clock: Clock,
        (metrics, recovery): (Metrics, &Recovery),
    ) -> Result<Shard, BusFault> {
        let started = Instant::now();
        let (name, grant) = (hold.grant().shard(), hold.grant());
        pair(&mut feeds);
        let places: HashMap<String, usize> = feeds
            .iter()
            .enumerate()
            .map(|(i, feed)| (checkpoint::key(name, &feed.frame.feed), i))
            .collect();
        let mut records = 0_u64;
        let (settled_key, mut settled) = (settled_key(name), Settled::default());
        log.recover(&mut |place, record| {
            records += 1;
            // The first ones at once: a short topic may have no more.
            if records < RECORDS_PER_LOOK || records.is_multiple_of(RECORDS_PER_LOOK) {
                recovery.read(records);
            }
            if records.is_multiple_of(RECORDS_PER_LOOK) {
                grant.may_begin()?;
            }
            match place {
                Place::Topic(topic) => {
                    if let Some((feed, told)) = with_told(&mut feeds, topic) {
                        feed.take_in(told, &record, schemas)?;
                    }
                }
                Place::Checkpoints if record.key == settled_key => {
                    settled = record.value.map(Settled::decode).unwrap_or_default();
                }
                Place::Checkpoints => {
                    if let Some(feed) = places.get(record.key).map(|&i| &mut feeds[i]) {
                        feed.take_checkpoint(record.value.and_then(Checkpoint::decode));
                    }
                }
            }
            Ok(())
        })?;
        for feed in &mut feeds {
            let loss = feed.check_memory(&log.ends(feed.frame.changes));
            report(feed, loss);
        }
        let took = started.elapsed();
        metrics.recovered(name, took);
        let entities: usize = feeds.iter().map(|feed| feed.known.len()).sum();
        tracing::info!(connector = name, entities, ms = took.as_millis() as u64, "recovered");
        let (name, buffer) = (name.to_owned(), Vec::new());
        Ok(Shard { name, log, feeds, clock, metrics, buffer, settled })
    }

    /// Where each feed goes on: the cursor of its checkpoint.
    pub(crate) fn starts(&self) -> Vec<Option<Cursor>> {
        self.feeds.iter().map(|feed| feed.cursor.clone()).collect()
    }

    /// What is known of each feed.
    pub(crate) fn feeds(&self) -> &[FeedState] {
        &self.feeds
    }

    /// Hands the log what an observation would publish, and commits nothing.
    pub(crate) fn would_publish(
        &mut self,
        sighting: &Sighting,
        pace: &Pace,
    ) -> Result<Summary, BusFault> {
        let mut transaction = Transaction::new(pace, &Progress::default());
        let summary = self.observe(sighting, &mut transaction)?;
        transaction.committed(Instant::now());
        Ok(summary)
    }

    /// Publishes observations, and settles dead letters, until their senders are gone: `Ok` when all is committed.
    pub(crate) fn serve(
        mut self,
        mut inbox: mpsc::Receiver<Inbound>,
        aside: &SetAside,
        pace: &Pace,
        progress: &Progress,
    ) -> Result<(), BusFault> {
        let mut settled = Vec::new();
        while let Some(inbound) = inbox.blocking_recv() {
            let sighting = match inbound {
                Inbound::Sighting(sighting) => sighting,
                Inbound::Letters(request) => {
                    self.settle_letters(request, pace, progress)?;
                    continue;
                }
            };
            let started = Instant::now();
            let mut transaction = Transaction::new(pace, progress);
            let (mut bytes, mut letters) = (0, None);
            let mut next = Some(sighting);
            // What arrived while the last commit ran is committed together.
            while let Some(sighting) = next {
                bytes += sighting.observation.rows.bytes();
                let observed =
                    catch_unwind(AssertUnwindSafe(|| self.observe(&sighting, &mut transaction)));
                let summary = observed.unwrap_or_else(|_| Err(self.set_aside(&sighting, aside)))?;
                settled.push((sighting, summary));
                next = match bytes < GROUP_BYTES {
                    true => {
                        inbox.try_recv().ok().and_then(|inbound| inbound.sighting(&mut letters))
                    }
                    false => None,
                };
            }
            let checkpoints = self.due_checkpoints(transaction.has_appended());
            if transaction.is_open() || !checkpoints.is_empty() {
                let has_events = transaction.is_open();
                self.commit(&checkpoints)?;
                match has_events {
                    true => transaction.committed(Instant::now()),
                    false => {
                        progress.committed();
                        self.metrics.published(&self.name, started.elapsed());
                    }
                }
            } else {
                self.log.idle()?;
            }
            for (mut sighting, summary) in settled.drain(..) {
                // Who waits for a checkpoint that was left out hears that nobody will tell.
                let is_written =
                    self.feeds.get(sighting.feed).is_some_and(|feed| !feed.cursor_moved);
                if let Some(committed) = sighting.committed.take().filter(|_| is_written) {
                    committed.send(()).ok();
                }
                self.settle(&sighting, summary);
            }
            self.forget_old();
            if let Some(request) = letters {
                self.settle_letters(request, pace, progress)?;
            }
        }
        let last = self.checkpoints(|feed, ends| feed.cursor_moved || feed.ends_have_moved(ends));
        if !last.is_empty() {
            self.commit(&last)?;
        }
        Ok(())
    }

    /// An observation ended in a panic.
    fn set_aside(&self, sighting: &Sighting, aside: &SetAside) -> BusFault {
        let Some(feed) = self.feeds.get(sighting.feed) else { return no_such_feed() };
        aside.add(&feed.frame.feed);
        let name = &feed.frame.feed;
        BusFault::Aborted(format!("a defect of Talon: an observation of `{name}` ended in a panic"))
    }

    /// Logs keep no more than their topics do.
    fn forget_old(&mut self) {
        let now = self.clock.now_ms();
        for feed in &mut self.feeds {
            match &mut feed.known {
                Known::Entities(differ) => differ.forget_old(now),
                Known::Facts(facts) => facts.forget_old(now),
            }
        }
    }

    fn observe(
        &mut self,
        sighting: &Sighting,
        transaction: &mut Transaction,
    ) -> Result<Summary, BusFault> {
        let observation = &sighting.observation;
        let (feed, told) = with_told(&mut self.feeds, sighting.feed).ok_or_else(no_such_feed)?;
        let Known::Entities(differ) = &mut feed.known else { return Err(no_such_feed()) };
        let told = told.and_then(|FeedState { known, frame, tally, .. }| match known {
            Known::Facts(facts) => Some(Told { facts, frame, tally }),
            Known::Entities(_) => None,
        });
        let mut publisher = Publisher {
            log: self.log.as_mut(),
            frame: &feed.frame,
            scope: &observation.scope,
            snapshot: observation.snapshot,
            as_of_ms: observation.as_of_ms,
            now_ms: self.clock.now_ms(),
            buffer: &mut self.buffer,
            transaction,
            tally: &mut feed.tally,
            told,
        };
        let summary = differ.observe(observation, sighting.after_fault, &mut publisher)?;
        let feed = &mut self.feeds[sighting.feed];
        if let Some(cursor) = &observation.cursor
            && feed.cursor.as_ref() != Some(cursor)
        {
            feed.cursor = Some(cursor.clone());
            feed.cursor_moved = true;
        }
        feed.is_awaited |= sighting.committed.is_some();
        Ok(summary)
    }

    /// With events, every cursor that moved, or that stands on fewer entities than its checkpoint says;
    /// without, only those that have waited long enough. The first checkpoint of a feed never waits: it
    /// says that the first read is over. Where a commit has taken its topic, a checkpoint says a little later.
    fn due_checkpoints(&mut self, appended: bool) -> Vec<(String, Vec<u8>)> {
        let now = self.clock.now_ms();
        self.checkpoints(|feed, ends| match feed.checkpointed_ms {
            None => feed.cursor_moved,
            Some(last) => {
                let is_old = now - last >= IDLE_CHECKPOINT_MS;
                let is_fewer =
                    || feed.checkpointed_entities.is_some_and(|known| feed.published() < known);
                feed.cursor_moved && (appended || is_old || feed.is_awaited)
                    || feed.ends_have_moved(ends) && is_old
                    || appended && feed.cursor.is_some() && is_fewer()
            }
        })
    }

    /// Commits. A checkpoint that is too large for the bus is left out, so that it holds up nothing else:
    /// after a restart its feed reads again from the one before.
    fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        match self.log.commit(checkpoints) {
            Err(BusFault::TooLarge(_)) => {}
            other => return other,
        }
        for checkpoint in checkpoints {
            match self.log.commit(std::slice::from_ref(checkpoint)) {
                Err(BusFault::TooLarge(why)) => {
                    let (key, bytes) = (&checkpoint.0, checkpoint.1.len());
                    tracing::warn!(checkpoint = key, bytes, "a checkpoint is not written: {why}");
                    for feed in &mut self.feeds {
                        feed.cursor_moved |= *key == checkpoint::key(&self.name, &feed.frame.feed);
                    }
                }
                other => other?,
            }
        }
        // What was appended stands in any case.
        self.log.commit(&[])
    }

    fn checkpoints(&mut self, due: impl Fn(&FeedState, &[u64]) -> bool) -> Vec<(String, Vec<u8>)> {
        let now = self.clock.now_ms();
        let mut checkpoints = Vec::new();
        for feed in &mut self.feeds {
            let ends = self.log.ends(feed.frame.changes);
            if !due(feed, &ends) {
                continue;
            }
            let entities = feed.published();
            let value = Checkpoint::encode(feed.cursor.as_ref(), now, entities, ends.clone());
            checkpoints.push((checkpoint::key(&self.name, &feed.frame.feed), value));
            feed.checkpointed_ms = Some(now);
            feed.checkpointed_entities = Some(entities);
            feed.checkpointed_ends = ends;
            (feed.cursor_moved, feed.is_awaited) = (false, false);
        }
        checkpoints
    }

    /// After the commit: what is shown of it.
    fn settle(&mut self, sighting: &Sighting, summary: Summary) {
        let Some((feed, told)) = with_told(&mut self.feeds, sighting.feed) else { return };
        let Sighting { observation, follows, .. } = sighting;
        let now = self.clock.now_ms();
        let shown = |state: &FeedState, withheld: usize| {
            let metrics = &state.frame.metrics;
            if let Some(scopes) = follows {
                metrics.follow(scopes, now);
            }
            metrics.settled(observation, state.known.len(), withheld);
        };
        if let Some(told) = told {
            told.frame.metrics.count(&mut told.tally);
            told.frame.metrics.observation("ok");
            shown(told, 0);
        }
        feed.frame.metrics.count(&mut feed.tally);
        if sighting.after_gap {
            feed.frame.metrics.gap_changes(summary.changes);
        }
        let was_withheld = feed.frame.metrics.withheld() > 0;
        let withheld = summary.withheld.map_or(0, |(entities, _)| entities);
        let is_audit = observation.coverage == Coverage::Audit;
        if is_audit {
            feed.frame.metrics.missed().store(summary.changes as u64, Ordering::Relaxed);
        }
        let result = match withheld {
            0 if is_audit && summary.changes > 0 => "missed",
            0 => "ok",
            _ => "withheld",
        };
        feed.frame.metrics.observation(result);
        shown(feed, withheld);
        let (connector, name) = (&feed.frame.connector, &*feed.frame.feed);
        match summary.withheld {
            Some((entities, why)) if !was_withheld => {
                tracing::warn!(
                    connector,
                    feed = name,
                    entities,
                    "deletes withheld: {}",
                    why.reason()
                );
            }
            None if was_withheld => {
                tracing::info!(connector, feed = name, "deletes are no longer withheld");
            }
            _ => {}
        }
        if summary.dead > 0 {
            tracing::warn!(
                connector,
                feed = name,
                rows = summary.dead,
                "rows put to the dead letters"
            );
        }
    }
}

/// Says what was read back of a feed, and what was lost of it.
fn report(feed: &mut FeedState, loss: Option<Loss>) {
    let FeedState { frame, known, strange, unreadable, .. } = feed;
    let (connector, name, topic) = (&frame.connector, &*frame.feed, &frame.topic);
    frame.metrics.entities(known.len());
    if *strange > 0 {
        tracing::warn!(
            connector,
            feed = name,
            topic,
            records = strange,
            "records on the topic that are no events of this feed were passed over"
        );
    }
    if *unreadable > 0 {
        tracing::warn!(
            connector,
            feed = name,
            topic,
            records = unreadable,
            "events on the topic were written with a schema that is known neither to this version nor to the registry: of their entities the keys are known, and their next rows are published as updates without a before image"
        );
    }
    if loss.is_some() {
        frame.metrics.memory_lost();
    }
    match loss {
        None => {}
        Some(Loss::End) => tracing::warn!(
            connector,
            feed = name,
            topic,
            "the topic ends before where it ended when the feed's checkpoint was written: it was restored from a backup, copied, or lost records; the feed is read from the beginning, and publishes again what differs"
        ),
        Some(Loss::Entities(missing)) => tracing::warn!(
            connector,
            feed = name,
            topic,
            missing,
            "the topic holds fewer entities that can be read than the feed's checkpoint says: it was deleted or purged, lost records, or has some of an unknown schema; the feed is read from the beginning, and publishes again what is missing"
        ),
    }
}

/// Facts come with the rows of another feed, never by themselves.
fn no_such_feed() -> BusFault {
    BusFault::Aborted("a defect of Talon: an observation of a feed that is not read".to_owned())
}
