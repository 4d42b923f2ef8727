//! What the topics must tell: the upstream as it is, and nothing that it never was.

use serde_json::Value;
use talon_contractor::contracts;
use talon_simulators::contractor::{Kind, Simulator};

use super::agreed;
use super::consumer::histories;

/// Checks the topics against the upstream: nothing lost, nothing twice, in order.
pub fn check(bootstrap: &str, prefix: &str, upstream: &Simulator) -> Result<(), String> {
    let calls = histories(bootstrap, &format!("{prefix}.field.call"), &contracts::CALL);
    let now = upstream.history().current(Kind::Calls);
    for (id, state) in &now {
        let state: Value = serde_json::from_str(state).unwrap();
        let history = calls.get(id).ok_or(format!("call {id} is lost"))?;
        let last = &history.last().unwrap()["after"];
        if summary_of_dto(&state) != summary_of_event(last) {
            return Err(format!("call {id} is behind"));
        }
        // The marks of the published states are those of states that the upstream was in, in order.
        let marks: Vec<i64> =
            history.iter().map(|event| event["after"]["mark"].as_i64().unwrap()).collect();
        assert!(marks.is_sorted_by(|a, b| a < b), "call {id}: states out of order: {marks:?}");
        let states: Vec<i64> = upstream
            .history()
            .calls(*id)
            .iter()
            .map(|json| serde_json::from_str::<Value>(json).unwrap()["timestamp"].as_i64().unwrap())
            .collect();
        assert!(
            marks.iter().all(|mark| states.contains(mark)),
            "call {id}: a state that never was"
        );
    }
    assert_eq!(calls.len(), now.len(), "calls that never were");

    let messages =
        histories(bootstrap, &format!("{prefix}.field.call_message"), &contracts::CALL_MESSAGE);
    let now = upstream.history().current(Kind::Messages);
    if messages.len() < now.len() {
        return Err(format!("{} messages of {}", messages.len(), now.len()));
    }
    for (id, history) in &messages {
        assert_eq!(history.len(), 1, "message {id} is an immutable fact");
        assert!(now.contains_key(id), "message {id} never was");
    }
    let tasks = histories(bootstrap, &format!("{prefix}.field.call_task"), &contracts::CALL_TASK);
    for (id, state) in upstream.history().current(Kind::Tasks) {
        let state: Value = serde_json::from_str(&state).unwrap();
        let history = tasks.get(&id).ok_or(format!("task {id} is lost"))?;
        if history.last().unwrap()["after"]["status"] != state["status"] {
            return Err(format!("task {id} is behind"));
        }
    }
    Ok(())
}

/// What of a call's content can be compared without mapping all of it again.
pub type Summary = (Value, Value, Value, Vec<(Value, Value)>, Vec<(Value, bool)>);

pub fn summary_of_dto(dto: &Value) -> Summary {
    let list = |name: &str| {
        let mut items = dto[name].as_array().cloned().unwrap_or_default();
        items.sort_by_key(|item| item["id"].as_i64());
        items
    };
    (
        dto["number"].clone(),
        dto["status"].clone(),
        dto["comments"].clone(),
        list("tasks").iter().map(|task| (task["id"].clone(), task["status"].clone())).collect(),
        list("jeopardies")
            .iter()
            .map(|risk| (risk["id"].clone(), risk["answerDate"].is_null()))
            .collect(),
    )
}

pub fn summary_of_event(after: &Value) -> Summary {
    let list = |name: &str| after[name].as_array().cloned().unwrap_or_default();
    (
        after["number"].clone(),
        after["status"].clone(),
        after["comments"].clone(),
        list("tasks").iter().map(|task| (task["id"].clone(), task["status"].clone())).collect(),
        list("jeopardies")
            .iter()
            .map(|risk| (risk["id"].clone(), risk["answered_at"].is_null()))
            .collect(),
    )
}

/// Waits until the topics tell what the upstream is; what must always hold is asserted on the way.
pub async fn settled(bootstrap: &str, prefix: &str, upstream: &Simulator) {
    let check = || check(bootstrap, prefix, upstream);
    agreed("the topics tell what the upstream is", check).await;
}
