//! The runbook, so that it is at hand where nothing else is.

use std::sync::LazyLock;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Parser, Tag, TagEnd, html::push_html};

use super::caller::Caller;
use super::layout::{self, Page, Part};
use super::state::Console;

/// The text of `docs/runbook.md`.
pub(super) const TEXT: &str = include_str!("../../../../../docs/runbook.md");

/// It does not change.
static HTML: LazyLock<String> = LazyLock::new(|| rendered(TEXT));

/// The page of the runbook.
pub(super) async fn page(State(console): State<Console>, caller: Caller) -> Response {
    let main = main();
    layout::page(
        &console,
        caller,
        &Page { title: "Runbook", part: Part::Runbook, is_live: false, main },
    )
}

pub(super) fn main() -> Markup {
    html! { article.runbook { (PreEscaped(HTML.as_str())) } }
}

/// Markdown as HTML: sections have ids by which they are linked, and what leads out of the page is text.
fn rendered(markdown: &str) -> String {
    let events: Vec<Event<'_>> = Parser::new(markdown).collect();
    let mut out = Vec::with_capacity(events.len());
    let mut is_link = false;
    for (at, event) in events.iter().enumerate() {
        let mut event = event.clone();
        match &mut event {
            Event::Start(Tag::Heading { level: HeadingLevel::H2, id, .. }) => {
                if let Some(Event::Text(text)) = events.get(at + 1) {
                    *id = Some(CowStr::from(text.to_lowercase()));
                }
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                is_link = dest_url.starts_with('#');
                if !is_link {
                    continue;
                }
            }
            Event::End(TagEnd::Link) if !is_link => continue,
            // It has none, and none is let through.
            Event::Html(_) | Event::InlineHtml(_) => continue,
            _ => {}
        }
        out.push(event);
    }
    let mut html = String::with_capacity(markdown.len() * 2);
    push_html(&mut html, out.into_iter());
    html
}
