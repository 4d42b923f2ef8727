//! A consumer that reads topics as others do, and what it makes of them.

mod topic;

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::Value;
use talon_runtime::checkpoint::Checkpoint;
use talon_runtime::commands::ResultRecord;
use talon_schemas::result::RESULT;
use talon_schemas::wire::{Payload, Wire};
use talon_schemas::{Contract, Message};
use xxhash_rust::xxh3::xxh3_128;

use self::topic::{Record, read, read_nats};
use crate::facts::{Content, Facts, FeedFacts, Published, Sight};
use crate::subject::{Feed, Subject};

/// Where the topics are.
#[derive(Debug, Clone)]
pub struct Recorder {
    /// Of the broker; a URL where it is NATS.
    pub address: String,
    /// What topics begin with.
    pub prefix: String,
    /// Name of the connector.
    pub connector: String,
}

impl Recorder {
    /// Everything that a subject's topics tell, beside what is true. The facts lack `sights`, what was
    /// issued, and what was told elsewhere.
    ///
    /// # Errors
    /// A topic cannot be read to its end.
    pub async fn facts(&self, subject: &dyn Subject) -> anyhow::Result<Facts> {
        let mut facts = Facts { canaries: subject.canaries(), ..Facts::default() };
        for feed in subject.feeds() {
            let records = self.read(feed.name).await?;
            for record in &records {
                let headers = format!("{:?}", record.headers);
                facts.told.push((format!("a header of `{}`", feed.name), headers));
            }
            let Told { published, live } = told(feed.contract, records);
            let truth = truth(&feed, subject)?;
            facts.feeds.push(FeedFacts { feed: feed.name.to_owned(), published, truth, live });
        }
        for record in self.read("dlq").await? {
            facts.told.push(("a dead letter's header".to_owned(), format!("{:?}", record.headers)));
        }
        for record in self.read("results").await? {
            let result = result(&record).context("a result that cannot be read")?;
            facts.told.push(("a result".to_owned(), format!("{result:?} {:?}", record.headers)));
            if let Some(outcome) = result.outcome {
                facts.commands.outcomes.entry(result.command_id).or_default().push(outcome);
            }
        }
        // After the outcomes: what is said to be done was done before that.
        facts.commands.effects = subject.effects();
        Ok(facts)
    }

    /// A look at the checkpoints, and then at what is published.
    ///
    /// # Errors
    /// A topic cannot be read to its end.
    pub async fn sights(&self, subject: &dyn Subject) -> anyhow::Result<Vec<Sight>> {
        let mut sights = Vec::new();
        let cursors = self.cursors().await?;
        for feed in subject.feeds() {
            let key = talon_runtime::checkpoint::key(&self.connector, feed.name);
            let Some(cursor) = cursors.get(&key).cloned() else { continue };
            let mut published = BTreeMap::new();
            for (key, records) in told(feed.contract, self.read(feed.name).await?).published {
                let last = records.iter().rev().find_map(|record| match record {
                    Published::Change { after, .. } => Some(*after),
                    _ => None,
                });
                published.extend(last.map(|after| (key, after)));
            }
            let claimed = subject.claimed(feed.name, &cursor);
            sights.push(Sight { feed: feed.name.to_owned(), cursor, claimed, published });
        }
        Ok(sights)
    }

    /// The partitions of the commands by their ids; of an id that was put twice, the last one.
    ///
    /// # Errors
    /// The topic cannot be read to its end.
    pub async fn partitions_of_commands(&self) -> anyhow::Result<BTreeMap<String, i32>> {
        let mut partitions = BTreeMap::new();
        for record in self.read("commands").await? {
            let command = record.value.as_deref().map(serde_json::from_slice::<Value>);
            if let Some(Ok(command)) = command
                && let Some(id) = command["id"].as_str()
            {
                partitions.insert(id.to_owned(), record.partition);
            }
        }
        Ok(partitions)
    }

    /// How many records of a feed there are.
    ///
    /// # Errors
    /// The topic cannot be read to its end.
    pub async fn count(&self, feed: &str) -> anyhow::Result<usize> {
        Ok(self.read(feed).await?.len())
    }

    /// Bytes of all records of the feeds, about as they are on the line without compression.
    ///
    /// # Errors
    /// A topic cannot be read to its end.
    pub async fn bytes(&self, subject: &dyn Subject) -> anyhow::Result<usize> {
        let mut bytes = 0;
        for feed in subject.feeds() {
            for record in self.read(feed.name).await? {
                let headers = record.headers.iter().map(|(name, text)| name.len() + text.len());
                let value = record.value.map_or(0, |value| value.len());
                bytes += record.key.len() + value + headers.sum::<usize>();
            }
        }
        Ok(bytes)
    }

