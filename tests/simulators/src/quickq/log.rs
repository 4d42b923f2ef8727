//! The states of everything that lists and statistics show, as they are kept.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::book::Book;
use super::reply::dress;
use super::store::{Store, Touched};

/// What has states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The items of a book, by id.
    Book(Book),
    /// The visitors in the queue of a workplace, with their services, by id.
    Queue(i64),
    /// Visits as `statistics` tells them, by the id of the visitor.
    Visits,
}

/// The states as they are kept.
#[derive(Default)]
pub(super) struct Log {
    states: BTreeMap<Kind, BTreeMap<i64, Vec<Option<Value>>>>,
    /// Whether a queue changes with time: somebody in it may not be called yet.
    changes_by_itself: bool,
}

impl Log {
    /// The states of each entity of a kind, in order; none where it was absent.
    pub(super) fn states(&self, kind: Kind) -> BTreeMap<i64, Vec<Option<Value>>> {
        self.states.get(&kind).cloned().unwrap_or_default()
    }

    /// Notes what differs from what was noted last, of what was touched.
    pub(super) fn record(&mut self, store: &mut Store, touched: &BTreeSet<Touched>) {
        for touched in touched {
            match *touched {
                Touched::Book(book) => {
                    let rows = store.rows(book);
                    self.list(Kind::Book(book), rows, store);
                }
                Touched::Queue => self.queues(store),
            }
        }
        for (id, visit) in store.changed_visits() {
            self.note(Kind::Visits, id, Some(visit));
        }
    }

    /// Notes what has changed since by time alone. To be called before each change.
    pub(super) fn catch_up(&mut self, store: &Store) {
        if self.changes_by_itself {
            self.queues(store);
        }
    }

    fn queues(&mut self, store: &Store) {
        self.changes_by_itself = false;
        for workplace in 1..=store.settings.workplaces {
            let rows = store.queue(workplace, true).unwrap_or_default();
            self.changes_by_itself |= rows.iter().any(|row| row["mayCall"] == false);
            self.list(Kind::Queue(workplace), rows, store);
        }
    }

    fn list(&mut self, kind: Kind, rows: Vec<Value>, store: &Store) {
        let known = self.states.entry(kind).or_default();
        let mut left: BTreeSet<i64> = known
            .iter()
            .filter(|(_, states)| states.last().is_some_and(Option::is_some))
            .map(|(id, _)| *id)
            .collect();
        for mut row in rows {
            let id = row["id"].as_i64().unwrap_or_default();
            left.remove(&id);
            dress(&store.settings, &mut row);
            self.note(kind, id, Some(row));
        }
        for id in left {
            self.note(kind, id, None);
        }
    }

    fn note(&mut self, kind: Kind, id: i64, state: Option<Value>) {
        let states = self.states.entry(kind).or_default().entry(id).or_default();
        if states.last() != Some(&state) {
            states.push(state);
        }
    }
}
