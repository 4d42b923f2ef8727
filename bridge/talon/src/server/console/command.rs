//! One command: what was sent, what the upstream said, what reading back showed, and what to do.

use std::collections::HashMap;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::{Map, Value};
use talon_runtime::bus::{Found, Look, Which};
use talon_schemas::command::CommandContract;
use talon_schemas::wire::{Payload, Wire};

use super::caller::Caller;
use super::fields::Sight;
use super::layout::{self, Page, Part};
use super::results::{Row, badge, read};
use super::state::Console;
use super::text::{Encoded, instant};
use super::topics::Topics;
use crate::connectors;
use crate::instances::CLASS;

/// Results of one id that are read.
const RESULTS: usize = 50;

/// The page of one command, by its connector and id.
pub(super) async fn page(
    State(console): State<Console>,
    caller: Caller,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let text = |name: &str| query.get(name).map(|text| text.trim()).unwrap_or_default();
    match (text("connector"), text("id")) {
        ("", _) | (_, "") => layout::refusal(
            &console,
            caller,
            (StatusCode::BAD_REQUEST, Part::Commands),
            "a command is named by `connector` and `id`",
        ),
        (name, id) => shown(&console, caller, name, id).await,
    }
}

/// The page of a command.
pub(super) async fn shown(console: &Console, caller: Caller, name: &str, id: &str) -> Response {
    let main = match read(console, name, Which::OfKey(id.to_owned()), RESULTS).await {
        Err(why) => html! { h1 { "Command " (id) } p.problem { (why) } },
        Ok((rows, is_complete)) => {
            let sent = match rows.first() {
                Some(row) => sent(console, name, row).await,
                None => Err("it has no result yet".to_owned()),
            };
            main(name, id, &rows, is_complete, &sent, caller)
        }
    };
    let title = format!("Command {id}");
    let page = Page { title: &title, part: Part::Commands, is_live: false, main };
    layout::page(console, caller, &page)
}

/// The command as its sender put it, with where it stands; or why it cannot be shown.
async fn sent(
    console: &Console,
    name: &str,
    row: &Row,
) -> Result<(Map<String, Value>, String), String> {
    let position = row.record.position().ok_or("where it stands is not known")?;
    let info = console.instances.info(name).ok_or("there is no such connector")?;
    let class = info.config.get(CLASS).and_then(|class| connectors::class(class));
    let contract = class.and_then(|class| class.commands()).ok_or("its class is not known here")?;
    let topics = Topics::of(console, name, &info.config).and_then(|topics| topics.lane);
    let [commands, _] = topics.ok_or("its class carries no commands")?;
    let looked = console.instances.look(Look::new(commands, Which::At(position), 1)).await;
    let looked = looked.map_err(|fault| format!("the commands cannot be read: {fault}"))?;
    let found = looked.records.into_iter().next().ok_or("the bus does not keep it any more")?;
    let read = command((contract.contract)(), &found).ok_or("this version cannot read it")?;
    Ok((read, found.stands))
}

fn command(of: &CommandContract, found: &Found) -> Option<Map<String, Value>> {
    let value = found.value.as_deref()?;
    match Wire::SingleObject.open(of, value) {
        Payload::Json(json) => serde_json::from_slice(json).ok(),
        Payload::Own(datum) | Payload::Registered(_, datum) => of.read(datum, None).ok(),
        Payload::Fingerprinted(fingerprint, datum) => {
            of.read(datum, Some(of.as_ref().earlier(fingerprint)?)).ok()
        }
        Payload::Foreign => None,
    }
}

