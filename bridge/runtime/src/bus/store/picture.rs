//! What a follower has told, against which what is read is compared.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::entries::{Entry, Told};

/// What stands under a key; without a value it was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its revision.
    pub revision: u64,
    /// Its value.
    pub value: Option<Bytes>,
}

/// What a follower has told. For buses.
#[derive(Debug, Default)]
pub(super) struct Picture {
    known: BTreeMap<String, Record>,
}

impl Picture {
    /// Everything was read anew, and is so: what is to be told, oldest first, and last that it is current.
    pub(super) fn replace(&mut self, all: BTreeMap<String, Record>) -> Vec<Told> {
        let mut news: Vec<(u64, Told)> = Vec::new();
        for (key, _) in self.known.iter().filter(|(_, record)| record.value.is_some()) {
            match all.get(key) {
                Some(Record { value: Some(_), .. }) => {}
                // It vanished without a word, who knows when.
                None => news.push((0, Told::Removed(key.clone()))),
                Some(removal) => news.push((removal.revision, Told::Removed(key.clone()))),
            }
        }
        for (key, record) in &all {
            if self.known.get(key) != Some(record) {
                let entry = entry(key, record).map(|entry| (entry.revision, Told::Entry(entry)));
                news.extend(entry);
            }
        }
        news.sort_by_key(|(revision, _)| *revision);
        let mut told: Vec<Told> = news.into_iter().map(|(_, new)| new).collect();
        told.push(Told::Current);
        self.known = all;
        told
    }

    /// A record came that follows what was read: what is to be told. One that is older than what is known of its
    /// key was read already.
    pub(super) fn change(&mut self, key: &str, record: Record) -> Option<Told> {
        let before = self.known.get(key);
        if before.is_some_and(|before| record.revision <= before.revision) {
            return None;
        }
        let was_there = before.is_some_and(|before| before.value.is_some());
        let told = match entry(key, &record) {
            Some(entry) => Some(Told::Entry(entry)),
            None => was_there.then(|| Told::Removed(key.to_owned())),
        };
        self.known.insert(key.to_owned(), record);
        told
    }
}

fn entry(key: &str, record: &Record) -> Option<Entry> {
    let value = record.value.clone()?;
    Some(Entry { key: key.to_owned(), value, revision: record.revision })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(revision: u64, value: Option<&str>) -> Record {
        Record { revision, value: value.map(|value| Bytes::from(value.to_owned())) }
    }

    fn all(records: &[(&str, u64, Option<&str>)]) -> BTreeMap<String, Record> {
        let one = |(key, revision, value): &(&str, u64, Option<&str>)| {
            ((*key).to_owned(), record(*revision, *value))
        };
        records.iter().map(one).collect()
    }

    fn told(key: &str, revision: u64, value: &str) -> Told {
        let value = Bytes::from(value.to_owned());
        Told::Entry(Entry { key: key.to_owned(), value, revision })
    }

    #[test]
    fn what_is_read_anew_is_told_where_it_differs_and_what_vanished_is_removed() {
        let mut picture = Picture::default();
        let first = picture.replace(all(&[
            ("b", 2, Some("2")),
            ("a", 5, Some("5")),
            ("c", 3, Some("3")),
            ("d", 4, None),
        ]));
        assert_eq!(
            first,
            [told("b", 2, "2"), told("c", 3, "3"), told("a", 5, "5"), Told::Current],
            "oldest first, and what was removed before is not told"
        );
        // `b` vanished without a word, `c` by a record, `a` is another one, and `d` is back.
        let second =
            picture.replace(all(&[("c", 6, None), ("d", 7, Some("7")), ("a", 8, Some("8"))]));
        let removed = |key: &str| Told::Removed(key.to_owned());
        assert_eq!(
            second,
            [removed("b"), removed("c"), told("d", 7, "7"), told("a", 8, "8"), Told::Current]
        );
        assert_eq!(
            picture.replace(all(&[("d", 7, Some("7")), ("a", 8, Some("8"))])),
            [Told::Current]
        );
    }

    #[test]
    fn a_store_that_was_made_anew_is_told_though_its_revisions_are_lower() {
        let mut picture = Picture::default();
        picture.replace(all(&[("a", 9, Some("9"))]));
        assert_eq!(
            picture.replace(all(&[("a", 1, Some("1"))])),
            [told("a", 1, "1"), Told::Current]
        );
        assert_eq!(picture.change("a", record(2, Some("2"))), Some(told("a", 2, "2")));
    }

    #[test]
    fn a_change_that_was_read_already_is_not_told_again() {
        let mut picture = Picture::default();
        picture.replace(all(&[("a", 3, Some("3")), ("b", 4, None)]));
        for (key, revision) in [("a", 2), ("a", 3), ("b", 4)] {
            assert_eq!(
                picture.change(key, record(revision, Some("old"))),
                None,
                "{key} {revision}"
            );
        }
        assert_eq!(picture.change("b", record(5, Some("5"))), Some(told("b", 5, "5")));
        assert_eq!(picture.change("b", record(6, None)), Some(Told::Removed("b".to_owned())));
        assert_eq!(picture.change("b", record(7, None)), None);
    }
}
