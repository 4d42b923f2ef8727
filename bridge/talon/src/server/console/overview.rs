//! The overview: what the matter is in the first lines, the evidence below.

use std::collections::HashMap;

use axum::response::Response;
use maud::{Markup, html};
use talon_runtime::engine::Glance;
use talon_runtime::health::{Component, Severity, State};

use super::caller::Caller;
use super::feeds::{self, Here};
use super::layout::{self, Page, Part};
use super::matters::{self, Matter, matters};
use super::relays::relays;
use super::seen::{Seen, who};
use super::state::Console;
use super::text::{Count, Encoded, Span, TimeOfDay, badge, connect, look};
use crate::instances::{CLASS, Info, Shown};

/// Connectors on a page.
const PAGE: usize = 50;

/// States by which connectors are looked for, in the words of REST.
const STATES: [&str; 6] = ["FAILED", "UNASSIGNED", "RESTARTING", "RUNNING", "PAUSED", "STOPPED"];

/// Which connectors are shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) find: String,
    pub(super) state: String,
    pub(super) page: usize,
}

impl Filter {
    pub(super) fn of(query: &HashMap<String, String>) -> Filter {
        let text = |name: &str| query.get(name).map(|text| text.trim().to_owned());
        Filter {
            find: text("find").unwrap_or_default(),
            state: text("state").unwrap_or_default(),
            page: text("page").and_then(|page| page.parse().ok()).unwrap_or(1).max(1),
        }
    }

    fn takes(&self, (name, info, shown): &(String, Info, Shown)) -> bool {
        let class = info.config.get(CLASS).map(String::as_str).unwrap_or_default();
        let find = self.find.to_lowercase();
        let named = [name.as_str(), class, shown.worker.as_str()]
            .iter()
            .any(|text| text.to_lowercase().contains(&find));
        let is_in = |word: Option<&String>| word.is_some_and(|word| *word == self.state);
        named
            && (self.state.is_empty()
                || is_in(Some(&shown.connector))
                || is_in(shown.task.as_ref()))
    }

    fn address(&self, page: usize) -> String {
        format!("?find={}&state={}&page={page}", Encoded(&self.find), Encoded(&self.state))
    }
}

/// The overview as an answer.
pub(in crate::server) fn overview(
    console: &Console,
    caller: Caller,
    query: &HashMap<String, String>,
) -> Response {
    let glance = console.view.glance();
    let trouble = console.instances.ready().err();
    let seen = Seen {
        glance: &glance,
        connectors: &console.instances.all(),
        trouble: trouble.as_deref(),
        worker: console.instances.worker(),
        upstreams: &console.view.upstreams(),
        recent: &console.about.recent.lines(),
    };
    let (words, main) = main(&seen, &Filter::of(query));
    let page = Page { title: words, part: Part::Overview, is_live: true, main };
    layout::page(console, caller, &page)
}

/// The state of the whole in words, and the page.
pub(super) fn main(seen: &Seen<'_>, filter: &Filter) -> (&'static str, Markup) {
    let matters = matters(seen);
    let overall = overall(seen.glance, &matters);
    let main = html! {
        (headline(seen, overall, &matters))
        @if !matters.is_empty() {
            h2 #matters { "What is the matter" }
            (matters::list(&matters, "", seen.glance.now_ms))
        }
        (connectors(seen, filter))
        (relays(seen.glance))
        (upstreams(seen))
        (fine(seen.glance))
        @if !seen.recent.is_empty() {
            h2 { "Last events, newest first" }
            ol.recent { @for line in seen.recent.iter().rev() { li { code { (line) } } } }
        }
    };
    (overall.2, main)
}

