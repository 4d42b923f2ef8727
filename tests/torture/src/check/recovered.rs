//! What a process knows of a connector that it takes over.

use super::events::changes;
use super::finding::{Finding, Property, finding};
use crate::facts::{Facts, FeedFacts, Recovery};

/// No entity that was published, and not deleted, is told as if it were new: whoever tells it so has
/// not read back what was published.
pub(super) fn nothing_forgotten(feed: &FeedFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, records) in &feed.published {
        let mut last = None;
        for change in changes(records) {
            if last.is_some() && change.before.is_none() && change.after.is_some() && !change.moved
            {
                let text = format!("`{}` {key}: event {} tells it as new", feed.feed, change.id);
                findings.push(finding(Property::RecoveredWhole, text));
            }
            last = change.after;
        }
    }
    findings
}

/// As many entities are read back as there were live keys on the topics at that time.
pub(super) fn all_read_back(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for recovery in &facts.recoveries {
        let Recovery { process, at_ms, took_ms, entities } = *recovery;
        // A predecessor has stopped before the reading begins, so both counts are mostly the same.
        let counts = [at_ms - took_ms, at_ms].map(|until_ms| live(facts, until_ms));
        let (least, most) = (counts[0].min(counts[1]), counts[0].max(counts[1]));
        if !(least..=most).contains(&entities) {
            let there = if least == most { format!("{most}") } else { format!("{least}..{most}") };
            let text = format!("process {process} read back {entities} entities of {there}");
            findings.push(finding(Property::RecoveredWhole, text));
        }
    }
    findings
}

/// Live keys of all feeds at a time, a millisecond not included: whoever takes over may write in it.
fn live(facts: &Facts, until_ms: i64) -> usize {
    let count = |feed: &FeedFacts| {
        let later = feed.live.partition_point(|(at_ms, _)| *at_ms < until_ms);
        later.checked_sub(1).map_or(0, |last| feed.live[last].1)
    };
    facts.feeds.iter().map(count).sum()
}
