//! What is done, as the feed's cursor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use talon_sdk::Fault;

use super::Plan;
use crate::export::day::{Day, Days};

/// By branch.
#[derive(Serialize, Deserialize)]
struct Position(BTreeMap<String, BranchPosition>);

#[derive(Serialize, Deserialize)]
struct BranchPosition {
    start: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    done: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    off: Option<String>,
}

/// Whether a text is a cursor of the feed.
pub(crate) fn is_position(cursor: &str) -> bool {
    let Ok(position) = serde_json::from_str::<Position>(cursor) else { return false };
    position.0.values().all(|BranchPosition { start, done, off }| {
        let has_days = Day::parse(start).is_some() && Days::decode(done).is_some();
        has_days && off.as_deref().is_none_or(|off| Day::parse(off).is_some())
    })
}

impl Plan {
    /// The cursor: about a hundred bytes a branch.
    pub(crate) fn position(&self) -> String {
        let branches = self.branches.iter().filter_map(|(id, branch)| {
            let position = BranchPosition {
                start: branch.start?.to_string(),
                done: branch.done.encode(),
                off: branch.off.map(|off| off.to_string()),
            };
            Some((id.clone(), position))
        });
        serde_json::json!(Position(branches.collect())).to_string()
    }

    /// Goes on from a cursor.
    pub(crate) fn restore(&mut self, cursor: &str) -> Result<(), Fault> {
        let strange = || Fault::Internal {
            reason: "the checkpoint's cursor is no position of this feed".to_owned(),
        };
        let position: Position = serde_json::from_str(cursor).map_err(|_| strange())?;
        for (id, BranchPosition { start, done, off }) in position.0 {
            let branch = self.branches.entry(id).or_default();
            branch.start = Some(Day::parse(&start).ok_or_else(strange)?);
            branch.done = Days::decode(&done).ok_or_else(strange)?;
            branch.off = match off {
                Some(off) => Some(Day::parse(&off).ok_or_else(strange)?),
                None => None,
            };
        }
        Ok(())
    }
}
