//! How a rolling restart went.

use super::finding::{Finding, Property, finding};
use crate::facts::Facts;

/// The longest time until every connector is up again in exactly one process.
const SETTLED_MS: u64 = 180_000;
/// The most moves of a connector.
const MOVES: usize = 2;

/// It is over in time, and no connector moved more often than twice.
pub(super) fn rolls_in_bounds(facts: &Facts) -> Vec<Finding> {
    let Some(rolling) = &facts.rolling else { return Vec::new() };
    let mut texts = Vec::new();
    match rolling.settled_ms {
        Some(ms) if ms <= SETTLED_MS => {}
        Some(ms) => texts.push(format!("settled after {} s", ms / 1_000)),
        None => texts.push("never settled".to_owned()),
    }
    for (connector, moves) in rolling.moves.iter().filter(|(_, moves)| **moves > MOVES) {
        texts.push(format!("`{connector}` moved {moves} times"));
    }
    texts.into_iter().map(|text| finding(Property::RollsInBounds, text)).collect()
}
