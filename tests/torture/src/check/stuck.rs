//! A feed one of whose scopes fails.

use super::finding::{Finding, Property, finding};
use crate::facts::Facts;

/// How far freshness may lag behind the time that a scope was stuck: an observation was on its way.
const LAG_MS: i64 = 4_000;
/// A scope that was stuck for less shows nothing of the others.
const SHORT_MS: i64 = 4_000;

/// Whoever looks at the freshness of the feed sees that it is stuck.
pub(super) fn stuck_is_seen(facts: &Facts) -> Vec<Finding> {
    let hidden = facts.stuck.iter().filter(|stuck| stuck.freshness_ms + LAG_MS < stuck.for_ms);
    let findings = hidden.map(|stuck| {
        let text = format!(
            "a scope of `{}` is stuck for {} ms, and its freshness is {} ms",
            stuck.feed, stuck.for_ms, stuck.freshness_ms
        );
        finding(Property::StuckIsSeen, text)
    });
    findings.collect()
}

/// Something is published of the feed all the same.
pub(super) fn others_go_on(facts: &Facts) -> Vec<Finding> {
    let held = facts.stuck.iter().filter(|one| one.published == 0 && one.for_ms > SHORT_MS);
    let findings = held.map(|stuck| {
        let text = format!("nothing of `{}` is published while a scope is stuck", stuck.feed);
        finding(Property::OthersGoOn, text)
    });
    findings.collect()
}