    async fn read(&self, topic: &str) -> anyhow::Result<Vec<Record>> {
        read(&self.address, &format!("{}.{}.{topic}", self.prefix, self.connector)).await
    }

    /// The cursors of all checkpoints by key.
    async fn cursors(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let records = if self.address.starts_with("nats://") {
            let subject = format!("$KV.{}_checkpoints", self.prefix.replace('.', "-"));
            read_nats(&self.address, &subject).await?
        } else {
            read(&self.address, &format!("{}.checkpoints", self.prefix)).await?
        };
        let mut cursors = BTreeMap::new();
        for record in records {
            let checkpoint = record.value.as_deref().and_then(Checkpoint::decode);
            if let Some(cursor) = checkpoint.and_then(|checkpoint| checkpoint.cursor) {
                cursors.insert(record.key, cursor);
            }
        }
        Ok(cursors)
    }
}

/// As in [`FeedFacts`].
struct Told {
    published: BTreeMap<String, Vec<Published>>,
    live: Vec<(i64, usize)>,
}

/// The records of each key in their order, and how many keys were live since when.
///
/// A key that is in several partitions, because some were added, is followed from one to the next by the
/// time of its records.
fn told(contract: &Contract, records: Vec<Record>) -> Told {
    let mut keys: BTreeMap<String, Vec<(i64, i32, Published)>> = BTreeMap::new();
    for record in records {
        let event = event(contract, &record);
        keys.entry(record.key).or_default().push((record.at_ms, record.partition, event));
    }
    let mut published = BTreeMap::new();
    let mut changes: Vec<(i64, isize)> = Vec::new();
    for (key, mut records) in keys {
        // A partition keeps its own order.
        if records.iter().any(|(_, partition, _)| *partition != records[0].1) {
            records.sort_by_key(|(at_ms, ..)| *at_ms);
        }
        let (mut told, mut before, mut was_live) = (Vec::new(), records[0].1, false);
        for (at_ms, partition, event) in records {
            let is_live = match event {
                Published::Change { after, .. } => after.is_some(),
                Published::Tombstone => false,
                Published::Unreadable | Published::Moved => was_live,
            };
            changes.push((at_ms, isize::from(is_live) - isize::from(was_live)));
            if partition != before {
                told.push(Published::Moved);
            }
            told.push(event);
            (before, was_live) = (partition, is_live);
        }
        published.insert(key, told);
    }
    changes.sort_by_key(|(at_ms, _)| *at_ms);
    let mut live = 0;
    let counts = changes.into_iter().map(|(at_ms, by)| {
        live += by;
        (at_ms, live.unsigned_abs())
    });
    Told { published, live: counts.collect() }
}

fn event(contract: &Contract, record: &Record) -> Published {
    let Some(value) = record.value.as_deref() else { return Published::Tombstone };
    let Some(datum) = datum(contract, value) else { return Published::Unreadable };
    let Ok(parts) = contract.cut(datum) else { return Published::Unreadable };
    let content =
        |entity: Option<&[u8]>| entity.map(|entity| content(contract, entity)).transpose();
    match (content(parts.before), content(parts.after)) {
        (Ok(before), Ok(after)) => {
            let id = record.headers.get("talon-event-id").cloned().unwrap_or_default();
            Published::Change { id, before, after }
        }
        _ => Published::Unreadable,
    }
}

fn content(contract: &Contract, entity: &[u8]) -> anyhow::Result<Content> {
    let stable = contract.stable_len(entity).map_err(|_| anyhow::anyhow!("malformed"))?;
    Ok(xxh3_128(&entity[..stable]))
}

fn truth(
    feed: &Feed,
    subject: &dyn Subject,
) -> anyhow::Result<BTreeMap<String, Vec<Option<Content>>>> {
    let of = |state: Option<Vec<u8>>| state.map(|datum| content(feed.contract, &datum)).transpose();
    let entities = subject.truth(feed.name)?.into_iter();
    entities
        .map(|(key, states)| Ok((key, states.into_iter().map(of).collect::<Result<_, _>>()?)))
        .collect()
}

fn result(record: &Record) -> Option<ResultRecord> {
    RESULT.decode(datum(&*RESULT, record.value.as_deref()?)?).ok()
}

/// The datum of a message, with or without a registry: there is but one version of each schema.
fn datum<'m>(of: &impl AsRef<Message>, message: &'m [u8]) -> Option<&'m [u8]> {
    match Wire::SingleObject.open(of, message) {
        Payload::Own(datum) | Payload::Registered(_, datum) => Some(datum),
        _ => None,
    }
}
