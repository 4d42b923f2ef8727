//! What a row that was put aside comes to, when it is decoded once more.

use xxhash_rust::xxh3::xxh3_64;

use super::Differ;
use crate::shard::change::{Past, Redriven, fingerprint};

const CHANGED: &str =
    "its entity has been published since, so the row may be older than what is known";

const DELETED: &str = "its entity has been deleted since";

const UNTOLD: &str =
    "it does not say which state of its entity it followed, and that entity is published by now";

const NOT_THERE: &str = "the upstream's list has been read since, and does not have its entity";

const FORGOTTEN: &str = "it is older than what is remembered of its log (`topic.creation.log.retention.ms`), so its fact may have been published since, and forgotten";

impl Differ {
    /// Decodes a row that was put aside, and compares it with what was published; publishes nothing. `past` is what
    /// was known of its entity then, `age_ms` how long ago that was. Where it is new, it is to be given to
    /// [`Differ::observe`], before anything else is.
    ///
    /// The entity of a row whose key could not be told then, and which nothing is known of now, is taken for a new one.
    /// It may have been made and deleted in between: where lists tell absence, one that was read whole since this
    /// process has the feed says so; a feed of scopes deletes it again with the next list of its scope.
    pub fn redrive(&mut self, row: &[u8], scope: &str, past: Past, age_ms: i64) -> Redriven {
        if let Err(fault) = self.decode(row, scope) {
            return Redriven::Unreadable(fault);
        }
        let value = self.row.value.as_slice();
        let stable = self.contract.stable_len(value).unwrap_or(value.len());
        let content = fingerprint(&value[..stable]);
        let Some(id) = self.index.find(&self.row.key) else {
            let is_forgotten =
                self.recent.as_ref().is_some_and(|recent| age_ms >= recent.retention_ms);
            return match past {
                Past::Event(_) => Redriven::Changed(DELETED),
                _ if is_forgotten => Redriven::Changed(FORGOTTEN),
                _ if self.has_listed => Redriven::Changed(NOT_THERE),
                Past::Absent | Past::Unknown => Redriven::New,
            };
        };
        let entry = self.index.entry(id);
        let raw = xxh3_64(row).max(1);
        if entry.raw == raw
            || entry.fingerprint == content
            || self.is_coarse(entry.fingerprint, value)
        {
            return Redriven::Known;
        }
        match past {
            Past::Event(chain) if chain == entry.chain => Redriven::New,
            Past::Event(_) | Past::Absent => Redriven::Changed(CHANGED),
            Past::Unknown => Redriven::Changed(UNTOLD),
        }
    }
}
