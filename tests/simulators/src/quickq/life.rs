//! The seeded life: visitors come, are called, served, rejected, postponed; books are edited.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::book::Book;
use super::commands::{self, Request};
use super::store::Store;

/// The source of random edits.
pub(super) struct Life {
    random: ChaCha8Rng,
    edits: u64,
}

impl Life {
    pub(super) fn new(seed: u64) -> Life {
        Life { random: ChaCha8Rng::seed_from_u64(seed), edits: 0 }
    }

    /// One visitor comes.
    pub(super) fn arrive(&mut self, store: &mut Store) {
        let services: Vec<i64> =
            store.rows(Book::Service).iter().filter_map(|s| s["id"].as_i64()).collect();
        let Some(&service) = services.choose(&mut self.random) else { return };
        let comment = if self.random.random_bool(0.2) {
            "Какой-то комментарий"
        } else {
            ""
        };
        let data = json!({ "services": [service], "priority": 0, "comment": comment });
        // A service without operations takes no visitors.
        store.register(&data).ok();
    }

    /// One random edit. What the house refuses changes nothing.
    pub(super) fn edit(&mut self, store: &mut Store) {
        self.edits += 1;
        let quiet_from = store.settings.quiet_from;
        let workplaces: Vec<i64> = store
            .rows(Book::Workplace)
            .iter()
            .filter_map(|place| place["id"].as_i64())
            .filter(|id| *id < quiet_from)
            .collect();
        let workplace = workplaces.choose(&mut self.random).copied().unwrap_or(1);
        match self.random.random_range(0..100) {
            0..30 => self.arrive(store),
            30..55 => self.act(store, "nextConsumer", json!({ "workplace": workplace })),
            55..72 => self.act(store, "serveConsumer", json!({ "workplace": workplace })),
            72..76 => self.act(
                store,
                "rejectConsumer",
                json!({ "workplace": workplace, "comment": "Забыл документы" }),
            ),
            76..80 => self.act(
                store,
                "postponeConsumer",
                json!({ "workplace": workplace, "delay": "0", "return2me": false }),
            ),
            80..84 => self.act(store, "skipConsumer", json!({ "workplace": workplace })),
            84..87 => {
                let service = self.random.random_range(1..=4);
                self.act(
                    store,
                    "addService",
                    json!({ "workplace": workplace, "service": service }),
                );
            }
            87..95 => self.edit_book(store),
            95..98 => {
                let name = format!("Новое {}", self.edits);
                let book = self.some_book();
                store.new_item(book, &json!({ "name": name })).ok();
            }
            _ => {
                let book = self.some_book();
                // Those of the start stay, so that the hall goes on working.
                let made = store
                    .rows(book)
                    .iter()
                    .filter_map(|item| item["id"].as_i64())
                    .find(|id| *id > 1000);
                if let Some(id) = made {
                    store.remove(book, &json!({ "id": id })).ok();
                }
            }
        }
    }

    /// A book in which items may come and go without breaking the hall.
    fn some_book(&mut self) -> Book {
        let books = [Book::QBoard, Book::ScoreBoard, Book::Registrator, Book::UserRole];
        books.choose(&mut self.random).copied().unwrap_or(Book::QBoard)
    }

    fn edit_book(&mut self, store: &mut Store) {
        let books = [
            Book::Operation,
            Book::Service,
            Book::User,
            Book::TicketRange,
            Book::QBoard,
            Book::ConsumerPreRegistered,
        ];
        let Some(&book) = books.choose(&mut self.random) else { return };
        let rows = store.rows(book);
        let Some(id) = rows.choose(&mut self.random).and_then(|row| row["id"].as_i64()) else {
            return;
        };
        let change = json!({ "id": id, "description": format!("Правка {}", self.edits) });
        store.set(book, &change).ok();
    }

    fn act(&mut self, store: &mut Store, command: &str, data: Value) {
        let token = store.sessions.first().cloned();
        let inner = token.clone().unwrap_or_else(|| "{life}".to_owned());
        let is_new = store.sessions.insert(inner.clone());
        let request = Request { command: command.to_owned(), token: Some(inner.clone()), data };
        commands::run(store, &request);
        if is_new {
            store.sessions.remove(&inner);
        }
    }
}
