//! The upstream: a shop with items in two halls, entries in a book, and a name that can be changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use talon_sdk::conformance::{Ailment, Loss};

pub(crate) const HALLS: [&str; 2] = ["a", "b"];

/// Somebody's, and in the answer of a shop that fails.
pub(crate) const SPOKEN: &str = "spoken-in-confidence";

#[derive(Default)]
pub(crate) struct Shop {
    /// Hall and name, by number.
    pub(crate) items: BTreeMap<i64, (&'static str, String)>,
    /// Entries in order; the mark of each is its place.
    pub(crate) entries: Vec<String>,
    pub(crate) is_respelled: bool,
    pub(crate) ails: Option<Ailment>,
    pub(crate) loses: Option<Loss>,
    pub(crate) sent: u64,
    pub(crate) done: u64,
    pub(crate) sessions: u64,
    spellings: usize,
}

pub(crate) type Shared = Arc<Mutex<Shop>>;

/// What becomes of a request to rename.
pub(crate) enum Renamed {
    Done,
    NoSuchItem,
    Lost,
}

impl Shop {
    pub(crate) fn furnished() -> Shared {
        let mut shop = Shop::default();
        for id in 1..=6 {
            let hall = HALLS[usize::from(id > 3)];
            shop.items.insert(id, (hall, format!("Person-{id}")));
        }
        for number in 0..7 {
            shop.entries.push(format!("entry {number}"));
        }
        Arc::new(Mutex::new(shop))
    }

    /// The rows of a hall as texts.
    pub(crate) fn hall(&mut self, hall: &str) -> Result<Vec<String>, String> {
        self.answers()?;
        let items = self.items.iter().filter(|(_, (own, _))| *own == hall);
        let rows = items.map(|(id, (hall, name))| json!({"id": id, "hall": hall, "name": name}));
        let rows: Vec<Value> = rows.collect();
        Ok(rows.into_iter().map(|row| self.spelled(&row)).collect())
    }

    /// The entries above a mark.
    pub(crate) fn since(&mut self, mark: usize) -> Result<Vec<(usize, String)>, String> {
        self.answers()?;
        let entries = self.entries.clone().into_iter().enumerate().skip(mark);
        let row = |(place, text): (usize, String)| {
            (place + 1, self.spelled(&json!({"id": place + 1, "text": text})))
        };
        Ok(entries.map(row).collect())
    }

    pub(crate) fn rename(&mut self, id: i64, name: &str) -> Renamed {
        self.sent += 1;
        let loses = self.loses.take();
        if loses == Some(Loss::Before) {
            return Renamed::Lost;
        }
        let Some(item) = self.items.get_mut(&id) else { return Renamed::NoSuchItem };
        name.clone_into(&mut item.1);
        self.done += 1;
        if loses.is_some() { Renamed::Lost } else { Renamed::Done }
    }

    fn answers(&self) -> Result<(), String> {
        match self.ails {
            None | Some(Ailment::OddRows) => Ok(()),
            Some(_) => Err(format!("it failed for {SPOKEN}")),
        }
    }

    /// Another number of blanks each time.
    fn spelled(&mut self, row: &Value) -> String {
        if self.ails == Some(Ailment::OddRows) {
            return format!("[{row}]");
        }
        if !self.is_respelled {
            return row.to_string();
        }
        self.spellings += 1;
        row.to_string().replace(',', &format!(",{}", " ".repeat(self.spellings % 7)))
    }
}
