//! What workplaces do with visitors.

use serde_json::{Value, json};

use super::tickets::{Place, callable, operations};
use super::{Outcome, Store, UNKNOWN_ITEM};
use crate::quickq::book::Book;
use crate::quickq::reply::{Refusal, stamp, success};

const NOBODY: Refusal = Refusal(170, "No current consumer");
const OCCUPIED: Refusal = Refusal(171, "Workplace already has a consumer");
const EMPTY_QUEUE: Refusal = Refusal(172, "Queue is empty");
const HAS_SERVICE: Refusal = Refusal(173, "Consumer already has the service");

impl Store {
    /// A visitor with the workplace where they are.
    pub(super) fn whole(&self, mut consumer: Value) -> Value {
        if let Some(place) =
            consumer["workplace_id"].as_i64().and_then(|id| self.item(Book::Workplace, id))
        {
            consumer["workplace"] = place.clone();
        }
        consumer
    }

    pub(in crate::quickq) fn current(&self, workplace: i64) -> Result<i64, Refusal> {
        let place = self.item(Book::Workplace, workplace).ok_or(UNKNOWN_ITEM)?;
        place["consumer_id"].as_i64().filter(|id| *id >= 0).ok_or(NOBODY)
    }

    /// `nextConsumer`: the first who may be called; empty data where there is none.
    pub(in crate::quickq) fn next(&mut self, workplace: i64) -> Outcome {
        if self.current(workplace).is_ok() {
            return Err(OCCUPIED);
        }
        match self.first(workplace)? {
            None => Ok(json!({})),
            Some(id) => self.call(workplace, id),
        }
    }

    fn first(&self, workplace: i64) -> Result<Option<i64>, Refusal> {
        let queue = self.queue(workplace, false)?;
        Ok(queue.iter().find(|row| row["mayCall"] == true).and_then(|row| row["id"].as_i64()))
    }

    /// `consumerFromQueueBody`.
    pub(in crate::quickq) fn call(&mut self, workplace: i64, id: i64) -> Outcome {
        let place = self.item(Book::Workplace, workplace).ok_or(UNKNOWN_ITEM)?.clone();
        let consumer = self.item(Book::Consumer, id).ok_or(UNKNOWN_ITEM)?;
        if consumer["workplace_id"] == json!(workplace) && consumer["state"] == "SERVING" {
            return Ok(self.whole(consumer.clone()));
        }
        if self.current(workplace).is_ok() {
            return Err(OCCUPIED);
        }
        let operations = callable(consumer, &place);
        if operations.is_empty() || consumer["state"] == "SERVING" {
            return Err(UNKNOWN_ITEM);
        }
        let now = self.now();
        let consumer = self.item_mut(Book::Consumer, id)?;
        consumer["workplace_id"] = workplace.into();
        consumer["last_call"] = now.into();
        consumer["state"] = "SERVING".into();
        if let Some(fields) = consumer.as_object_mut() {
            fields.remove("postpone_to");
        }
        for place in &operations {
            self.enter(id, place, "SERVING", workplace, None)?;
        }
        self.item_mut(Book::Workplace, workplace)?["consumer_id"] = id.into();
        self.changed(workplace, id)
    }

    /// `retryCallConsumer`.
    pub(in crate::quickq) fn recall(&mut self, workplace: i64) -> Result<i64, Refusal> {
        let id = self.current(workplace)?;
        let now = self.now();
        self.item_mut(Book::Consumer, id)?["last_call"] = now.into();
        self.changed(workplace, id)?;
        Ok(id)
    }

    /// Ends operations of the current visitor that `which` picks, in a state; the visitor's overall
    /// state, should nothing be left to do, is given apart.
    pub(in crate::quickq) fn end_operations(
        &mut self,
        workplace: i64,
        (state, overall): (&str, &str),
        comment: Option<&str>,
        which: impl Fn(&str, &str, &str, &str) -> bool,
    ) -> Outcome {
        let id = self.current(workplace)?;
        let consumer = self.item(Book::Consumer, id).ok_or(UNKNOWN_ITEM)?;
        let ended: Vec<Place> = operations(consumer)
            .filter(|(place, now)| {
                matches!(*now, "SERVING" | "WAITING" | "POSTPONE")
                    && which(&place.0, &place.1, &place.2, now)
            })
            .map(|(place, _)| place)
            .collect();
        if ended.is_empty() {
            return Err(UNKNOWN_ITEM);
        }
        for place in &ended {
            self.enter(id, place, state, workplace, comment)?;
        }
        self.leave_if_done(workplace, id, overall)
    }

