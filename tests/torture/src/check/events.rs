//! What is published, beside what was true.

use std::collections::{HashMap, HashSet};

use super::finding::{Finding, Property, finding};
use crate::facts::{Content, Facts, FeedFacts, Published};

/// A change of a key.
pub(super) struct Change<'a> {
    pub(super) id: &'a str,
    pub(super) before: Option<Content>,
    pub(super) after: Option<Content>,
    /// The partitions that the key was in before.
    partitions: usize,
    /// True for the first one in another partition: whoever reads that partition alone knows nothing of
    /// the key, so its state may be told once more.
    pub(super) moved: bool,
}

pub(super) fn changes(records: &[Published]) -> impl Iterator<Item = Change<'_>> {
    let (mut partitions, mut moved) = (0, false);
    records.iter().filter_map(move |record| match record {
        Published::Change { id, before, after } => Some(Change {
            id,
            before: *before,
            after: *after,
            partitions,
            moved: std::mem::take(&mut moved),
        }),
        Published::Moved => {
            (partitions, moved) = (partitions + 1, true);
            None
        }
        Published::Tombstone | Published::Unreadable => None,
    })
}

/// The last state published of every key is that of the upstream.
pub(super) fn nothing_lost(feed: &FeedFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, states) in &feed.truth {
        let now = states.last().copied().flatten();
        let records = feed.published.get(key).map_or(&[][..], Vec::as_slice);
        let last = changes(records).last().and_then(|change| change.after);
        if last == now {
            continue;
        }
        let what = match (last, now) {
            (None, _) => "is not published",
            (Some(_), None) => "is gone upstream, and not deleted",
            (Some(_), Some(_)) => "is behind the upstream",
        };
        findings.push(finding(Property::NothingLost, format!("`{}` {key} {what}", feed.feed)));
    }
    findings
}

/// No event id twice in the feed, and no change that changes nothing.
pub(super) fn nothing_twice(feed: &FeedFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut ids = HashSet::new();
    for (key, records) in &feed.published {
        let mut last = None;
        for Change { id, after, partitions, moved, .. } in changes(records) {
            let what = if !ids.insert((partitions, id)) {
                "twice"
            } else if after == last && !moved {
                "changes nothing"
            } else {
                last = after;
                continue;
            };
            let text = format!("`{}` {key}: event {id} {what}", feed.feed);
            findings.push(finding(Property::NothingTwice, text));
        }
    }
    findings
}

/// The states of a key are some of those that it was in, in their order; each change begins where the
/// last one ended; every record can be read.
pub(super) fn nothing_invented(feed: &FeedFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, records) in &feed.published {
        let mut breach = |what: String| {
            let text = format!("`{}` {key}: {what}", feed.feed);
            findings.push(finding(Property::NothingInvented, text));
        };
        if records.contains(&Published::Unreadable) {
            breach("a record that cannot be read".to_owned());
        }
        let mut last = None;
        for Change { id, before, after, moved, .. } in changes(records) {
            if before != last && !(moved && before.is_none()) {
                breach(format!("event {id} does not begin where the last one ended"));
            }
            last = after;
        }
        let mut states = feed.truth.get(key).map_or(&[][..], Vec::as_slice).iter();
        // The earliest match of each leaves the most for those that follow.
        let mut told = None;
        for Change { id, after, moved, .. } in changes(records).filter(|one| one.after.is_some()) {
            let told_again = moved && after == told;
            if !told_again && !states.any(|state| *state == after) {
                breach(format!("event {id} has a state that never was, or not in this order"));
                break;
            }
            told = after;
        }
    }
    findings
}

/// A delete is of an entity that was absent; a tombstone follows a delete.
pub(super) fn nothing_deleted(feed: &FeedFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, records) in &feed.published {
        let was_absent = feed.truth.get(key).is_none_or(|states| states.contains(&None));
        for (place, record) in records.iter().enumerate() {
            let what = match record {
                Published::Change { after: None, .. } if !was_absent => "deleted, and is there",
                Published::Tombstone => match place.checked_sub(1).map(|before| &records[before]) {
                    Some(Published::Change { after: None, .. }) => continue,
                    _ => "ended without a delete",
                },
                _ => continue,
            };
            let text = format!("`{}` {key} is {what}", feed.feed);
            findings.push(finding(Property::NothingDeleted, text));
        }
    }
    findings
}

/// What a checkpoint says to have been seen is published.
pub(super) fn checkpoint_behind_events(facts: &Facts) -> Vec<Finding> {
    let feeds: HashMap<&str, &FeedFacts> =
        facts.feeds.iter().map(|feed| (feed.feed.as_str(), feed)).collect();
    let mut findings = Vec::new();
    for sight in &facts.sights {
        let Some(feed) = feeds.get(sight.feed.as_str()) else { continue };
        for (key, &claimed) in sight.claimed.iter().filter(|(_, claimed)| **claimed > 0) {
            let states = feed.truth.get(key).map_or(&[][..], Vec::as_slice);
            let last = sight.published.get(key).copied().flatten();
            // The latest place that it can have: a content may come again.
            let reached = states.iter().rposition(|state| *state == last);
            if reached.is_none_or(|reached| reached + 1 < claimed) {
                let text = format!(
                    "`{}` {key} is behind the checkpoint {} that was read before it",
                    sight.feed, sight.cursor
                );
                findings.push(finding(Property::CheckpointBehindEvents, text));
            }
        }
    }
    findings
}
