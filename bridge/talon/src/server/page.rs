//! The status page: what the matter is in the first lines, the evidence below.
//!
//! Complete without JavaScript; the script only takes it anew. Whatever is not a literal of this file
//! or a number goes through [`Text`].

use std::fmt::{self, Display, Formatter};

use talon_runtime::commands::LaneStatus;
use talon_runtime::engine::{FeedRow, Glance};
use talon_runtime::health::{Component, Severity, State};
use talon_runtime::metrics::{FeedStatus, OldestScope};

use super::about::About;
use super::relays::Relays;
use super::text::{Badge, Count, Names, Span, Text, TimeOfDay, word};

/// Nothing is loaded and nothing runs but the style and the script of `page.html`, which are known by
/// their SHA-256; a test tells the new ones after an edit.
pub(super) const POLICY: &str = "default-src 'none'; \
    style-src 'sha256-z8gF9ILIUEmi00Lf3Hn8Snj7xkwlo7nzyAYkMtnTrAM='; \
    script-src 'sha256-1cuHoptJQMJy4cUSXnINgxjJJAmwztIV5Pomer0SrkA='; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const DAY_MS: i64 = 86_400_000;

pub(super) const TEMPLATE: &str = include_str!("page.html");

/// The page as HTML.
pub(super) fn render(glance: &Glance, about: &About) -> String {
    let recent = about.recent.lines();
    let mut page = String::with_capacity(16 * 1024);
    let mut rest = TEMPLATE;
    // Walks over the template, never over what was put in: a value cannot name a place.
    while let Some((before, (place, after))) =
        rest.split_once("{{").and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
    {
        page.push_str(before);
        page.push_str(&match place {
            "title" => format!("{} · Talon", Overall::of(glance).words),
            "version" => Text(env!("CARGO_PKG_VERSION")).to_string(),
            "mode" => Text(&format!("talon {}", about.mode)).to_string(),
            "main" => Main { glance, recent: &recent }.to_string(),
            "about" => facts(about),
            _ => String::new(),
        });
        rest = after;
    }
    page + rest
}

struct Main<'a> {
    glance: &'a Glance,
    recent: &'a [String],
}

impl Display for Main<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let glance = self.glance;
        headline(f, glance)?;
        let (fine, faulty): (Vec<_>, Vec<_>) =
            glance.components.iter().partition(|(_, component)| component.state.is_well());
        if !faulty.is_empty() {
            writeln!(f, "<h2 id=\"faults\">Components that are not up</h2>")?;
            components(f, "faults", &faulty, glance.now_ms)?;
        }
        for feeds in glance.feeds.chunk_by(|(one, _), (other, _)| one.connector == other.connector)
        {
            connector(f, glance, feeds)?;
        }
        write!(f, "{}", Relays(glance))?;
        if !fine.is_empty() {
            let count = fine.len();
            let words = format!("Components that are up: {count}");
            writeln!(f, "<details id=\"fine\"><summary id=\"fine-words\">{words}</summary>")?;
            components(f, "fine-words", &fine, glance.now_ms)?;
            writeln!(f, "</details>")?;
        }
        if !self.recent.is_empty() {
            writeln!(f, "<h2>Last events, newest first</h2>\n<ol class=\"recent\">")?;
            for line in self.recent.iter().rev() {
                writeln!(f, "<li><code>{}</code></li>", Text(line))?;
            }
            writeln!(f, "</ol>")?;
        }
        Ok(())
    }
}

/// The state of the whole in a class of the style, a sign and words.
struct Overall {
    class: &'static str,
    sign: &'static str,
    words: &'static str,
}

impl Overall {
    fn of(glance: &Glance) -> Overall {
        let vital = |c: &&Component| c.severity == Severity::Vital && !c.state.is_well();
        let (class, sign, words) = match glance.status {
            "up" if glance
                .feeds
                .iter()
                .any(|feed| feed.1.withheld > 0 || is_late(glance, feed)) =>
            {
                ("warn", "▲", "Up, with warnings")
            }
            "up" => ("up", "●", "Up"),
            "degraded" => ("warn", "▲", "Degraded"),
            // The first seconds of every start: no alarm.
            _ if glance.components.values().filter(vital).all(|c| c.state == State::Starting) => {
                ("wait", "◌", "Unavailable, starting")
            }
            _ => ("bad", "✕", "Unavailable"),
        };
        Overall { class, sign, words }
    }
}

