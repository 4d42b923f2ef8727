//! What all pages have around them.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::caller::Caller;
use super::state::Console;

/// A part of the console, as the navigation has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Overview,
    Connector,
    Commands,
    Entity,
    Letters,
    Runbook,
}

/// A page.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    pub(super) part: Part,
    /// Taken anew every few seconds. Not what reads the bus.
    pub(super) is_live: bool,
    pub(super) main: Markup,
}

impl Part {
    /// What is before addresses of other parts.
    pub(super) fn base(self) -> &'static str {
        match self {
            Part::Overview => "",
            _ => "../",
        }
    }
}

/// A page as an answer.
pub(super) fn page(console: &Console, caller: Caller, page: &Page<'_>) -> Response {
    Html(document(console, caller, page)).into_response()
}

/// A page that says why there is nothing else.
pub(super) fn refusal(
    console: &Console,
    caller: Caller,
    (code, part): (StatusCode, Part),
    why: &str,
) -> Response {
    let title = code.canonical_reason().unwrap_or("Refused");
    let main = html! { h1 { (title) } p { (why) } };
    let document = document(console, caller, &Page { title, part, is_live: false, main });
    (code, Html(document)).into_response()
}

/// A page as HTML.
pub(super) fn document(console: &Console, caller: Caller, page: &Page<'_>) -> String {
    let Page { title, part, is_live, main } = page;
    let base = part.base();
    let about = &console.about;
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Talon" }
                link rel="stylesheet" href={ (base) "console/console.css" };
                link rel="icon" type="image/svg+xml" href={ (base) "console/icon.svg" };
                @if *is_live { noscript { meta http-equiv="refresh" content="10"; } }
                script src={ (base) "console/console.js" } defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    p.brand {
                        b { "Talon" } " " (env!("CARGO_PKG_VERSION")) " "
                        span.hint { "talon " (about.mode) }
                    }
                    (navigation(*part))
                }
                p #lost role="alert" hidden {}
                p #heard .heard role="status" aria-live="polite" {}
                main #main tabindex="-1" data-live[*is_live] { (main) }
                (footer(console, caller, base))
            }
        }
    };
    clean(document.into_string())
}

fn navigation(part: Part) -> Markup {
    let base = part.base();
    let link = |to: Part, path: &str, words: &str| {
        let current = (to == part).then_some("page");
        html! { li { a href={ (base) (path) } aria-current=[current] { (words) } } }
    };
    let root = if base.is_empty() { "./" } else { "" };
    html! {
        nav aria-label="Console" {
            ul {
                (link(Part::Overview, root, "Overview"))
                (link(Part::Commands, "console/commands", "Commands"))
                (link(Part::Entity, "console/entity", "Entities"))
                (link(Part::Letters, "console/letters", "Dead letters"))
                (link(Part::Runbook, "console/runbook", "Runbook"))
            }
        }
    }
}

fn footer(console: &Console, caller: Caller, base: &str) -> Markup {
    let about = &console.about;
    html! {
        footer {
            dl {
                dt { "Bus" } dd { (about.bus) }
                dt { "Schema registry" } dd { (about.registry.as_deref().unwrap_or("none")) }
                dt { "Topic prefix" } dd { (about.prefix) }
                dt { "This process" } dd { (console.instances.worker()) }
                dt { "You" }
                dd {
                    @if caller.may_operate {
                        "may read and operate; personal data is shown to you"
                    } @else {
                        "may read; personal data is masked, and changes are refused"
                    }
                }
                dt { "For machines" }
                dd {
                    a href={ (base) "health/ready" } { "/health/ready" } " "
                    a href={ (base) "metrics" } { "/metrics" } " "
                    a href={ (base) "connectors?expand=status" } { "/connectors" }
                }
            }
        }
    }
}

/// Takes out of a page what turns the direction of the text that follows, or hides: a name must look like what it is.
pub(super) fn clean(page: String) -> String {
    let is_hidden = |c: char| {
        matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || c.is_control() && !c.is_whitespace()
    };
    if page.contains(is_hidden) { page.replace(is_hidden, "\u{fffd}") } else { page }
}
