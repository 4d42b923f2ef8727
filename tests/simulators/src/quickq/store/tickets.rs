//! Visitors: how they come, and who waits for whom.

use serde_json::{Map, Value, json};

use super::{BAD_DATA, Outcome, Store, UNKNOWN_ITEM};
use crate::quickq::book::Book;
use crate::quickq::reply::{Refusal, stamp};

/// Where an operation stands in a visitor's services.
pub(super) type Place = (String, String, String);

impl Store {
    /// The visitors that a workplace could call, best first.
    pub(in crate::quickq) fn queue(
        &self,
        workplace: i64,
        detailed: bool,
    ) -> Result<Vec<Value>, Refusal> {
        let place = self.item(Book::Workplace, workplace).ok_or(UNKNOWN_ITEM)?;
        let consumers =
            self.books.get(&Book::Consumer).into_iter().flat_map(|items| items.values());
        let mut waiting: Vec<&Value> = consumers
            .filter(|consumer| matches!(consumer["state"].as_str(), Some("WAITING" | "POSTPONE")))
            .filter(|consumer| !callable(consumer, place).is_empty())
            .collect();
        waiting.sort_by_key(|consumer| {
            (-consumer["priority"].as_i64().unwrap_or(0), consumer["id"].as_i64())
        });
        let now = self.now();
        Ok(waiting
            .into_iter()
            .map(|consumer| {
                let mut row = Map::new();
                for name in [
                    "id",
                    "prefix",
                    "number",
                    "priority",
                    "registration",
                    "workplace_id",
                    "last_call",
                    "postpone_to",
                    "ticket",
                ] {
                    if let Some(value) = consumer.get(name) {
                        row.insert(name.to_owned(), value.clone());
                    }
                }
                let is_free = consumer["postpone_to"].as_str().is_none_or(|to| to <= now.as_str());
                row.insert("mayCall".to_owned(), is_free.into());
                if detailed {
                    row.insert("services".to_owned(), consumer["services"].clone());
                }
                row.insert("state".to_owned(), consumer["state"].clone());
                Value::Object(row)
            })
            .collect())
    }

    /// `registrateConsumer`, `newConsumer`.
    pub(in crate::quickq) fn register(&mut self, data: &Value) -> Outcome {
        let wanted = data["services"].as_array().filter(|list| !list.is_empty()).ok_or(BAD_DATA)?;
        let mut services = Map::new();
        let mut prefix = Value::from("");
        for service in wanted {
            let service = service.as_i64().ok_or(BAD_DATA)?;
            services.insert(service.to_string(), self.stages_of(service)?);
            if let Some(range) = self.item(Book::TicketRange, service) {
                prefix = range["prefix"].clone();
            }
        }
        let id = self.next_id();
        self.last_number = self.last_number % 999 + 1;
        let (number, now_ms) = (self.last_number, self.now_ms());
        let prefix_text = prefix.as_str().unwrap_or_default().to_owned();
        let ticket = if prefix_text.is_empty() {
            number.to_string()
        } else {
            format!("{prefix_text}{number:03}")
        };
        let consumer = json!({
            "services": services, "id": id, "prefix": prefix, "number": number,
            "priority": 50 + data["priority"].as_i64().unwrap_or(0),
            // Whole seconds, rounded up as in the sample.
            "registration": stamp((now_ms + 999) / 1000 * 1000), "active": true,
            "workplace_id": -1, "vanish_count": 0,
            "comment": data["comment"].as_str().unwrap_or_default(), "pin_code": "",
            "state_changed": stamp(now_ms), "last_update": stamp(now_ms), "ticket": ticket,
            "state": "WAITING",
        });
        self.put(Book::Consumer, id, consumer.clone());
        self.open_visit(id, &consumer);
        Ok(consumer)
    }

    /// The stages of a service as a new visitor has them.
    pub(super) fn stages_of(&self, service: i64) -> Outcome {
        let stages = &self.item(Book::Service, service).ok_or(UNKNOWN_ITEM)?["operations"];
        let stages = stages.as_object().ok_or(BAD_DATA)?.iter().map(|(stage, operations)| {
            let operations = operations.as_array().into_iter().flatten();
            let waiting: Map<String, Value> =
                operations.map(|id| (id.to_string(), json!({ "state": "WAITING" }))).collect();
            (stage.clone(), Value::Object(waiting))
        });
        Ok(Value::Object(stages.collect()))
    }
}

/// All operations of a visitor with their states.
pub(super) fn operations(consumer: &Value) -> impl Iterator<Item = (Place, &str)> {
    let services = consumer["services"].as_object().into_iter().flatten();
    services.flat_map(|(service, stages)| {
        stages.as_object().into_iter().flatten().flat_map(move |(stage, operations)| {
            operations.as_object().into_iter().flatten().map(move |(operation, now)| {
                let place = (service.clone(), stage.clone(), operation.clone());
                (place, now["state"].as_str().unwrap_or_default())
            })
        })
    })
}

/// The open operations of the first open stage of each service that a workplace can serve.
pub(super) fn callable(consumer: &Value, workplace: &Value) -> Vec<Place> {
    let is_open = |state: &str| matches!(state, "WAITING" | "POSTPONE");
    let can = |operation: &str| {
        workplace["all_operations"] == 1
            || workplace["operations"].as_array().is_some_and(|list| {
                list.iter().any(|id| operation.parse::<i64>().ok() == id.as_i64())
            })
    };
    let rank = |stage: &str| stage.parse::<i64>().unwrap_or(i64::MAX);
    let open: Vec<Place> =
        operations(consumer).filter(|(_, state)| is_open(state)).map(|(place, _)| place).collect();
    let first = |service: &str| {
        open.iter().filter(|place| place.0 == service).map(|place| rank(&place.1)).min()
    };
    let is_first = |place: &&Place| first(&place.0) == Some(rank(&place.1)) && can(&place.2);
    open.iter().filter(is_first).cloned().collect()
}
