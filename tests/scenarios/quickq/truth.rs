//! What the topics must tell: the hall as it is, and nothing that it never was.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use talon_quickq::contracts;
use talon_schemas::Contract;
use talon_simulators::quickq::{Book, Simulator};

use crate::support::agreed;
use crate::support::consumer::keyed_histories;

/// The workplaces whose queues are followed.
pub(crate) const FOLLOWED: [i64; 2] = [1, 2];

fn books() -> [(&'static str, Book, &'static Contract); 11] {
    [
        ("operation", Book::Operation, &contracts::OPERATION),
        ("service", Book::Service, &contracts::SERVICE),
        ("ticket_range", Book::TicketRange, &contracts::TICKET_RANGE),
        ("workplace", Book::Workplace, &contracts::WORKPLACE),
        ("user_role", Book::UserRole, &contracts::USER_ROLE),
        ("user", Book::User, &contracts::USER),
        ("qboard", Book::QBoard, &contracts::QBOARD),
        ("scoreboard", Book::ScoreBoard, &contracts::SCOREBOARD),
        ("registrator", Book::Registrator, &contracts::REGISTRATOR),
        ("consumer", Book::Consumer, &contracts::CONSUMER),
        ("consumer_preregistered", Book::ConsumerPreRegistered, &contracts::CONSUMER_PREREGISTERED),
    ]
}

/// What of an item is compared: fields that edits change, under the same name on both sides.
fn summary(item: &Value) -> Value {
    let field = |name: &str| match &item[name] {
        Value::Null => {
            let extra = item["extra"][name].as_str();
            extra.map_or(Value::Null, |json| serde_json::from_str(json).unwrap())
        }
        // None at all.
        id if *id == json!(-1) => Value::Null,
        value => value.clone(),
    };
    ["id", "description", "state", "ticket", "consumer_id", "workplace_id"].map(field).into()
}

/// Checks the topics against the hall: nothing lost, nothing twice, in order, and only the absent
/// deleted.
pub(crate) fn check(address: &str, prefix: &str, hall: &Simulator) -> Result<(), String> {
    let read = |feed: &str, contract| {
        let histories = keyed_histories(address, &format!("{prefix}.hall.{feed}"), contract);
        for (key, event) in
            histories.iter().flat_map(|(key, of)| of.iter().map(move |event| (key, event)))
        {
            let (is_delete, source) = (event["op"] == "d", &event["source"]);
            assert_eq!(is_delete, event["after"].is_null(), "{feed} {key}");
            assert_eq!(is_delete, source["absent"] == true, "{feed} {key}");
        }
        histories
    };
    let differs = |feed: &str, now: &BTreeMap<String, Value>, truth: &BTreeMap<String, Value>| {
        let of = |map: &BTreeMap<String, Value>, key: &String| map.get(key).cloned();
        let mut keys: BTreeSet<&String> = now.keys().chain(truth.keys()).collect();
        keys.retain(|key| of(now, key) != of(truth, key));
        match keys.first() {
            None => Ok(()),
            Some(key) => Err(format!(
                "`{feed}` {key} and {} others: {:?}, but in the hall {:?}",
                keys.len() - 1,
                of(now, key),
                of(truth, key)
            )),
        }
    };
    for (feed, book, contract) in books() {
        let histories = read(feed, contract);
        let mut now = BTreeMap::new();
        for (key, history) in &histories {
            // No id is given twice, so nothing that is gone comes back.
            let gone = history.iter().position(|event| event["op"] == "d");
            let is_last = gone.is_none_or(|at| at == history.len() - 1);
            assert!(is_last, "`{feed}` {key} was deleted while it was there");
            let times: Vec<i64> =
                history.iter().filter_map(|event| event["after"]["updated_at"].as_i64()).collect();
            assert!(times.is_sorted(), "`{feed}` {key}: states out of order");
            if gone.is_none() {
                now.insert(key.clone(), summary(&history[history.len() - 1]["after"]));
            }
        }
        let items = hall.book(book).into_iter();
        let truth = items.map(|(id, item)| (id.to_string(), summary(&item))).collect();
        differs(feed, &now, &truth)?;
    }

    let queue = read("queue", &contracts::QUEUE).into_iter();
    let waiting = queue.filter(|(_, history)| history[history.len() - 1]["op"] != "d");
    let now = waiting.map(|(key, _)| (key, Value::Null)).collect();
    let truth = FOLLOWED.into_iter().flat_map(|place| {
        let ids = hall.queue(place).into_iter();
        ids.map(move |id| (format!("{place}/{id}"), Value::Null))
    });
    differs("queue", &now, &truth.collect())?;

    let states = read("operation_state", &contracts::OPERATION_STATE);
    for (key, history) in &states {
        assert_eq!(history.len(), 1, "{key} is told once: {history:?}");
    }
    let now = states
        .into_iter()
        .map(|(key, of)| (key, of[of.len() - 1]["after"]["state"].clone()))
        .collect();
    differs("operation_state", &now, &states_of(&hall.act("statistics", json!({})).unwrap()))?;

    let servers = read("server_info", &contracts::SERVER_INFO).len();
    if servers == 1 { Ok(()) } else { Err(format!("{servers} servers")) }
}

/// `consumer/service/stage/operation/index` → state, of states that are over.
fn states_of(visits: &Value) -> BTreeMap<String, Value> {
    let list = |value: &Value| value.as_array().unwrap().clone();
    let mut all = BTreeMap::new();
    for visit in list(visits) {
        for service in list(&visit["services"]) {
            for stage in list(&service["stages"]) {
                for operation in list(&stage["operations"]) {
                    let states = list(&operation["states"]);
                    for (index, state) in states.iter().enumerate() {
                        let is_last = index + 1 == states.len();
                        let is_end = matches!(state["state"].as_str(), Some("SERVED" | "REJECTED"));
                        if is_last && !is_end && visit["done"].is_null() {
                            continue;
                        }
                        let ids = [
                            &visit["consumer_id"],
                            &service["service_id"],
                            &stage["priority"],
                            &operation["operation_id"],
                        ];
                        let ids = ids.map(Value::to_string).join("/");
                        all.insert(format!("{ids}/{index}"), state["state"].clone());
                    }
                }
            }
        }
    }
    all
}

/// Waits until the topics tell what the hall is; what must always hold is asserted on the way.
pub(crate) async fn settled(address: &str, prefix: &str, hall: &Simulator) {
    agreed("the topics tell what the hall is", || check(address, prefix, hall)).await;
}