/// What to do about an outcome, and the section of the runbook.
fn advice(outcome: &str) -> (&'static str, Option<&'static str>) {
    match outcome {
        "UNKNOWN" => (
            "It may or may not have been applied, and reading back could not tell; it is not sent again. Look at its entity in the upstream, and tell the sender. If it was not applied and still should be, send it as a new command with a new id.",
            Some("TalonCommandUnknown"),
        ),
        "FAILED" => (
            "It surely was not applied. Mend what the message says; the sender may send it again with a new id.",
            Some("TalonCommandFailed"),
        ),
        "EXPIRED" => (
            "It was not sent. Remove what holds commands up, or let senders allow more time.",
            Some("TalonCommandExpired"),
        ),
        "REJECTED" => {
            ("It was not applied: the message says why. The sender has to mend it.", None)
        }
        "DUPLICATE" => ("Another command had this id before; this one was not run.", None),
        "APPLIED" => ("Nothing: it was done.", None),
        _ => (
            "It waits, or is on its way. If it stays so for minutes, look at the connector's commands.",
            Some("TalonCommandOld"),
        ),
    }
}

/// The page of a command from its results, newest first.
pub(super) fn main(
    name: &str,
    id: &str,
    rows: &[Row],
    is_complete: bool,
    sent: &Result<(Map<String, Value>, String), String>,
    caller: Caller,
) -> Markup {
    let Some(row) = rows.first() else {
        return html! {
            h1 { "Command " (id) }
            p.problem {
                "The topic of results has nothing under this id"
                @if !is_complete { " in its newest records; older ones were not looked at" }
                "."
            }
        };
    };
    let record = &row.record;
    let (todo, section) = advice(row.outcome());
    let sight = Sight::of_texts(caller.may_operate);
    html! {
        h1 { "Command " (id) " " (badge(row.outcome())) }
        p.todo {
            b { "Do: " } (todo)
            @if let Some(section) = section {
                " " a href={ "runbook#" (section.to_lowercase()) } { (section) }
            }
        }
        dl.facts {
            dt { "Connector" }
            dd { a href={ "connector?name=" (Encoded(name)) } { (name) } }
            dt { "Type" } dd { (record.r#type) }
            dt { "Key" } dd { code { (record.key) } }
            dt { "Message" } dd { (record.message.as_deref().unwrap_or("–")) }
            dt { "Attempts" } dd { (record.attempts) }
            @if let Some(at) = record.sent_at { dt { "Last sent" } dd { (instant(at / 1_000)) } }
            @if let Some(at) = record.settled_at { dt { "Settled" } dd { (instant(at / 1_000)) } }
            @if let Some(status) = record.upstream_status {
                dt { "Upstream’s status" } dd { (status) }
            }
            @if let Some(code) = record.upstream_code { dt { "Upstream’s code" } dd { (code) } }
        }
        h2 { "What was sent" }
        @match sent {
            Ok((command, stands)) => {
                (sight.table(&told(command), "The command as its sender put it"))
                p.note { "It stands at " code { (stands) } }
            }
            Err(why) => { p.note { "It cannot be shown: " (why) "." } }
        }
        (text("What reading back showed", record.evidence.as_deref(), sight))
        (text("What the upstream answered", record.response.as_deref(), sight))
        @if !caller.may_operate { p.note { "Texts are masked for those who may read alone." } }
        h2 { "Its results" }
        table.results {
            caption { "Newest first" }
            thead { tr {
                @for column in ["When", "What", "Attempt", "Where it stands"] { th scope="col" { (column) } }
            } }
            tbody {
                @for row in rows {
                    tr {
                        td { (instant(row.found.at_ms)) }
                        td { (badge(row.outcome())) }
                        td { (row.record.attempts) }
                        td { code { (row.found.stands) } }
                    }
                }
            }
        }
    }
}

/// What of a command is not told elsewhere.
fn told(command: &Map<String, Value>) -> Value {
    let others = command.iter().filter(|(name, _)| !matches!(name.as_str(), "id" | "type"));
    Value::Object(others.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// JSON text of an upstream as a table; what is no JSON as one text.
fn text(words: &str, text: Option<&str>, sight: Sight<'_>) -> Markup {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return html! {} };
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    let value = match value {
        Value::Object(map) => Value::Object(map),
        other => Value::Object(Map::from_iter([("value".to_owned(), other)])),
    };
    html! { h2 { (words) } (sight.table(&value, "As JSON, field by field")) }
}
