//! What this process knows of a connector that it runs.

use std::collections::BTreeMap;

use maud::{Markup, html};
use talon_runtime::commands::LaneStatus;
use talon_runtime::engine::{FeedRow, Glance};
use talon_runtime::health::State;
use talon_runtime::metrics::FeedStatus;
use talon_sdk::{Left, Standing};

use super::text::{Count, Encoded, Span, badge, warning};

/// A feed and how it is.
pub(super) type Feed = (FeedRow, FeedStatus);

/// What this process knows of a connector.
#[derive(Clone, Copy)]
pub(super) struct Here<'a> {
    pub(super) feeds: &'a [Feed],
    lane: Option<&'a LaneStatus>,
    backfill: Option<&'a Standing>,
    quotas: Option<&'a BTreeMap<&'static str, Left>>,
}

impl<'a> Here<'a> {
    /// By the connector's name.
    pub(super) fn of(glance: &'a Glance, name: &str) -> Here<'a> {
        // All feeds of a connector stand together.
        let of_name = |feeds: &&[Feed]| feeds.first().is_some_and(|(row, _)| row.connector == name);
        let mut groups =
            glance.feeds.chunk_by(|(one, _), (other, _)| one.connector == other.connector);
        Here {
            feeds: groups.find(of_name).unwrap_or_default(),
            lane: glance.commands.iter().find(|lane| lane.connector == name),
            backfill: glance.backfills.get(name),
            quotas: glance.quotas.get(name).filter(|quotas| !quotas.is_empty()),
        }
    }
}

/// True if the last observation is older than a few missed turns explain. What is pushed has no turns.
pub(super) fn is_late(glance: &Glance, (row, status): &Feed) -> bool {
    if row.interval_ms == 0 {
        return false;
    }
    let serving = || glance.components.get(&row.connector).filter(|c| c.state == State::Up);
    // Before the first observation, from when the connector was ready to publish one.
    let Some(since_ms) = status.observed_ms.or_else(|| serving().map(|c| c.since_ms)) else {
        return false;
    };
    let patience = row.interval_ms.saturating_mul(3).saturating_add(5_000);
    u64::try_from(glance.now_ms - since_ms).is_ok_and(|age| age > patience)
}

/// When a feed was read last, for people.
pub(super) fn last_read(glance: &Glance, status: &FeedStatus) -> String {
    match status.observed_ms {
        Some(at) if glance.now_ms - at < 1_000 => "just now".to_owned(),
        Some(at) => format!("{} ago", Span(glance.now_ms - at)),
        None => "not yet".to_owned(),
    }
}

/// The columns of a table of feeds.
pub(super) fn head(first: &str) -> Markup {
    html! {
        thead { tr {
            th scope="col" { (first) }
            th scope="col" { "State" }
            th scope="col" { "Last read" }
            th.number scope="col" { "Entities" }
            th.number scope="col" { "Events since start" }
            th.number scope="col" { "Withheld deletes" }
        } }
    }
}

/// A row of it.
pub(super) fn row(glance: &Glance, feed: &Feed, base: &str) -> Markup {
    let (row, status) = feed;
    let component = glance.components.get(&format!("{}/{}", row.connector, row.feed));
    let age = last_read(glance, status);
    let address = format!(
        "{base}console/entity?connector={}&feed={}",
        Encoded(&row.connector),
        Encoded(&row.feed)
    );
    html! {
        tr.feed {
            th scope="row" {
                a href=(address) { (row.feed) } " "
                code.topic { (row.topic) }
            }
            td data-name="State" {
                @match component {
                    Some(component) => (badge(component)),
                    None => { span.hint { "–" } },
                }
            }
            td data-name="Last read" {
                @if is_late(glance, feed) {
                    (warning(&age)) " "
                    span.hint {
                        "late: due every " (Span(row.interval_ms.try_into().unwrap_or(i64::MAX)))
                    }
                } @else { (age) }
                @if let Some(oldest) = &status.oldest {
                    " " span.hint {
                        "oldest: " (oldest.scope) ", " (Span(glance.now_ms - oldest.at_ms))
                    }
                }
            }
            td.number data-name="Entities" { (Count(status.entities)) }
            td.number data-name="Events" { (Count(status.published)) }
            td.number data-name="Withheld" {
                @if status.withheld == 0 { "0" } @else { (warning(Count(status.withheld))) }
            }
        }
    }
}

/// What is to be said of a connector beside its feeds, each in a few words.
pub(super) fn notes(glance: &Glance, name: &str, here: Here<'_>, base: &str) -> Vec<Markup> {
    let mut notes = Vec::new();
    if let Some(lane) = here.lane {
        notes.push(commands(glance, lane, base));
    }
    if let Some(backfill) = here.backfill {
        let (done, total) = (Count(backfill.done), Count(backfill.total));
        notes.push(html! {
            "Backfill: " (done) " of " (total) " days, " (backfill.percent()) " %"
            @match backfill.left_ms {
                Some(0) => {}
                Some(left) => { "; about " (Span(left.try_into().unwrap_or(i64::MAX))) " left" }
                None => { "; no pace to tell the rest by yet" }
            }
            " " progress max=(backfill.total) value=(backfill.done)
                aria-label={ "Backfill of " (name) } {}
        });
    }
    for (operation, quota) in here.quotas.into_iter().flatten() {
        notes.push(html! {
            "Quota of " code { (operation) } ": " (quota.left) " of " (quota.limit)
            " calls an hour left"
            @if quota.left == 0 {
                "; the next one in " (Span(quota.next_ms.saturating_sub(glance.now_ms)))
            }
        });
    }
    notes
}

fn commands(glance: &Glance, lane: &LaneStatus, base: &str) -> Markup {
    let component = glance.components.get(&format!("{}/commands", lane.connector));
    let address = format!("{base}console/commands?connector={}", Encoded(&lane.connector));
    html! {
        a href=(address) { "Commands" }
        @if let Some(component) = component { " " (badge(component)) }
        " waiting: " (Count(lane.waiting))
        @for (word, count) in &lane.outcomes {
            "; "
            // What a person has to look into stands out.
            @if *word == "UNKNOWN" { (warning(format_args!("UNKNOWN: {}", Count(*count)))) }
            @else { (word) ": " (Count(*count)) }
        }
    }
}
