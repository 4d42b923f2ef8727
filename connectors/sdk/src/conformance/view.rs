//! What the topics would hold of a feed, as the runtime keeps it.

use std::collections::{BTreeMap, BTreeSet};

use super::report::Property;
use crate::{Coverage, FeedPlan, Kind, Observation, Row};

/// An entity as it was published last.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) scope: String,
    pub(super) value: Vec<u8>,
    /// The leading part of the value that counts as content.
    stable: usize,
}

impl Known {
    pub(super) fn content(&self) -> &[u8] {
        &self.value[..self.stable]
    }
}

/// All entities of a feed.
#[derive(Clone, Default)]
pub(super) struct View {
    pub(super) entities: BTreeMap<String, Known>,
    /// Full lists that are under way: the next part, and the keys so far.
    lists: BTreeMap<String, (u32, BTreeSet<String>)>,
}

/// What an observation brought.
#[derive(Default)]
pub(super) struct News {
    pub(super) changed: BTreeSet<String>,
    pub(super) absent: BTreeSet<String>,
    /// Promises that it breaks.
    pub(super) wrong: Vec<(Property, String)>,
    /// Whether it ended a full list.
    pub(super) is_full: bool,
}

impl View {
    /// Takes an observation in. `truth` are the keys that there are.
    pub(super) fn apply(
        &mut self,
        plan: &FeedPlan,
        seen: &Observation,
        truth: &BTreeSet<String>,
    ) -> News {
        let mut news = News::default();
        let claims =
            !matches!(seen.coverage, Coverage::Delta | Coverage::Audit | Coverage::Incomplete);
        let is_list = claims && plan.codec.tells_absence();
        if claims && !plan.codec.tells_absence() {
            let what = format!("{:?}, though the codec says it tells no absence", seen.coverage);
            news.wrong.push((Property::Absence, what));
        }
        let mut keys = BTreeSet::new();
        for (place, row) in seen.rows.iter().enumerate() {
            match self.take(plan, &seen.scope, row, is_list, &mut news) {
                Ok(key) => _ = keys.insert(key),
                Err(fault) => {
                    let what =
                        format!("row {place} of scope `{}` does not decode: {fault}", seen.scope);
                    news.wrong.push((Property::Works, what));
                }
            }
        }
        if let Some(list) = is_list.then(|| self.listed(seen, keys)).flatten() {
            news.is_full = true;
            let is_gone = |(key, known): &(&String, &Known)| {
                known.scope == seen.scope && !list.contains(*key)
            };
            let gone = self.entities.iter().filter(is_gone).map(|(key, _)| key.clone());
            for key in gone.collect::<Vec<_>>() {
                if truth.contains(&key) {
                    let what = format!(
                        "the full list of scope `{}` lacks `{key}`, which is there: it would be deleted",
                        seen.scope
                    );
                    news.wrong.push((Property::Absence, what));
                }
                self.entities.remove(&key);
                plan.codec.remember(&key, None);
                news.absent.insert(key);
            }
        }
        news
    }

    fn take(
        &mut self,
        plan: &FeedPlan,
        scope: &str,
        bytes: &[u8],
        is_list: bool,
        news: &mut News,
    ) -> Result<String, String> {
        let mut row = Row::default();
        plan.codec.decode(bytes, scope, &mut row).map_err(|fault| fault.to_string())?;
        let Row { key, value, .. } = row;
        let stable = plan.spec.contract().stable_len(&value);
        let stable = stable.map_err(|_| "its value does not fit its schema".to_owned())?;
        let before = self.entities.get(&key);
        if let Some(before) = before
            && is_list
            && before.scope != scope
        {
            let what =
                format!("`{key}` stands in the lists of `{}` and of `{scope}`", before.scope);
            news.wrong.push((Property::Absence, what));
        }
        if before.is_none_or(|before| before.content() != &value[..stable]) {
            plan.codec.remember(&key, Some(&value));
            news.changed.insert(key.clone());
        }
        let known = Known { scope: scope.to_owned(), value, stable };
        self.entities.insert(key.clone(), known);
        Ok(key)
    }

    /// The keys of a list that is whole with this observation.
    fn listed(&mut self, seen: &Observation, keys: BTreeSet<String>) -> Option<BTreeSet<String>> {
        let (number, is_last) = match seen.coverage {
            Coverage::Part(number) => (number, false),
            Coverage::Last(number) => (number, true),
            _ => return Some(keys),
        };
        let mut list = match (number, self.lists.remove(&seen.scope)) {
            (0, _) => BTreeSet::new(),
            (_, Some((next, list))) if next == number => list,
            // A part is missing, so it tells nothing.
            _ => return None,
        };
        list.extend(keys);
        if is_last {
            return Some(list);
        }
        self.lists.insert(seen.scope.clone(), (number + 1, list));
        None
    }

    /// The first difference to another view, in words. Of a log, what the other one does not know was known
    /// earlier.
    pub(super) fn differs(&self, plan: &FeedPlan, from: &View) -> Option<String> {
        for (key, known) in &from.entities {
            match self.entities.get(key) {
                None => return Some(format!("`{key}` is missed")),
                Some(own) if own.content() != known.content() => {
                    return Some(format!("the last change of `{key}` is missed"));
                }
                Some(_) => {}
            }
        }
        let mut own = self.entities.keys().filter(|_| plan.spec.kind == Kind::Table);
        let gone = own.find(|key| !from.entities.contains_key(*key))?;
        Some(format!("that `{gone}` is gone is missed"))
    }
}
