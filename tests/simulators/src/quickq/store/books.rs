//! The generic commands of the books.

use serde_json::{Map, Value, json};

use super::{BAD_DATA, Outcome, Store, UNKNOWN_ITEM};
use crate::quickq::book::Book;
use crate::quickq::reply::{Refusal, success};

const IN_USE: Refusal = Refusal(160, "Integrity constraint violation");

impl Store {
    /// By `id` or by `name`.
    pub(in crate::quickq) fn get(&self, book: Book, data: &Value) -> Outcome {
        let by_id = data["id"].as_i64();
        let items = self.books.get(&book);
        let found = match by_id {
            Some(id) => items
                .and_then(|items| items.get(&id))
                .or_else(|| self.finished.get(&id).filter(|_| book == Book::Consumer)),
            None => data["name"].as_str().and_then(|name| {
                items.and_then(|items| items.values().find(|item| item["name"] == name))
            }),
        };
        let item = found.cloned().ok_or(UNKNOWN_ITEM)?;
        Ok(if book == Book::Consumer { self.whole(item) } else { item })
    }

    pub(in crate::quickq) fn set(&mut self, book: Book, data: &Value) -> Outcome {
        let id = data["id"].as_i64().ok_or(BAD_DATA)?;
        let changes = data.as_object().ok_or(BAD_DATA)?.clone();
        let item = self.item_mut(book, id)?;
        if let Some(fields) = item.as_object_mut() {
            fields.extend(changes);
        }
        self.stamp_item(book, id);
        Ok(success())
    }

    pub(in crate::quickq) fn new_item(&mut self, book: Book, data: &Value) -> Outcome {
        let mut fields = data.as_object().ok_or(BAD_DATA)?.clone();
        let id = self.next_id();
        let mut item = Map::new();
        item.insert("id".to_owned(), id.into());
        fields.remove("id");
        item.extend(fields);
        if book == Book::Service {
            for (name, usual) in
                [("disabled", json!(0)), ("description", Value::Null), ("pin_code", Value::Null)]
            {
                item.entry(name).or_insert(usual);
            }
        }
        let item = Value::Object(item);
        self.put(book, id, item.clone());
        Ok(item)
    }

    pub(in crate::quickq) fn remove(&mut self, book: Book, data: &Value) -> Outcome {
        let id = data["id"].as_i64().ok_or(BAD_DATA)?;
        self.item(book, id).ok_or(UNKNOWN_ITEM)?;
        self.check_unused(book, id)?;
        if let Some(items) = self.books.get_mut(&book) {
            items.remove(&id);
        }
        self.touch(book);
        Ok(success())
    }

    pub(in crate::quickq) fn remove_all(&mut self, book: Book) -> Outcome {
        let ids: Vec<i64> =
            self.books.get(&book).into_iter().flat_map(|b| b.keys().copied()).collect();
        for id in &ids {
            self.check_unused(book, *id)?;
        }
        if let Some(items) = self.books.get_mut(&book) {
            items.clear();
        }
        self.touch(book);
        Ok(success())
    }

    /// An operation in a service, a service or a workplace with a visitor cannot be removed.
    fn check_unused(&self, book: Book, id: i64) -> Result<(), Refusal> {
        let is_used = match book {
            Book::Operation => self.rows(Book::Service).iter().any(|service| {
                let stages = service["operations"].as_object();
                stages.into_iter().flat_map(Map::values).any(|operations| {
                    operations.as_array().is_some_and(|list| list.contains(&json!(id)))
                })
            }),
            Book::Service => self
                .rows(Book::Consumer)
                .iter()
                .any(|consumer| consumer["services"].get(id.to_string()).is_some()),
            Book::Workplace => {
                self.item(book, id).is_some_and(|place| place["consumer_id"] != json!(-1))
            }
            _ => false,
        };
        if is_used { Err(IN_USE) } else { Ok(()) }
    }

    /// Notes that an item changed now.
    pub(super) fn stamp_item(&mut self, book: Book, id: i64) {
        let now = self.now();
        if let Some(item) = self.books.get_mut(&book).and_then(|items| items.get_mut(&id))
            && item.get("last_update").is_some()
        {
            item["last_update"] = now.into();
        }
        self.touch(book);
    }
}
