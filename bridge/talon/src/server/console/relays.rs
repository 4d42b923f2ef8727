//! The relays of this process.

use maud::{Markup, html};
use talon_runtime::engine::Glance;
use talon_runtime::relay::RelayRow;

use super::text::{Count, Span, badge};

/// The tasks of relays that run here.
pub(super) fn relays(glance: &Glance) -> Markup {
    html! {
        @for tasks in glance.relays.chunk_by(|one, other| one.relay == other.relay) {
            @if let Some(first) = tasks.first() {
                h2 { "Relay " (first.relay) }
                table.relays {
                    caption { (first.way) }
                    thead { tr {
                        th scope="col" { "Task" }
                        th scope="col" { "State" }
                        th scope="col" { "Fresh" }
                        @for column in ["Parts", "Behind", "Carried since start", "Dead letters"] {
                            th.number scope="col" { (column) }
                        }
                    } }
                    tbody { @for task in tasks { (row(glance, task)) } }
                }
            }
        }
    }
}

fn row(glance: &Glance, task: &RelayRow) -> Markup {
    let component = glance.components.get(&format!("relay/{}/{}", task.relay, task.task));
    html! {
        tr {
            th scope="row" { (task.task) }
            td { @if let Some(component) = component { (badge(component)) } }
            td {
                @match task.fresh_ms {
                    Some(at) if glance.now_ms - at < 5_000 => "just now",
                    Some(at) => { (Span(glance.now_ms - at)) " ago" }
                    None => "not yet",
                }
            }
            @for count in [task.parts as u64, task.behind, task.carried, task.dead_letters] {
                td.number { (Count(count)) }
            }
        }
    }
}
