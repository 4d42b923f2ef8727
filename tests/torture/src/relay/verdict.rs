//! What is wrong with all that was carried in a run.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::Context;
use talon_runtime::relay::Record;
use tokio::task::spawn_blocking;

use super::check::{Finding, Relation, compare};
use super::odd::Whole;
use super::reading::{as_whole, read_stream, read_topic, topics};
use super::world::World;

/// Records of one part, or of one key of it.
type Parts = BTreeMap<(String, i32), Vec<Whole>>;

/// What came of a run.
pub(super) struct Verdict {
    pub(super) findings: Vec<Finding>,
    pub(super) carried: Vec<(&'static str, usize)>,
}

impl Verdict {
    fn compare<'a>(
        &mut self,
        relay: &'static str,
        (sent, found): (&Parts, &Parts),
        relation: impl Fn(&str) -> Relation<'a>,
    ) {
        let parts: BTreeSet<&(String, i32)> = sent.keys().chain(found.keys()).collect();
        let none = Vec::new();
        for part in parts {
            let both = (sent.get(part).unwrap_or(&none), found.get(part).unwrap_or(&none));
            let at = format!("{relay}: {}/{}", part.0, part.1);
            self.findings.extend(compare(&at, (both.0, both.1), relation(&part.0)));
        }
        self.carried.push((relay, found.values().map(Vec::len).sum()));
    }
}

/// Reads all that there is, and compares it.
pub(super) async fn of(
    world: &World,
    lasting: &[&str],
    aborted: &HashSet<String>,
) -> anyhow::Result<Verdict> {
    let ways = &world.ways;
    let all = spawn_blocking({
        let address = world.kafka_address.clone();
        move || topics(&address)
    });
    let all = all.await.context("the thread panicked")??;
    let beginning = |begin: &str| -> Vec<String> {
        all.iter().filter(|topic| topic.starts_with(begin)).cloned().collect()
    };
    let sources = format!("{}.src.", ways.prefix);
    let mut sent =
        kafka(world, &lasting.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>(), "").await?;
    for snapshot in world.snapshots.lock().await.iter() {
        for (partition, records) in &snapshot.records {
            sent.insert((snapshot.topic.clone(), *partition), records.clone());
        }
    }
    let mut verdict = Verdict { findings: Vec::new(), carried: Vec::new() };
    let compacted = ways.source("compacted");
    let relation = |topic: &str| match lasting.contains(&topic) {
        true if topic == compacted => Relation::Compacted(aborted),
        true => Relation::Same,
        false => Relation::Beginning,
    };
    let batches = by_origin(&read_stream(&world.nats_urls, &ways.batches()).await?);
    verdict.compare("there", (&sent, &batches), relation);
    let chain = by_origin(&read_stream(&world.nats_urls, &ways.chain()).await?);
    verdict.compare("chain", (&sent, &chain), relation);
    let back = kafka(world, &beginning(&format!("out.{sources}")), "out.").await?;
    verdict.compare("back", (&batches, &back), |_| Relation::Same);
    // The same once more, without that a message was read by the code that is tested.
    verdict.compare("back", (&sent, &back), relation);
    let straight = kafka(world, &beginning(&format!("copy.{sources}")), "copy.").await?;
    let is_straight =
        |part: &(String, i32)| [ways.source("one"), ways.source("many")].contains(&part.0);
    let straight_sent = sent.into_iter().filter(|(part, _)| is_straight(part)).collect();
    verdict.compare("straight", (&straight_sent, &straight), relation);
    let messages = read_stream(&world.nats_urls, &ways.messages()).await?;
    let found = by_key(kafka(world, &beginning("in."), "in.").await?);
    verdict.compare("in", (&by_subject(&messages), &found), |_| Relation::Same);
    let mirror = read_stream(&world.nats_urls, &ways.mirror()).await?;
    let order = |records: &[Record]| {
        let wholes = records.iter().map(|record| as_whole(record, None).without_hops());
        Parts::from([(("all".to_owned(), 0), wholes.collect())])
    };
    verdict.compare("mirror", (&order(&messages), &order(&mirror)), |_| Relation::Same);
    Ok(verdict)
}

/// All records of topics, whose names begin with what is cut off.
async fn kafka(world: &World, topics: &[String], begin: &str) -> anyhow::Result<Parts> {
    let mut parts = Parts::new();
    for topic in topics {
        let (address, name) = (world.kafka_address.clone(), topic.clone());
        let read = spawn_blocking(move || read_topic(&address, &name));
        let name = topic.strip_prefix(begin).unwrap_or(topic);
        for (partition, records) in read.await.context("the thread panicked")?? {
            parts.insert((name.to_owned(), partition), records);
        }
    }
    Ok(parts)
}

/// Records that came from topics, by where they stood there.
fn by_origin(records: &[Record]) -> Parts {
    let mut parts = Parts::new();
    for record in records {
        let part = match &record.origin {
            Some(origin) => (origin.topic.to_string(), origin.partition),
            None => ("no topic".to_owned(), 0),
        };
        parts.entry(part).or_default().push(as_whole(record, None));
    }
    parts
}

/// Messages by their subjects, as they are to be on Kafka: the third token is the topic, the rest is the key.
fn by_subject(records: &[Record]) -> Parts {
    let mut parts = Parts::new();
    for record in records {
        let mut tokens = record.subject.as_deref().unwrap_or_default().splitn(4, '.').skip(2);
        let topic = tokens.next().unwrap_or_default();
        let key = tokens.next().unwrap_or_default();
        let whole = as_whole(record, Some(key.as_bytes().to_vec()));
        parts.entry((format!("{topic} {key}"), 0)).or_default().push(whole);
    }
    parts
}

/// Records by their topics and keys.
fn by_key(parts: Parts) -> Parts {
    let mut keys = Parts::new();
    for ((topic, _), records) in parts {
        for record in records {
            let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default());
            let part = (format!("{topic} {key}"), 0);
            keys.entry(part).or_default().push(record.without_hops());
        }
    }
    keys
}