fn headline(f: &mut Formatter<'_>, glance: &Glance) -> fmt::Result {
    let Overall { class, sign, words } = Overall::of(glance);
    writeln!(f, "<section class=\"overall {class}\" aria-labelledby=\"overall\">")?;
    writeln!(f, "<h1 id=\"overall\"><span aria-hidden=\"true\">{sign}</span> {words}</h1>")?;
    let feeds = glance.feeds.len();
    let of = |severity| {
        let faulty = glance.components.iter();
        faulty.filter(move |(_, c)| c.severity == severity && !c.state.is_well())
    };
    // A bus that is away takes the connectors with it: the cause before what follows from it.
    let cause = of(Severity::Vital).min_by_key(|(name, component)| {
        let shared = matches!(name.as_str(), "bus" | "registry");
        (!shared, component.state == State::Starting)
    });
    if let Some((name, component)) = cause {
        let state = word(component.state);
        write!(f, "<p><strong>{}</strong> is {state}", Text(name))?;
        if !component.message.is_empty() && component.message != state {
            write!(f, ": {}", Text(&component.message))?;
        }
        writeln!(f, "</p>")?;
    } else if glance.components.is_empty() {
        writeln!(f, "<p>No component has reported yet.</p>")?;
    }
    let still = of(Severity::Feed).map(|(name, _)| name.as_str());
    let (lanes, still): (Vec<&str>, Vec<&str>) =
        still.partition(|name| name.ends_with("/commands"));
    if !lanes.is_empty() {
        writeln!(f, "<p>The upstream does not take: {}</p>", Names(&lanes))?;
    }
    if !still.is_empty() {
        writeln!(f, "<p>{} of {feeds} feeds cannot be read: {}</p>", still.len(), Names(&still))?;
    }
    let late: Vec<String> = glance
        .feeds
        .iter()
        .filter(|feed| is_late(glance, feed))
        .map(|(row, _)| format!("{}/{}", row.connector, row.feed))
        .filter(|name| !still.contains(&name.as_str()))
        .collect();
    let late: Vec<&str> = late.iter().map(String::as_str).collect();
    if !late.is_empty() {
        writeln!(f, "<p>{} of {feeds} feeds stand still: {}</p>", late.len(), Names(&late))?;
    }
    let withheld: u64 = glance.feeds.iter().map(|(_, status)| status.withheld).sum();
    if withheld > 0 {
        writeln!(f, "<p>Deletes withheld: {}, see below</p>", Count(withheld))?;
    }
    if glance.status == "up" && late.is_empty() {
        writeln!(f, "<p>All feeds are read: {feeds}</p>")?;
    }
    writeln!(f, "<p class=\"clock\">As of {}</p>\n</section>", TimeOfDay(glance.now_ms))
}

fn components(
    f: &mut Formatter<'_>,
    label: &str,
    rows: &[(&String, &Component)],
    now_ms: i64,
) -> fmt::Result {
    writeln!(f, "<table class=\"components\" aria-labelledby=\"{label}\">")?;
    head(f, &[("Component", ""), ("State", ""), ("For", ""), ("Message", "")])?;
    for (name, component) in rows {
        let Component { state, since_ms, ref message, .. } = **component;
        write!(f, "<tr><th scope=\"row\">{}</th><td>{}</td>", Text(name), Badge(component))?;
        write!(f, "<td>{}", Span(now_ms - since_ms))?;
        // Further back, a time of day would mislead.
        if now_ms - since_ms < DAY_MS {
            write!(f, " <span class=\"hint\">since {}</span>", TimeOfDay(since_ms))?;
        }
        let message = if message.is_empty() || message == word(state) { "–" } else { message };
        writeln!(f, "</td><td>{}</td></tr>", Text(message))?;
    }
    writeln!(f, "</tbody></table>")
}