/// A class of the style, a sign and words.
type Overall = (&'static str, &'static str, &'static str);

fn overall(glance: &Glance, matters: &[Matter]) -> Overall {
    let vital = |c: &&Component| c.severity == Severity::Vital && !c.state.is_well();
    match glance.status {
        "up" if matters.is_empty() => ("up", "●", "Up"),
        "up" => ("warn", "▲", "Up, with warnings"),
        "degraded" => ("warn", "▲", "Degraded"),
        // The first seconds of every start: no alarm.
        _ if glance.components.values().filter(vital).all(|c| c.state == State::Starting) => {
            ("wait", "◌", "Unavailable, starting")
        }
        _ => ("bad", "✕", "Unavailable"),
    }
}

fn headline(seen: &Seen<'_>, (class, sign, words): Overall, matters: &[Matter]) -> Markup {
    let glance = seen.glance;
    html! {
        section class={ "overall " (class) } aria-labelledby="overall" {
            h1 #overall { span aria-hidden="true" { (sign) " " } (words) }
            @if let Some(first) = matters.first() {
                p {
                    strong { (first.what) } " is " (first.word)
                    @if !first.says.is_empty() { ": " (first.says) }
                    @if matters.len() > 1 { " " a href="#matters" { "and " (matters.len() - 1) " more" } }
                }
            }
            @if glance.components.is_empty() && seen.connectors.is_empty() {
                p { "No component has reported yet." }
            }
            @if let Some(trouble) = seen.trouble {
                p { "Connectors that came over REST are not known yet: " (trouble) }
            }
            @if matters.is_empty() && !glance.feeds.is_empty() {
                p { "All feeds are read: " (glance.feeds.len()) }
            }
            p.clock { "As of " (TimeOfDay(glance.now_ms)) }
        }
    }
}

/// The connectors that the filter takes, with what is known of their feeds here.
fn connectors(seen: &Seen<'_>, filter: &Filter) -> Markup {
    let taken: Vec<_> = seen.connectors.iter().filter(|one| filter.takes(one)).collect();
    let pages = taken.len().div_ceil(PAGE).max(1);
    let page = filter.page.clamp(1, pages);
    let shown = taken.iter().skip((page - 1) * PAGE).take(PAGE);
    let all = seen.connectors.len();
    html! {
        h2 #connectors { "Connectors" }
        @if all > 1 { (form(seen, filter)) }
        @if all == 0 { p.note { "There are none." } }
        @else {
            table.feeds {
                caption {
                    @if taken.len() == all { (Count(all as u64)) " connectors" }
                    @else { (Count(taken.len() as u64)) " of " (Count(all as u64)) " connectors" }
                    @if pages > 1 { ", page " (page) " of " (pages) }
                }
                (feeds::head("Connector and feed"))
                @for (name, info, state) in shown { (connector(seen, name, info, state)) }
            }
        }
        @if pages > 1 {
            nav.pages aria-label="Pages of connectors" {
                @if page > 1 { a rel="prev" href=(filter.address(page - 1)) { "Previous page" } }
                @if page < pages { a rel="next" href=(filter.address(page + 1)) { "Next page" } }
            }
        }
    }
}

fn form(seen: &Seen<'_>, filter: &Filter) -> Markup {
    let count =
        |word: &str| seen.connectors.iter().filter(|(_, _, of)| of.connector == word).count();
    html! {
        form.filter method="get" role="search" {
            label for="find" { "Name, class or process" }
            input #find name="find" type="search" value=(filter.find) autocomplete="off";
            label for="state" { "State" }
            select #state name="state" {
                option value="" selected[filter.state.is_empty()] { "any" }
                @for word in STATES {
                    option value=(word) selected[filter.state == word] {
                        (word.to_lowercase()) " (" (count(word)) ")"
                    }
                }
            }
            button { "Show" }
        }
    }
}

fn connector(seen: &Seen<'_>, name: &str, info: &Info, shown: &Shown) -> Markup {
    let glance = seen.glance;
    let here = Here::of(glance, name);
    let is_here = who(shown, seen.worker).0;
    let notes = if is_here { feeds::notes(glance, name, here, "") } else { Vec::new() };
    let task = shown.task.as_deref().filter(|task| *task != shown.connector);
    html! {
        tbody {
            tr.connector {
                th scope="rowgroup" {
                    a href={ "console/connector?name=" (Encoded(name)) } { (name) } " "
                    span.hint { (info.config.get(CLASS).map(String::as_str).unwrap_or_default()) }
                }
                td {
                    (connect(task.unwrap_or(&shown.connector)))
                    @if let Some(component) = glance.components.get(name).filter(|_| is_here) {
                        @if !component.state.is_well() { " " (badge(component)) }
                    }
                }
                td.notes colspan="4" {
                    "run by " (who(shown, seen.worker).1)
                    @for note in notes { br; (note) }
                }
            }
            @if is_here { @for feed in here.feeds { (feeds::row(glance, feed, "")) } }
        }
    }
}

/// What upstreams were asked, for connectors that ran here.
fn upstreams(seen: &Seen<'_>) -> Markup {
    if seen.upstreams.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Upstreams" }
        table.upstreams {
            caption { "Requests of this process since it began" }
            thead { tr {
                th scope="col" { "Connector" }
                @for column in ["Requests", "Not answered well", "Waited for the rate budget"] {
                    th.number scope="col" { (column) }
                }
            } }
            tbody {
                @for (name, row) in seen.upstreams.iter().take(PAGE) {
                    tr {
                        th scope="row" {
                            a href={ "console/connector?name=" (Encoded(name)) } { (name) }
                        }
                        td.number { (Count(row.requests)) }
                        td.number { (Count(row.failed)) }
                        td.number { (Span(row.waited_ms)) }
                    }
                }
            }
        }
    }
}

/// Components that are up, and who wants to know.
fn fine(glance: &Glance) -> Markup {
    let fine: Vec<_> = glance.components.iter().filter(|(_, c)| c.state.is_well()).collect();
    if fine.is_empty() {
        return html! {};
    }
    html! {
        details #fine {
            summary #fine-words { "Components that are up: " (fine.len()) }
            ul.fine {
                @for (name, component) in fine {
                    @let (class, sign) = look(component.state, component.severity);
                    li {
                        span class=(class) aria-hidden="true" { (sign) " " } (name) " "
                        span.hint {
                            (component.state.word()) " for " (Span(glance.now_ms - component.since_ms))
                            @if !component.message.is_empty() && component.message != component.state.word() {
                                ": " (component.message)
                            }
                        }
                    }
                }
            }
        }
    }
}