    /// `postponeConsumer`.
    pub(in crate::quickq) fn postpone(
        &mut self,
        workplace: i64,
        minutes: i64,
        comment: Option<&str>,
    ) -> Outcome {
        let id = self.current(workplace)?;
        let until = stamp(self.now_ms() + minutes * 60_000);
        let consumer = self.item(Book::Consumer, id).ok_or(UNKNOWN_ITEM)?;
        let serving: Vec<Place> = operations(consumer)
            .filter(|(_, now)| *now == "SERVING")
            .map(|(place, _)| place)
            .collect();
        for place in &serving {
            self.enter(id, place, "POSTPONE", workplace, comment)?;
        }
        let consumer = self.item_mut(Book::Consumer, id)?;
        consumer["state"] = "POSTPONE".into();
        consumer["postpone_to"] = until.into();
        self.item_mut(Book::Workplace, workplace)?["consumer_id"] = (-1).into();
        // As the sample: the answer has the workplace still, the visitor kept has not.
        let answer = self.changed(workplace, id)?;
        self.item_mut(Book::Consumer, id)?["workplace_id"] = (-1).into();
        Ok(answer)
    }

    /// `skipConsumer`: back to the queue, and the next one comes.
    pub(in crate::quickq) fn skip(&mut self, workplace: i64) -> Outcome {
        let id = self.current(workplace)?;
        let next = self.first(workplace)?.ok_or(EMPTY_QUEUE)?;
        let consumer = self.item(Book::Consumer, id).ok_or(UNKNOWN_ITEM)?;
        let serving: Vec<Place> = operations(consumer)
            .filter(|(_, now)| *now == "SERVING")
            .map(|(place, _)| place)
            .collect();
        for place in &serving {
            self.enter(id, place, "WAITING", workplace, None)?;
        }
        let consumer = self.item_mut(Book::Consumer, id)?;
        consumer["state"] = "WAITING".into();
        consumer["workplace_id"] = (-1).into();
        self.item_mut(Book::Workplace, workplace)?["consumer_id"] = (-1).into();
        self.changed(workplace, id)?;
        self.call(workplace, next)
    }

    /// `addService`.
    pub(in crate::quickq) fn add_service(&mut self, workplace: i64, service: i64) -> Outcome {
        let id = self.current(workplace)?;
        let stages = self.stages_of(service)?;
        let consumer = self.item_mut(Book::Consumer, id)?;
        if consumer["services"].get(service.to_string()).is_some() {
            return Err(HAS_SERVICE);
        }
        consumer["services"][service.to_string()] = stages;
        self.changed(workplace, id)
    }

    /// Puts one operation of a visitor into a state.
    fn enter(
        &mut self,
        id: i64,
        place: &Place,
        state: &str,
        workplace: i64,
        comment: Option<&str>,
    ) -> Result<(), Refusal> {
        let (now_ms, now) = (self.now_ms(), self.now());
        let consumer = self.item_mut(Book::Consumer, id)?;
        if consumer.get("state_changed").is_some() {
            consumer["state_changed"] = now.into();
        }
        let operation = &mut consumer["services"][&place.0][&place.1][&place.2];
        operation["state"] = state.into();
        operation["user_id"] = 1.into();
        if let Some(comment) = comment {
            operation["comment"] = json!([comment]);
        }
        self.note_state(id, place, state, workplace, comment, now_ms);
        Ok(())
    }

    /// Back to the queue, or out of the house.
    fn leave_if_done(&mut self, workplace: i64, id: i64, overall: &str) -> Outcome {
        let consumer = self.item(Book::Consumer, id).ok_or(UNKNOWN_ITEM)?;
        let states: Vec<&str> = operations(consumer).map(|(_, state)| state).collect();
        if states.contains(&"SERVING") {
            return self.changed(workplace, id);
        }
        let overall = if states.contains(&"WAITING") { "WAITING" } else { overall };
        let consumer = self.item_mut(Book::Consumer, id)?;
        consumer["state"] = overall.into();
        consumer["workplace_id"] = (-1).into();
        self.item_mut(Book::Workplace, workplace)?["consumer_id"] = (-1).into();
        let answer = self.changed(workplace, id)?;
        if overall != "WAITING" {
            self.close_visit(id);
            if let Some(done) = self.books.get_mut(&Book::Consumer).and_then(|all| all.remove(&id))
            {
                self.finished.insert(id, done);
            }
        }
        Ok(answer)
    }

    /// Notes that a visitor and a workplace changed; gives the visitor.
    fn changed(&mut self, workplace: i64, id: i64) -> Outcome {
        self.stamp_item(Book::Workplace, workplace);
        self.stamp_item(Book::Consumer, id);
        Ok(self.whole(self.item(Book::Consumer, id).cloned().unwrap_or_else(success)))
    }
}
