//! `statistics`: what was done when.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Store;
use super::visit::{Filter, State, Visit};
use crate::quickq::book::Book;
use crate::quickq::reply::stamp;

impl Store {
    pub(super) fn open_visit(&mut self, id: i64, consumer: &Value) {
        let visit = Visit {
            ticket: consumer["ticket"].clone(),
            registered_ms: self.now_ms(),
            done_ms: None,
            states: BTreeMap::new(),
        };
        self.visits.insert(id, visit);
    }

    pub(super) fn close_visit(&mut self, id: i64) {
        let now = self.now_ms();
        self.changed_visits.insert(id);
        if let Some(visit) = self.visits.get_mut(&id) {
            visit.done_ms = Some(now);
        }
    }

    pub(super) fn note_state(
        &mut self,
        id: i64,
        place: &(String, String, String),
        state: &str,
        workplace: i64,
        comment: Option<&str>,
        at_ms: i64,
    ) {
        self.changed_visits.insert(id);
        if let Some(visit) = self.visits.get_mut(&id) {
            visit.states.entry(place.clone()).or_default().push(State {
                state: state.to_owned(),
                at_ms,
                comment: comment.map(str::to_owned),
                workplace,
            });
        }
    }

    /// How many states there are in all.
    pub(in crate::quickq) fn state_count(&self) -> usize {
        self.visits.values().flat_map(|visit| visit.states.values()).map(Vec::len).sum()
    }

    pub(in crate::quickq) fn statistics(&self, filter: Filter) -> Value {
        let inside = |visit: &&Visit| {
            visit.registered_ms <= filter.to_ms
                && visit.done_ms.is_none_or(|done| done >= filter.from_ms)
        };
        let visits =
            self.visits.iter().filter(|(_, visit)| inside(visit) && !visit.states.is_empty());
        visits.map(|(id, visit)| self.told(*id, visit)).collect()
    }

    /// The visits that changed since this was asked for last, as they are told.
    pub(in crate::quickq) fn changed_visits(&mut self) -> Vec<(i64, Value)> {
        let changed = std::mem::take(&mut self.changed_visits).into_iter();
        let visits = changed.filter_map(|id| {
            let visit = self.visits.get(&id).filter(|visit| !visit.states.is_empty())?;
            Some((id, self.told(id, visit)))
        });
        visits.collect()
    }

    fn told(&self, id: i64, visit: &Visit) -> Value {
        let registration = stamp(visit.registered_ms);
        let mut services: Vec<Value> = Vec::new();
        for ((service, stage, operation), states) in &visit.states {
            let service_id = service.parse::<i64>().unwrap_or_default();
            if services.last().is_none_or(|last| last["service_id"] != json!(service_id)) {
                let known = self.item(Book::Service, service_id);
                services.push(json!({
                    "service_id": service_id,
                    "name": known.map_or(Value::Null, |item| item["name"].clone()),
                    "priority": 25, "registration": registration, "stages": [],
                }));
            }
            let Some(stages) = services.last_mut().and_then(|last| last["stages"].as_array_mut())
            else {
                continue;
            };
            let priority = stage.parse::<i64>().unwrap_or_default();
            if stages.last().is_none_or(|last| last["priority"] != json!(priority)) {
                stages.push(json!({
                    "priority": priority, "registration": registration, "operations": [],
                }));
            }
            let operation_id = operation.parse::<i64>().unwrap_or_default();
            let known = self.item(Book::Operation, operation_id);
            let states: Vec<Value> = states
                .iter()
                .map(|state| {
                    json!({
                        "state": state.state, "time_in": stamp(state.at_ms),
                        "comment": state.comment, "user_id": 1, "workplace_id": state.workplace,
                    })
                })
                .collect();
            let told = json!({
                "operation_id": operation_id,
                "name": known.map_or(Value::Null, |item| item["name"].clone()),
                "regulated_sec": 300, "danger_sec": 300, "registration": registration,
                "states": states,
            });
            if let Some(list) = stages.last_mut().and_then(|last| last["operations"].as_array_mut())
            {
                list.push(told);
            }
        }
        // As in the sample: no zone and no fraction.
        let done = visit.done_ms.map(|done| stamp(done / 1000 * 1000).replace(".000Z", ""));
        json!({
            "consumer_id": id, "ticket": visit.ticket, "registration": registration, "done": done,
            "services": services,
        })
    }
}
