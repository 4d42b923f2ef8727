//! Holds what was carried against what was to be carried.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::odd::Whole;

/// What may be said against a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// A record is not there.
    Lost,
    /// A record is there more than once.
    Twice,
    /// A record stands before one that it came behind.
    Reordered,
    /// A record is there that was aborted, or that nobody sent.
    Invented,
    /// A record is not what it was.
    Changed,
    /// A process ended by itself, or panicked, or did not end when it was told to.
    Ended,
    /// It does not come to an end.
    Stuck,
}

/// Something that is wrong.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What.
    pub property: Property,
    /// Where, and which record.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.property, self.text)
    }
}

/// How what was carried compares with what can be read at the source in the end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Relation<'a> {
    /// The same.
    Same,
    /// The beginning of it: the source vanished while it was read.
    Beginning,
    /// All of it, and records that were compacted since; none of these, which were aborted.
    Compacted(&'a HashSet<String>),
}

/// What is wrong with what was carried of one part, or of one key.
pub(super) fn compare(
    at: &str,
    (sent, found): (&[Whole], &[Whole]),
    relation: Relation<'_>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut wrong = |property, what: &str| {
        findings.push(Finding { property, text: format!("{at}: {what}") });
    };
    let places: HashMap<String, usize> =
        sent.iter().enumerate().map(|(place, record)| (record.id(), place)).collect();
    let (mut seen, mut last) = (HashSet::new(), None);
    for record in found {
        let id = record.id();
        if !seen.insert(id.clone()) {
            wrong(Property::Twice, &id);
            continue;
        }
        let Some(&place) = places.get(&id) else {
            let is_known = matches!(relation, Relation::Compacted(no) if !no.contains(&id));
            if !is_known {
                wrong(Property::Invented, &id);
            }
            continue;
        };
        if last.is_some_and(|last| place < last) {
            wrong(Property::Reordered, &format!("{id} behind {}", sent[last.unwrap_or(0)].id()));
        }
        last = last.max(Some(place));
        if sent[place] != *record {
            wrong(Property::Changed, &format!("{:?} is {record:?}", sent[place]));
        }
    }
    let needed = match relation {
        Relation::Beginning => last.map_or(0, |last| last + 1),
        Relation::Same | Relation::Compacted(_) => sent.len(),
    };
    for record in sent[..needed].iter().filter(|record| !seen.contains(&record.id())) {
        wrong(Property::Lost, &record.id());
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::odd::ID;
    use super::*;

    fn record(id: &str) -> Whole {
        let headers = vec![(ID.to_owned(), Some(id.as_bytes().to_vec()))];
        Whole { key: None, value: Some(Vec::new()), headers, at_ms: Some(1) }
    }

    fn records(ids: &str) -> Vec<Whole> {
        ids.chars().map(|id| record(&id.to_string())).collect()
    }

    /// What is found where one was sent and another one is there.
    fn found(sent: &str, there: &str, relation: Relation<'_>) -> Vec<Property> {
        let all = compare("t/0", (&records(sent), &records(there)), relation);
        all.into_iter().map(|finding| finding.property).collect()
    }

    #[test]
    fn the_checker_of_relays_sees_each_fault_that_is_planted() {
        use Property::{Invented, Lost, Reordered, Twice};
        assert_eq!(found("abc", "abc", Relation::Same), []);
        assert_eq!(found("abc", "ac", Relation::Same), [Lost]);
        assert_eq!(found("abc", "ab", Relation::Same), [Lost]);
        assert_eq!(found("abc", "abbc", Relation::Same), [Twice]);
        assert_eq!(found("abc", "acb", Relation::Same), [Reordered]);
        assert_eq!(found("abc", "abxc", Relation::Same), [Invented]);
        assert_eq!(found("abc", "ab", Relation::Beginning), []);
        assert_eq!(found("abc", "ac", Relation::Beginning), [Lost]);
        let aborted = HashSet::from(["x".to_owned()]);
        assert_eq!(found("bc", "abc", Relation::Compacted(&aborted)), []);
        assert_eq!(found("bc", "axbc", Relation::Compacted(&aborted)), [Invented]);
        assert_eq!(found("bc", "ab", Relation::Compacted(&aborted)), [Lost]);
        assert_eq!(found("bc", "cab", Relation::Compacted(&aborted)), [Reordered]);
    }

    #[test]
    fn the_checker_of_relays_sees_a_value_that_is_empty_and_was_a_tombstone() {
        let tombstone = Whole { value: None, ..record("a") };
        let all = compare("t/0", (&[tombstone], &[record("a")]), Relation::Same);
        assert_eq!(all[0].property, Property::Changed);
    }
}
