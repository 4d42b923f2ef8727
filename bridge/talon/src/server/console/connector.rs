//! One connector: what it is told to be, what became of it, and its buttons.

use std::collections::HashMap;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use talon_runtime::engine::Glance;

use super::caller::Caller;
use super::feeds::{self, Here};
use super::layout::{self, Page, Part};
use super::matters::{self, matters};
use super::seen::{Seen, who};
use super::state::Console;
use super::text::{Count, Encoded, Span, connect};
use crate::instances::{CLASS, Info, Target, without_secrets};

/// What can be done with a connector: the word in the form, that on the button, and what it means.
const CHANGES: [(&str, &str, &str); 4] = [
    ("pause", "Pause", "reads nothing, keeps its shard"),
    ("resume", "Resume", "runs again, after reading back what was published"),
    ("stop", "Stop", "reads nothing, gives its shard up"),
    ("restart", "Restart", "ends and starts anew, connector and task"),
];

/// The page of a connector.
pub(super) async fn page(
    State(console): State<Console>,
    caller: Caller,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let name = query.get("name").map(String::as_str).unwrap_or_default();
    let found = console.instances.info(name).zip(console.instances.status(name));
    let Some((info, shown)) = found else {
        let why = format!("there is no connector `{name}`; the overview lists all");
        return layout::refusal(&console, caller, (StatusCode::NOT_FOUND, Part::Connector), &why);
    };
    let done = query.get("done").and_then(|done| CHANGES.iter().find(|(word, ..)| word == done));
    let glance = console.view.glance();
    let one = [(name.to_owned(), info, shown)];
    let seen = Seen {
        glance: &glance,
        connectors: &one,
        trouble: None,
        worker: console.instances.worker(),
        upstreams: &console.view.upstreams(),
        recent: &[],
    };
    let main =
        main(&seen, &console.instances.topics(name), caller, done.map(|(_, words, _)| *words));
    layout::page(
        &console,
        caller,
        &Page { title: name, part: Part::Connector, is_live: true, main },
    )
}

/// The page of the one connector that is seen.
pub(super) fn main(
    seen: &Seen<'_>,
    topics: &[String],
    caller: Caller,
    done: Option<&str>,
) -> Markup {
    let Some((name, info, shown)) = seen.connectors.first() else { return html! {} };
    let glance = seen.glance;
    let matters: Vec<_> = matters(seen)
        .into_iter()
        .filter(|matter| matter.is_about(name) || matters::is_shared(&matter.what))
        .collect();
    let here = Here::of(glance, name);
    let (is_here, runs) = who(shown, seen.worker);
    html! {
        h1 { (name) " " (connect(shown.task.as_deref().unwrap_or(&shown.connector))) }
        @if let Some(done) = done {
            p.done role="status" { (done) " was asked for. The state follows within seconds." }
        }
        dl.facts {
            dt { "Class" } dd { (info.config.get(CLASS).map(String::as_str).unwrap_or_default()) }
            dt { "Run by" } dd { (runs) }
            dt { "Wanted" } dd { (info.target.word().to_lowercase()) }
            dt { "Connector, task" }
            dd { (shown.connector.to_lowercase()) ", " (shown.task.as_deref().unwrap_or("none").to_lowercase()) }
            dt { "Configured" }
            dd {
                @if info.of_file { "in the file of the process; changed there, and read-only here" }
                @else { "over REST, on the bus" }
            }
        }
        (buttons(name, info, caller))
        @if !matters.is_empty() {
            h2 #matters { "What is the matter" }
            (matters::list(&matters, "../", glance.now_ms))
        }
        @if !shown.trace.is_empty() && !is_here {
            h2 { "Trace" }
            pre tabindex="0" { (shown.trace) }
        }
        (work(glance, name, here, is_here))
        (upstream(seen, name))
        @if !topics.is_empty() {
            h2 { "Topics" }
            ul { @for topic in topics { li { code { (topic) } } } }
        }
        (configuration(name, info))
    }
}

/// The buttons, as a form each.
fn buttons(name: &str, info: &Info, caller: Caller) -> Markup {
    let fits = |word: &str| match (word, info.target) {
        ("restart", target) => target == Target::Running,
        _ if info.of_file => false,
        ("pause", target) => target == Target::Running,
        ("stop", target) => target != Target::Stopped,
        (_, target) => target != Target::Running,
    };
    html! {
        @if caller.may_operate {
            div.buttons {
                @for (word, words, means) in CHANGES.iter().filter(|(word, ..)| fits(word)) {
                    form method="post" action="change" {
                        input type="hidden" name="name" value=(name);
                        button name="change" value=(word) title=(means) { (words) }
                    }
                }
            }
        } @else {
            p.note { "Pause, resume, stop and restart are for those who may operate." }
        }
    }
}

fn work(glance: &Glance, name: &str, here: Here<'_>, is_here: bool) -> Markup {
    html! {
        @if is_here && !here.feeds.is_empty() {
            h2 { "Feeds" }
            table.feeds {
                caption { "Each links to a look at its entities" }
                (feeds::head("Feed and topic"))
                tbody { @for feed in here.feeds { (feeds::row(glance, feed, "../")) } }
            }
        } @else if !is_here {
            h2 { "Feeds" }
            p.note {
                "Freshness and counts are known to the process that runs it. "
                a href={ "entity?connector=" (Encoded(name)) } { "Look at an entity" } "."
            }
        }
        @for note in feeds::notes(glance, name, here, "../") { p.note { (note) } }
    }
}

fn upstream(seen: &Seen<'_>, name: &str) -> Markup {
    let Some(row) = seen.upstreams.get(name) else { return html! {} };
    html! {
        h2 { "Upstream" }
        table.codes {
            caption {
                "Requests of this process since it began: " (Count(row.requests)) ", not answered well: "
                (Count(row.failed)) ". They waited " (Span(row.waited_ms)) " for the rate budget in all."
            }
            thead { tr { th scope="col" { "Answer" } th.number scope="col" { "Requests" } } }
            tbody {
                @for (code, count) in &row.codes {
                    tr { th scope="row" { (code) } td.number { (Count(*count)) } }
                }
            }
        }
    }
}

fn configuration(name: &str, info: &Info) -> Markup {
    html! {
        h2 { "Configuration as running" }
        table.fields {
            caption { "Secrets stand as references, never as values" }
            thead { tr { th scope="col" { "Setting" } th scope="col" { "Value" } } }
            tbody {
                @for (key, value) in without_secrets(&info.config) {
                    tr { th scope="row" { (key) } td { code { (value) } } }
                }
            }
        }
        p.note {
            "All settings of its class with their defaults: " code { "talon plugins" } ", or "
            a href={ "../connectors/" (Encoded(name)) } { "/connectors/" (name) } " for machines."
        }
    }
}
