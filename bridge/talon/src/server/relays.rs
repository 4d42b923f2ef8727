//! The relays on the status page.

use std::fmt::{self, Display, Formatter};

use talon_runtime::engine::Glance;
use talon_runtime::relay::RelayRow;

use super::text::{Badge, Count, Span, Text};

/// The tasks of relays that run here.
pub(super) struct Relays<'a>(pub(super) &'a Glance);

impl Display for Relays<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Relays(glance) = self;
        for tasks in glance.relays.chunk_by(|one, other| one.relay == other.relay) {
            let first = &tasks[0];
            writeln!(f, "<h2>Relay {}</h2>", Text(&first.relay))?;
            writeln!(f, "<p class=\"note\">{}</p>", Text(&first.way))?;
            let label = Text(&first.relay);
            writeln!(f, "<table class=\"feeds\" aria-label=\"Tasks of the relay {label}\">")?;
            write!(f, "<thead><tr>")?;
            for column in
                ["Task", "Fresh", "Parts", "Behind", "Carried since start", "Dead letters"]
            {
                write!(f, "<th scope=\"col\">{column}</th>")?;
            }
            writeln!(f, "</tr></thead>\n<tbody>")?;
            for task in tasks {
                row(f, glance, task)?;
            }
            writeln!(f, "</tbody></table>")?;
        }
        Ok(())
    }
}

fn row(f: &mut Formatter<'_>, glance: &Glance, task: &RelayRow) -> fmt::Result {
    write!(f, "<tr><th scope=\"row\">{}", task.task)?;
    if let Some(component) = glance.components.get(&format!("relay/{}/{}", task.relay, task.task)) {
        write!(f, " {}", Badge(component))?;
    }
    match task.fresh_ms {
        Some(at) if glance.now_ms - at < 5_000 => write!(f, "</th><td>just now</td>")?,
        Some(at) => write!(f, "</th><td>{} ago</td>", Span(glance.now_ms - at))?,
        None => write!(f, "</th><td>not yet</td>")?,
    }
    for count in [task.parts as u64, task.behind, task.carried, task.dead_letters] {
        write!(f, "<td class=\"number\">{}</td>", Count(count))?;
    }
    writeln!(f, "</tr>")
}
