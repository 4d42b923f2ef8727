//! Each command on the state that it needs.

use serde_json::{Value, json};
use talon_simulators::quickq::{Book, Simulator};

use crate::{BOOKS, CANARY};

/// Makes that state, and gives the command's parameters.
pub(crate) fn prepared(simulator: &Simulator, name: &str) -> Value {
    let place = json!({ "workplace_id": 1 });
    match name {
        "NextConsumer" => {
            free(simulator);
            place
        }
        "CallConsumer" => {
            free(simulator);
            json!({ "workplace_id": 1, "consumer_id": simulator.queue(1)[3] })
        }
        "RecallConsumer" | "ServeConsumer" | "RejectConsumer" | "SkipConsumer" => {
            visitor(simulator);
            place
        }
        "ServeOperation" | "RejectOperation" => serving(&visitor(simulator)),
        "RejectService" => {
            let one = serving(&visitor(simulator));
            json!({ "workplace_id": 1, "service_id": one["service_id"], "comment": CANARY })
        }
        "PostponeConsumer" => {
            visitor(simulator);
            json!({ "workplace_id": 1, "delay_minutes": 15, "return_to_me": true })
        }
        "AddService" => {
            let visitor = visitor(simulator);
            let has = |id: &i64| visitor["services"].get(id.to_string()).is_some();
            let service = (1..=4).find(|id| !has(id)).unwrap();
            json!({ "workplace_id": 1, "service_id": service })
        }
        "RegisterConsumer" => json!({ "service_ids": [1], "comment": CANARY }),
        _ => item(simulator, name),
    }
}

/// Nobody is at workplace 1.
fn free(simulator: &Simulator) {
    let place = json!({ "workplace": 1, "comment": "" });
    while simulator.act("currentConsumer", json!({ "workplace": 1 })).is_ok() {
        simulator.act("rejectConsumer", place.clone()).unwrap();
    }
}

/// Of a command of the books.
fn item(simulator: &Simulator, name: &str) -> Value {
    if name.starts_with("RemoveAll") {
        // What refers to other items stands in their way.
        free(simulator);
        if matches!(name, "RemoveAllOperations" | "RemoveAllServices") {
            for id in simulator.book(Book::Consumer).into_keys() {
                simulator.act("removeConsumer", json!({ "id": id })).unwrap();
            }
        }
        if name == "RemoveAllOperations" {
            simulator.act("removeAllServices", json!({})).unwrap();
        }
        return json!({});
    }
    let of_book = |(_, _, book): &&(&str, _, &str)| name.strip_suffix(book).is_some_and(is_verb);
    let (_, book, title) = BOOKS.iter().find(of_book).unwrap_or_else(|| panic!("{name}"));
    let mut fields = json!({ "name": format!("Новое: {CANARY}") });
    if name == "NewConsumer" {
        fields["services"] = json!([1]);
    }
    // What is in the books at the start is referred to; but nobody is at the last workplace.
    let made = simulator.act(&format!("new{title}"), json!({ "name": "Старое" })).ok();
    let made = made.filter(|_| *book != Book::Workplace);
    let last = || {
        simulator
            .book(*book)
            .into_keys()
            .rfind(|id| *book != Book::Workplace || *id < 1000)
            .map(Value::from)
    };
    let id = made.map(|made| made["id"].clone()).or_else(last);
    match name {
        _ if name.starts_with("New") => json!({ "fields": fields }),
        _ if name.starts_with("Set") => json!({ "id": id, "fields": fields }),
        _ => json!({ "id": id }),
    }
}

fn is_verb(text: &str) -> bool {
    matches!(text, "New" | "Set" | "Remove")
}

/// The visitor at workplace 1, called first where there is none.
fn visitor(simulator: &Simulator) -> Value {
    let place = json!({ "workplace": 1 });
    let called = simulator.act("currentConsumer", place.clone());
    called.or_else(|_| simulator.act("nextConsumer", place)).unwrap()
}

/// The first operation of a visitor that is being served.
fn serving(visitor: &Value) -> Value {
    let number = |text: &str| text.parse::<i64>().unwrap();
    for (service, stages) in visitor["services"].as_object().unwrap() {
        for (stage, operations) in stages.as_object().unwrap() {
            for (operation, now) in operations.as_object().unwrap() {
                if now["state"] == "SERVING" {
                    return json!({
                        "workplace_id": 1, "service_id": number(service), "stage": number(stage),
                        "operation_id": number(operation),
                    });
                }
            }
        }
    }
    panic!("nothing is served: {visitor}");
}
