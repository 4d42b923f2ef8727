//! The truth: books, visitors, the queue, sessions, and what was done when.

mod books;
mod hall;
mod queue;
mod statistics;
mod tickets;
mod visit;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::book::Book;
use super::reply::{Refusal, stamp};
use super::settings::Settings;

use visit::Visit;

pub(super) use visit::Filter;

/// What an operation answers: its data, or why not.
pub(super) type Outcome = Result<Value, Refusal>;

pub(super) const UNKNOWN_ITEM: Refusal = Refusal(150, "Object not found");
pub(super) const BAD_DATA: Refusal = Refusal(151, "Invalid parameters");

/// What an operation changed, so that its subscribers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Touched {
    Book(Book),
    Queue,
}

pub(super) struct Store {
    pub(super) settings: Settings,
    pub(super) books: BTreeMap<Book, BTreeMap<i64, Value>>,
    /// Visitors who are done: not in the book any more, but `getConsumer` still knows them.
    pub(super) finished: BTreeMap<i64, Value>,
    pub(super) touched: BTreeSet<Touched>,
    /// Open sessions by token.
    pub(super) sessions: BTreeSet<String>,
    visits: BTreeMap<i64, Visit>,
    /// Visits that changed since they were asked for.
    changed_visits: BTreeSet<i64>,
    last_id: i64,
    last_number: i64,
    last_token: u64,
    /// Added to the machine's clock, for tests that let time pass.
    pub(super) ahead_ms: i64,
}

impl Store {
    pub(super) fn new(settings: Settings) -> Store {
        let mut store = Store {
            settings,
            books: Book::ALL.into_iter().map(|book| (book, BTreeMap::new())).collect(),
            finished: BTreeMap::new(),
            touched: BTreeSet::new(),
            sessions: BTreeSet::new(),
            visits: BTreeMap::new(),
            changed_visits: BTreeSet::new(),
            last_id: 0,
            last_number: 0,
            last_token: 0,
            ahead_ms: 0,
        };
        store.furnish();
        store
    }

    /// The time of the upstream.
    pub(super) fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(self.ahead_ms)
    }

    pub(super) fn now(&self) -> String {
        stamp(self.now_ms())
    }

    /// An id that no item ever had.
    pub(super) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn touch(&mut self, book: Book) {
        self.touched.insert(Touched::Book(book));
        if matches!(book, Book::Consumer | Book::Workplace | Book::Service) {
            self.touched.insert(Touched::Queue);
        }
    }

    pub(super) fn item(&self, book: Book, id: i64) -> Option<&Value> {
        self.books.get(&book)?.get(&id)
    }

    pub(super) fn item_mut(&mut self, book: Book, id: i64) -> Result<&mut Value, Refusal> {
        self.books.get_mut(&book).and_then(|items| items.get_mut(&id)).ok_or(UNKNOWN_ITEM)
    }

    /// All items of a book, by id.
    pub(super) fn rows(&self, book: Book) -> Vec<Value> {
        self.books.get(&book).map(|items| items.values().cloned().collect()).unwrap_or_default()
    }

    /// Puts an item into a book.
    pub(super) fn put(&mut self, book: Book, id: i64, item: Value) {
        self.books.entry(book).or_default().insert(id, item);
        self.touch(book);
    }

    /// Opens a session. The password comes as its MD5; the one account's is compared as such.
    pub(super) fn login(&mut self, data: &Value) -> Outcome {
        let password = hash(&self.settings.password);
        let is_workplace = data["component"] == "workplace";
        if is_workplace && (data["login"] != self.settings.login || data["password"] != password) {
            return Err(Refusal(153, "Wrong login or password"));
        }
        self.last_token += 1;
        let seed = self.settings.seed;
        let token = format!("{{{seed:08x}-0000-4000-8000-{:012x}}}", self.last_token);
        self.sessions.insert(token.clone());
        let user = self.rows(Book::User).first().cloned().unwrap_or_default();
        let workplace = data["workplace"].as_i64().and_then(|id| self.item(Book::Workplace, id));
        Ok(
            json!({ "workplace": workplace.cloned().unwrap_or(json!({})), "user": user, "token": token }),
        )
    }

    pub(super) fn info(&self) -> Value {
        json!({
            "common": "1.0.3", "core": "1.0.5", "database": "1.0.1", "jsengine": "1.0.7",
            "wssserver": "1.0.6", "db": "1.0.0", "hasp": "1023919797",
            "sessions": self.sessions.len(),
        })
    }
}

/// Lower-case hex of the MD5.
pub(super) fn hash(text: &str) -> String {
    use md5::{Digest, Md5};
    Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
