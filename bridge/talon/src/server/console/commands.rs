//! Commands: what became of them, what a person has to look into first.

use std::cmp::Reverse;
use std::collections::HashMap;

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use talon_runtime::bus::Which;

use super::caller::Caller;
use super::command;
use super::layout::{self, Page, Part};
use super::results::{NONE, OUTCOMES, Row, badge, read};
use super::state::Console;
use super::text::{Count, Encoded, instant};
use crate::connectors;
use crate::instances::{CLASS, Info};

/// Results that are read: an intent and an outcome for each command.
const RESULTS: usize = 2_000;

/// Commands that are shown.
const SHOWN: usize = 200;

/// The page of all commands of a connector.
pub(super) async fn page(
    State(console): State<Console>,
    caller: Caller,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let text = |name: &str| query.get(name).map(|text| text.trim()).unwrap_or_default();
    let (wanted, word) = (text("state"), text("id"));
    let with: Vec<String> = carriers(&console);
    let name = match text("connector") {
        "" => with.first().cloned().unwrap_or_default(),
        name => name.to_owned(),
    };
    if !word.is_empty() {
        return command::shown(&console, caller, &name, word).await;
    }
    let found = match with.contains(&name) {
        true => read(&console, &name, Which::Newest, RESULTS).await,
        false => Err("no connector carries commands, or none of this name does".to_owned()),
    };
    let main = html! {
        h1 { "Commands" }
        (form(&with, &name, wanted))
        @match found {
            Ok((rows, is_complete)) => (list(rows, &name, wanted, is_complete)),
            Err(why) => { p.problem { (why) } }
        }
    };
    let page = Page { title: "Commands", part: Part::Commands, is_live: false, main };
    layout::page(&console, caller, &page)
}

/// The connectors whose class carries commands.
fn carriers(console: &Console) -> Vec<String> {
    let all = console.instances.all().into_iter();
    let carries =
        |class: &str| connectors::class(class).is_some_and(|class| class.commands().is_some());
    let class = |info: &Info| info.config.get(CLASS).cloned().unwrap_or_default();
    let mut known: HashMap<String, bool> = HashMap::new();
    all.filter(|(_, info, _)| {
        let class = class(info);
        *known.entry(class.clone()).or_insert_with(|| carries(&class))
    })
    .map(|(name, ..)| name)
    .collect()
}

fn form(with: &[String], name: &str, wanted: &str) -> Markup {
    html! {
        form.filter method="get" role="search" {
            label for="connector" { "Connector" }
            select #connector name="connector" {
                @for one in with { option selected[one == name] { (one) } }
            }
            label for="state" { "Outcome" }
            select #state name="state" {
                option value="" selected[wanted.is_empty()] { "any" }
                @for (word, ..) in OUTCOMES {
                    option value=(word) selected[wanted == word] {
                        (if word == NONE { "none yet" } else { word })
                    }
                }
            }
            label for="id" { "Id" }
            input #id name="id" type="search" autocomplete="off";
            button { "Show" }
        }
    }
}

/// Commands as a table, what concerns people first.
pub(super) fn list(mut rows: Vec<Row>, name: &str, wanted: &str, is_complete: bool) -> Markup {
    let all = rows.len();
    rows.retain(|row| wanted.is_empty() || row.outcome() == wanted);
    rows.sort_by_key(|row| {
        let rank = OUTCOMES.iter().position(|(word, ..)| *word == row.outcome());
        (rank.unwrap_or(0), Reverse(row.found.at_ms))
    });
    let oldest = rows.iter().map(|row| row.found.at_ms).min();
    html! {
        p.note {
            "Looked at the newest " (Count(all as u64)) " commands"
            @if let Some(at_ms) = oldest { ", back to " (instant(at_ms)) }
            "."
            @if !is_complete { " Reading took too long, so older ones were not looked at." }
        }
        @if rows.is_empty() { p { "None of these." } }
        @else {
            table.commands {
                caption { (Count(rows.len() as u64)) " commands, those that concern people first" }
                thead { tr {
                    @for column in ["Outcome", "Id", "Type", "Key", "When", "Message"] {
                        th scope="col" { (column) }
                    }
                } }
                tbody { @for row in rows.iter().take(SHOWN) { (line(row, name)) } }
            }
            @if rows.len() > SHOWN {
                p.note { "And " (rows.len() - SHOWN) " more: narrow them by the outcome." }
            }
        }
    }
}

fn line(row: &Row, name: &str) -> Markup {
    let record = &row.record;
    let address = format!("command?connector={}&id={}", Encoded(name), Encoded(&record.command_id));
    html! {
        tr {
            td data-name="Outcome" { (badge(row.outcome())) }
            th scope="row" { a href=(address) { (record.command_id) } }
            td data-name="Type" { (record.r#type) }
            td data-name="Key" { code { (record.key) } }
            td data-name="When" { (instant(row.found.at_ms)) }
            td data-name="Message" { (record.message.as_deref().unwrap_or("–")) }
        }
    }
}
