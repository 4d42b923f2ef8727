//! What each command does.

use serde_json::{Value, json};

use super::book::{Book, Verb};
use super::reply::{Refusal, success};
use super::store::{BAD_DATA, Filter, Outcome, Store};

const NO_SESSION: Refusal = Refusal(101, "Session not found");
const UNKNOWN_COMMAND: Refusal = Refusal(102, "Unknown command");

/// What a socket can be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    Book(Book),
    Queue { workplace: i64, detailed: bool },
}

/// A request, as far as it matters here.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) command: String,
    pub(super) token: Option<String>,
    pub(super) data: Value,
}

/// What became of a request.
pub(super) struct Done {
    pub(super) outcome: Outcome,
    /// Whether it had an effect, and on which entity.
    pub(super) effect: Option<Option<i64>>,
    pub(super) subscribe: Option<Topic>,
    pub(super) unsubscribe: Option<Topic>,
}

impl From<Outcome> for Done {
    fn from(outcome: Outcome) -> Done {
        Done { outcome, effect: None, subscribe: None, unsubscribe: None }
    }
}

/// An outcome that is an effect where it is a success; empty data is none.
fn effect(outcome: Outcome, entity: Option<i64>) -> Done {
    let is_empty = |data: &Value| data.as_object().is_some_and(serde_json::Map::is_empty);
    let happened = outcome.as_ref().is_ok_and(|data| !is_empty(data));
    let entity = entity.or_else(|| outcome.as_ref().ok().and_then(|data| data["id"].as_i64()));
    Done { effect: happened.then_some(entity), ..Done::from(outcome) }
}

/// Runs a request; `None` where the upstream stays silent.
pub(super) fn run(store: &mut Store, request: &Request) -> Option<Done> {
    let Request { command, token, data } = request;
    if command == "login" {
        return Some(store.login(data).into());
    }
    let has_session = token.as_ref().is_some_and(|token| store.sessions.contains(token));
    let is_open = command == "info" && store.settings.open_info;
    if !has_session && !is_open {
        return Some(Err(NO_SESSION).into());
    }
    if let Some((book, verb)) = Book::of_command(command) {
        return Some(of_book(store, book, verb, data));
    }
    let workplace = data["workplace"].as_i64();
    let topic =
        workplace.map(|workplace| Topic::Queue { workplace, detailed: data["detailed"] == true });
    Some(match command.as_str() {
        "logout" => {
            store.sessions.retain(|open| Some(open) != token.as_ref());
            Ok(success()).into()
        }
        "info" => Ok(store.info()).into(),
        "me" => Ok(json!({ "component": "workplace" })).into(),
        "postponeDelay" => Ok(json!(["1", "5", "10", "15", "20", "25"])).into(),
        "statistics" => statistics(store, data).into(),
        "currentQueue" | "subscribeCurrentQueue" => {
            let detailed = data["detailed"] == true;
            let queue = workplace.ok_or(BAD_DATA).and_then(|id| store.queue(id, detailed));
            if command == "currentQueue" {
                queue.map(Value::from).into()
            } else {
                let subscribe = topic.filter(|_| queue.is_ok());
                Done { subscribe, ..Done::from(queue.map(|_| success())) }
            }
        }
        "registrateConsumer" => {
            let registered = store.register(data);
            let entity = registered.as_ref().ok().and_then(|consumer| consumer["id"].as_i64());
            let preview = "image/png;base64,iVBORw0KGgoAAAANSUgAABEgAAAUh";
            effect(
                registered.map(|consumer| json!({ "preview": preview, "consumer": consumer })),
                entity,
            )
        }
        "newConsumer" => effect(store.register(data), None),
        _ => match workplace {
            Some(workplace) => return at_workplace(store, command, workplace, data),
            None => return unknown(store),
        },
    })
}

fn of_book(store: &mut Store, book: Book, verb: Verb, data: &Value) -> Done {
    let id = data["id"].as_i64();
    match verb {
        Verb::List => Ok(Value::from(store.rows(book))).into(),
        Verb::Get => store.get(book, data).into(),
        Verb::Set => effect(store.set(book, data), id),
        Verb::New if book == Book::Consumer => effect(store.register(data), None),
        Verb::New => effect(store.new_item(book, data), None),
        Verb::Remove => effect(store.remove(book, data), id),
        Verb::RemoveAll => effect(store.remove_all(book), None),
        Verb::Subscribe => Done { subscribe: Some(Topic::Book(book)), ..Done::from(Ok(success())) },
        Verb::Unsubscribe => {
            Done { unsubscribe: Some(Topic::Book(book)), ..Done::from(Ok(success())) }
        }
    }
}

/// The commands of a workplace.
fn at_workplace(store: &mut Store, command: &str, workplace: i64, data: &Value) -> Option<Done> {
    let comment = data["comment"].as_str();
    // Numbers come as strings here and there.
    let text = |name: &str| match &data[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let before = store.current(workplace).ok();
    let (service, stage, operation) = (text("service"), text("priority"), text("operation"));
    let is_one = |s: &str, p: &str, o: &str, _: &str| s == service && p == stage && o == operation;
    let outcome = match command {
        "currentConsumer" => {
            let consumer = store.current(workplace).map(|id| json!({ "id": id }));
            return Some(consumer.and_then(|id| store.get(Book::Consumer, &id)).into());
        }
        "nextConsumer" => return Some(effect(store.next(workplace), None)),
        "skipConsumer" => return Some(effect(store.skip(workplace), before)),
        "consumerFromQueueBody" => match data["id"].as_i64() {
            Some(id) => store.call(workplace, id),
            None => Err(BAD_DATA),
        },
        "retryCallConsumer" => store.recall(workplace).map(|_| success()),
        "serveOperation" => store.end_operations(workplace, ("SERVED", "SERVED"), comment, is_one),
        // As the samples: the overall state does not say that it was rejected.
        "rejectOperation" => {
            store.end_operations(workplace, ("REJECTED", "SERVED"), comment, is_one)
        }
        "serveConsumer" => {
            let serving = |_: &str, _: &str, _: &str, now: &str| now == "SERVING";
            store.end_operations(workplace, ("SERVED", "SERVED"), comment, serving)
        }
        "rejectConsumer" => {
            store.end_operations(workplace, ("REJECTED", "SERVED"), comment, |_, _, _, _| true)
        }
        "rejectService" => {
            let of_service = |s: &str, _: &str, _: &str, _: &str| s == service;
            store.end_operations(workplace, ("REJECTED", "REJECTED"), comment, of_service)
        }
        "postponeConsumer" => match text("delay").parse() {
            Ok(minutes) => store.postpone(workplace, minutes, comment),
            Err(_) => Err(BAD_DATA),
        },
        "addService" => match service.parse() {
            Ok(service) => store.add_service(workplace, service),
            Err(_) => Err(BAD_DATA),
        },
        _ => return unknown(store),
    };
    Some(effect(outcome, before))
}

fn statistics(store: &Store, data: &Value) -> Outcome {
    let instant = |name: &str, usual: i64| match data[name].as_str() {
        None => Ok(usual),
        Some(text) => {
            text.parse::<jiff::Timestamp>().map(|at| at.as_millisecond()).map_err(|_| BAD_DATA)
        }
    };
    let (from_ms, to_ms) = (instant("from", 0)?, instant("to", i64::MAX)?);
    Ok(store.statistics(Filter { from_ms, to_ms }))
}

fn unknown(store: &Store) -> Option<Done> {
    store.settings.unknown_is_answered.then(|| Err(UNKNOWN_COMMAND).into())
}
