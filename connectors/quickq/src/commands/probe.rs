//! What reading back shows of a command whose reply was lost.

use talon_sdk::{Answer, Command, Finding};

use super::about::About;
use super::scene::{Seen, Visitor};

/// Compares what was seen before with what is seen now.
pub(super) fn compare(command: &Command, before: &Seen, now: &Seen) -> Finding {
    let name = command.spec.name;
    if let Some(why) = &now.blind {
        return Finding::Unclear(why.clone());
    }
    match name {
        "NextConsumer" => next(before, now),
        "SkipConsumer" => skip(before, now),
        "RegisterConsumer" => appeared(before, now),
        _ if name.starts_with("RemoveAll") => match (before.ids.is_empty(), now.ids.is_empty()) {
            (_, true) => applied("the book is empty"),
            (false, false) if now.ids == before.ids => Finding::Absent,
            _ => Finding::Unclear("some items are left".to_owned()),
        },
        _ if name.starts_with("Remove") => {
            if now.ids.is_empty() {
                applied("the item is gone")
            } else {
                Finding::Absent
            }
        }
        _ if name.starts_with("New") => appeared(before, now),
        _ => match &now.visitor {
            Some(visitor) => of_visitor(command, before, visitor),
            None => Finding::Unclear("the visitor is not known any more".to_owned()),
        },
    }
}

fn next(before: &Seen, now: &Seen) -> Finding {
    match (before.current, now.current) {
        (before, Some(id)) if before != Some(id) => applied(format!("visitor {id} was called")),
        (before, now) if before == now => Finding::Absent,
        _ => Finding::Unclear("the visitor who was there has gone, and nobody came".to_owned()),
    }
}

/// Somebody else is there, and who was there waits again.
fn skip(before: &Seen, now: &Seen) -> Finding {
    let waits = now.visitor.as_ref().is_some_and(|visitor| {
        visitor.workplace.is_none() && visitor.operations.values().any(|state| state == "WAITING")
    });
    match now.current {
        current if current == before.current => Finding::Absent,
        Some(id) if waits => applied(format!("visitor {id} was called")),
        _ => Finding::Unclear("another visitor is there, but not by a skip alone".to_owned()),
    }
}

fn appeared(before: &Seen, now: &Seen) -> Finding {
    let new: Vec<i64> = now.ids.iter().copied().filter(|id| !before.ids.contains(id)).collect();
    match new.as_slice() {
        [] => Finding::Absent,
        [id] => applied(format!("it has the id {id}")),
        _ => Finding::Unclear("several new items are alike".to_owned()),
    }
}

fn of_visitor(command: &Command, before: &Seen, now: &Visitor) -> Finding {
    let earlier = before.visitor.clone().unwrap_or_default();
    let number = |name: &str| command.number(name).unwrap_or_default();
    match command.spec.name {
        "CallConsumer" => {
            let is_served = now.operations.values().any(|state| state == "SERVING");
            if now.workplace == command.number("workplace_id") && is_served {
                applied("the visitor is at the workplace")
            } else if now.operations == earlier.operations && now.called == earlier.called {
                Finding::Absent
            } else {
                Finding::Unclear("the visitor was called, and is elsewhere".to_owned())
            }
        }
        "RecallConsumer" => changed(now.called != earlier.called, "the visitor was called again"),
        "PostponeConsumer" => changed(now.postponed != earlier.postponed, "the visitor is put off"),
        "AddService" => {
            let prefix = format!("{}/", number("service_id"));
            let has = now.operations.keys().any(|place| place.starts_with(&prefix));
            changed(has, "the visitor has the service")
        }
        "ServeOperation" | "RejectOperation" => {
            let place = [number("service_id"), number("stage"), number("operation_id")];
            let place = place.map(|id| id.to_string()).join("/");
            ended(command, &earlier, now, |other, _| other == place)
        }
        "RejectService" => {
            let prefix = format!("{}/", number("service_id"));
            ended(command, &earlier, now, |place, state| {
                place.starts_with(&prefix) && is_open(state)
            })
        }
        "RejectConsumer" => ended(command, &earlier, now, |_, state| is_open(state)),
        _ => ended(command, &earlier, now, |_, state| state == "SERVING"),
    }
}

fn is_open(state: &str) -> bool {
    matches!(state, "WAITING" | "SERVING" | "POSTPONE")
}

/// Whether the operations that the command is about are all in the state it leads to. The overall
/// state of the visitor says nothing of that.
fn ended(
    command: &Command,
    before: &Visitor,
    now: &Visitor,
    concerns: impl Fn(&str, &str) -> bool,
) -> Finding {
    let target = if command.spec.name.starts_with("Serve") { "SERVED" } else { "REJECTED" };
    let concerned: Vec<(&str, &str, Option<&str>)> = before
        .operations
        .iter()
        .filter(|(place, state)| concerns(place, state))
        .map(|(place, state)| {
            (place.as_str(), state.as_str(), now.operations.get(place).map(String::as_str))
        })
        .collect();
    if concerned.is_empty() {
        Finding::Unclear("the visitor had no such operation".to_owned())
    } else if concerned.iter().all(|(_, _, now)| *now == Some(target)) {
        applied(format!("the operations are {target}"))
    } else if concerned.iter().all(|(_, before, now)| *now == Some(*before)) {
        Finding::Absent
    } else {
        Finding::Unclear("the operations are in another state than the command leads to".to_owned())
    }
}

fn changed(is_so: bool, words: &str) -> Finding {
    if is_so { applied(words) } else { Finding::Absent }
}

fn applied(words: impl Into<String>) -> Finding {
    Finding::Applied(Answer::saying(words))
}