fn connector(
    f: &mut Formatter<'_>,
    glance: &Glance,
    feeds: &[(FeedRow, FeedStatus)],
) -> fmt::Result {
    let name = &feeds[0].0.connector;
    write!(f, "<h2>{}", Text(name))?;
    if let Some(component) = glance.components.get(name) {
        write!(f, " {}", Badge(component))?;
    }
    writeln!(f, "</h2>\n<table class=\"feeds\" aria-label=\"Feeds of {}\">", Text(name))?;
    let columns = [
        ("Feed and topic", ""),
        ("Last observation", ""),
        ("Entities", "number"),
        ("Events since start", "number"),
        ("Withheld deletes", "number"),
    ];
    head(f, &columns)?;
    for feed in feeds {
        let (row, status) = feed;
        write!(
            f,
            "<tr><th scope=\"row\"><span class=\"feed\">{}</span><code class=\"topic\">{}</code></th>",
            Text(&row.feed),
            Text(&row.topic),
        )?;
        let age = match status.observed_ms {
            Some(at) if glance.now_ms - at < 1_000 => "just now".to_owned(),
            Some(at) => format!("{} ago", Span(glance.now_ms - at)),
            None => "none yet".to_owned(),
        };
        if is_late(glance, feed) {
            let interval = Span(row.interval_ms.try_into().unwrap_or(i64::MAX));
            write!(
                f,
                "<td><strong class=\"warn\"><span aria-hidden=\"true\">▲</span> {age}\
                </strong> <span class=\"hint\">late: due every {interval}</span>"
            )?;
        } else {
            write!(f, "<td>{age}")?;
        }
        if let Some(OldestScope { scope, at_ms }) = &status.oldest {
            let age = Span(glance.now_ms - at_ms);
            write!(f, " <span class=\"hint\">oldest: {}, {age}</span>", Text(scope))?;
        }
        write!(f, "</td>")?;
        write!(f, "<td class=\"number\">{}</td>", Count(status.entities))?;
        write!(f, "<td class=\"number\">{}</td>", Count(status.published))?;
        let withheld = Count(status.withheld);
        match status.withheld {
            0 => writeln!(f, "<td class=\"number\">0</td></tr>")?,
            _ => writeln!(
                f,
                "<td class=\"number\"><strong class=\"warn\"><span aria-hidden=\"true\">▲</span> \
                {withheld}</strong></td></tr>"
            )?,
        }
    }
    writeln!(f, "</tbody></table>")?;
    if let Some(lane) = glance.commands.iter().find(|lane| lane.connector == *name) {
        commands(f, glance, lane)?;
    }
    if let Some(backfill) = glance.backfills.get(name) {
        write!(
            f,
            "<p class=\"note\">Backfill: {} of {} days, {} %",
            Count(backfill.done),
            Count(backfill.total),
            backfill.percent()
        )?;
        match backfill.left_ms {
            Some(0) => {}
            Some(left) => {
                write!(f, "; about {} left", Span(i64::try_from(left).unwrap_or(i64::MAX)))?;
            }
            None => write!(f, "; no pace to tell the rest by yet")?,
        }
        writeln!(f, "</p>")?;
    }
    for (operation, quota) in glance.quotas.get(name).into_iter().flatten() {
        write!(
            f,
            "<p class=\"note\">Quota of <code>{}</code>: {} of {} calls an hour left",
            Text(operation),
            quota.left,
            quota.limit
        )?;
        if quota.left == 0 {
            write!(f, "; the next one in {}", Span(quota.next_ms.saturating_sub(glance.now_ms)))?;
        }
        writeln!(f, "</p>")?;
    }
    if feeds.iter().any(|(_, status)| status.withheld > 0) {
        writeln!(
            f,
            "<p class=\"note\"><strong class=\"warn\">Withheld deletes</strong>: these entities are \
            missing from the upstream’s last reply, which is not believed. They stay until they \
            come back, or until a reply without them is plausible. If they are really gone, look at \
            <code>deletes.guard.ratio</code>; the log says why.</p>"
        )?;
    }
    Ok(())
}

fn commands(f: &mut Formatter<'_>, glance: &Glance, lane: &LaneStatus) -> fmt::Result {
    write!(f, "<p class=\"note\">Commands")?;
    if let Some(component) = glance.components.get(&format!("{}/commands", lane.connector)) {
        write!(f, " {}", Badge(component))?;
    }
    write!(f, " waiting: {}", Count(lane.waiting))?;
    for (word, count) in &lane.outcomes {
        // What a person has to look into stands out.
        if *word == "UNKNOWN" {
            write!(
                f,
                "; <strong class=\"warn\"><span aria-hidden=\"true\">▲</span> UNKNOWN: {}</strong>",
                Count(*count)
            )?;
        } else {
            write!(f, "; {word}: {}", Count(*count))?;
        }
    }
    writeln!(f, "</p>")
}

fn head(f: &mut Formatter<'_>, columns: &[(&str, &str)]) -> fmt::Result {
    write!(f, "<thead><tr>")?;
    for (column, class) in columns {
        write!(f, "<th scope=\"col\" class=\"{class}\">{column}</th>")?;
    }
    writeln!(f, "</tr></thead>\n<tbody>")
}

fn facts(about: &About) -> String {
    let registry = about.registry.as_deref().unwrap_or("none");
    [("Bus", about.bus.as_str()), ("Schema registry", registry), ("Topic prefix", &about.prefix)]
        .map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>\n", Text(value)))
        .concat()
}

/// Whether the last observation is older than a few missed turns explain.
fn is_late(glance: &Glance, (row, status): &(FeedRow, FeedStatus)) -> bool {
    let serving = || glance.components.get(&row.connector).filter(|c| c.state == State::Up);
    // Before the first observation, from when the connector was ready to publish one.
    let Some(since_ms) = status.observed_ms.or_else(|| serving().map(|c| c.since_ms)) else {
        return false;
    };
    let patience = row.interval_ms.saturating_mul(3).saturating_add(5_000);
    u64::try_from(glance.now_ms - since_ms).is_ok_and(|age| age > patience)
}
