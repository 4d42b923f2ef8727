//! An entity by its key: what it is now, what changed last, and where that stands.

use std::collections::HashMap;

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;
use talon_runtime::bus::{Found, Look, Looked, Which};

use super::caller::Caller;
use super::fields::{Sight, differences};
use super::layout::{self, Page, Part};
use super::state::Console;
use super::text::{Count, instant};
use super::topics::{self, Feed, Topics};

/// Events of an entity that are shown.
const EVENTS: usize = 20;

/// The page of an entity.
pub(super) async fn page(
    State(console): State<Console>,
    caller: Caller,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let text = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let (name, feed, key) = (text("connector").trim(), text("feed").trim(), text("key").trim());
    let names = console.instances.names();
    let name = if name.is_empty() { names.first().map(String::as_str).unwrap_or("") } else { name };
    let info = console.instances.info(name);
    let topics = info.and_then(|info| Topics::of(&console, name, &info.config));
    let feeds = topics.map(|topics| topics.feeds).unwrap_or_default();
    let found = feeds.iter().find(|one| *one.name == *feed);
    let result = match found {
        Some(feed) if !key.is_empty() => {
            let which = Which::OfKey(key.to_owned());
            let looked = console.instances.look(Look::new(&feed.topic, which, EVENTS)).await;
            match looked {
                Ok(looked) => entity(feed, key, &looked, caller),
                Err(fault) => html! { p.problem { "It cannot be read: " (fault) } },
            }
        }
        _ => html! { p.note { "Choose a feed, and give the key of one of its entities." } },
    };
    let main = html! {
        h1 { "Entities" }
        (forms(&names, name, &feeds, feed, key))
        (result)
    };
    let title = if key.is_empty() { "Entities".to_owned() } else { format!("{feed} {key}") };
    let page = Page { title: &title, part: Part::Entity, is_live: false, main };
    layout::page(&console, caller, &page)
}

/// The connector is chosen first: which feeds there are follows from it.
fn forms(names: &[String], name: &str, feeds: &[Feed], feed: &str, key: &str) -> Markup {
    html! {
        form.filter method="get" {
            label for="connector" { "Connector" }
            select #connector name="connector" {
                @for one in names { option selected[one == name] { (one) } }
            }
            button { "Choose" }
        }
        @if !feeds.is_empty() {
            form.filter method="get" role="search" {
                input type="hidden" name="connector" value=(name);
                label for="feed" { "Feed of " (name) }
                select #feed name="feed" {
                    @for one in feeds {
                        option value=(one.name) selected[*one.name == *feed] {
                            (one.name) " (key: " (one.key) ")"
                        }
                    }
                }
                label for="key" { "Key" }
                input #key name="key" type="search" required value=(key) autocomplete="off";
                button { "Show" }
            }
        }
    }
}

/// What is known of an entity.
pub(super) fn entity(feed: &Feed, key: &str, looked: &Looked, caller: Caller) -> Markup {
    let sight = Sight::new(feed.contract, caller.may_operate);
    let events: Vec<(&Found, Option<Value>)> = looked
        .records
        .iter()
        .map(|found| (found, topics::json(feed.contract.as_ref(), found)))
        .collect();
    html! {
        @if !looked.is_there { p.problem { "The topic " code { (feed.topic) } " is not there." } }
        @else if events.is_empty() {
            p.problem {
                "Nothing is on " code { (feed.topic) } " under the key " code { (key) }
                @if !looked.is_complete { " in its newest records; older ones were not looked at" }
                ". " (Count(looked.read)) " records were read."
            }
        } @else {
            p.note { a href="#events" { "To its last events" } }
            (now(&events, feed, sight))
            h2 #events { "Its last events, newest first" }
            @if !looked.is_complete {
                p.note { "Older ones were not looked at: reading is bounded." }
            }
            @for (at, (found, event)) in events.iter().enumerate() {
                (one(found, event.as_ref(), before(&events, at), sight))
            }
            @if !caller.may_operate {
                p.note { "Personal data, and what the schema does not know, is masked for those who may read alone." }
            }
        }
    }
}

/// What the entity was before an event: as the event says, else as the one before it says.
fn before<'e>(events: &'e [(&Found, Option<Value>)], at: usize) -> Option<&'e Value> {
    let own = events.get(at).and_then(|(_, event)| event.as_ref()).map(|event| &event["before"]);
    let older = || events.get(at + 1).and_then(|(_, event)| event.as_ref()).map(|e| &e["after"]);
    own.filter(|before| before.is_object()).or_else(older).filter(|value| value.is_object())
}

fn now(events: &[(&Found, Option<Value>)], feed: &Feed, sight: Sight<'_>) -> Markup {
    // A tombstone stands behind the delete that it belongs to.
    let newest = events.iter().find(|(found, _)| found.value.is_some());
    html! {
        h2 { "Now" }
        @match newest {
            Some((found, Some(event))) => {
                @if event["after"].is_object() {
                    (sight.table(&event["after"], &format!("As of {}", feed.topic)))
                } @else {
                    p { "It is deleted." }
                }
                p.note { "It stands at " code { (found.stands) } ", " (instant(found.at_ms)) }
            }
            Some((found, None)) => {
                p.problem { "This version cannot read its newest record, at " code { (found.stands) } "." }
            }
            None => { p { "It is deleted: only its tombstone is left." } }
        }
    }
}

fn one(found: &Found, event: Option<&Value>, before: Option<&Value>, sight: Sight<'_>) -> Markup {
    let id = found.headers.iter().find(|(name, _)| name == "talon-event-id");
    let id = id.map(|(_, value)| String::from_utf8_lossy(value));
    let words = match event.map(|event| event["op"].as_str().unwrap_or("?")) {
        Some("r") => "First read",
        Some("c") => "Created",
        Some("u") => "Changed",
        Some("d") => "Deleted",
        Some(_) => "An event of another kind",
        None if found.value.is_none() => "Tombstone",
        None => "Cannot be read by this version",
    };
    let absent = event.is_some_and(|event| event["source"]["absent"] == true);
    html! {
        section.event {
            h3 { (words) " " span.hint { (instant(found.at_ms)) } }
            p.note {
                code { (found.stands) }
                @if let Some(id) = id { ", event " code { (id) } }
                @if absent { ", inferred from its absence" }
            }
            @match (event, before) {
                (Some(event), Some(before)) if event["after"].is_object() => {
                    (differences(&sight.differences(before, &event["after"]), "What changed"))
                }
                (Some(event), None) if event["op"] == "u" => {
                    p.note { "What it was before is not kept (" code { "before.image: none" } "), or is older than what was read." }
                }
                _ => {}
            }
        }
    }
}
