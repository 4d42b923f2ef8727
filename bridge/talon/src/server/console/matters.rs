//! What is the matter, the worst first, with what to do about it.

use std::collections::BTreeSet;

use maud::{Markup, html};
use talon_runtime::engine::Glance;
use talon_runtime::health::{Component, Severity, State};

use super::feeds::{is_late, last_read};
use super::seen::Seen;
use super::text::{Count, Encoded, Span, TimeOfDay, look, state};

/// Most that are shown; the rest are counted.
const SHOWN: usize = 40;

/// Further back, a time of day would mislead.
const DAY_MS: i64 = 86_400_000;

/// Something that somebody may have to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Matter {
    rank: u8,
    /// A class of the style, and a sign.
    looks: (&'static str, &'static str),
    /// A component, a connector or a feed.
    pub(super) what: String,
    /// The connector that it is about.
    connector: Option<String>,
    pub(super) word: String,
    pub(super) says: String,
    since_ms: Option<i64>,
    advice: Advice,
}

/// A section of the runbook, and what it comes to.
type Advice = (&'static str, &'static str);

impl Matter {
    /// Whether it is about this connector.
    pub(super) fn is_about(&self, connector: &str) -> bool {
        self.connector.as_deref() == Some(connector)
    }
}

/// Whether all connectors need a component.
pub(super) fn is_shared(component: &str) -> bool {
    matches!(component, "bus" | "registry")
}

/// All that is the matter, as this process knows it.
pub(super) fn matters(seen: &Seen<'_>) -> Vec<Matter> {
    let glance = seen.glance;
    let names: BTreeSet<&str> = seen.connectors.iter().map(|(name, ..)| name.as_str()).collect();
    let of = |what: &str| {
        let name = what.split('/').next().unwrap_or_default();
        (names.contains(name) || glance.feeds.iter().any(|(row, _)| row.connector == name))
            .then(|| name.to_owned())
    };
    let faulty = glance.components.iter().filter(|(_, component)| !component.state.is_well());
    let mut all: Vec<Matter> =
        faulty.map(|(name, component)| of_component(name, of(name), component)).collect();
    all.extend(elsewhere(seen));
    all.extend(of_feeds(glance));
    all.extend(of_commands(glance));
    all.extend(of_quotas(glance));
    all.sort_by(|one, other| (one.rank, &one.what).cmp(&(other.rank, &other.what)));
    all
}

fn of_component(name: &str, connector: Option<String>, component: &Component) -> Matter {
    let Component { state, severity, since_ms, message } = component;
    let rank = match (severity, state) {
        // A bus that is away takes the connectors with it: the cause before what follows from it.
        (_, State::Starting | State::Recovering) => 4,
        (_, State::Degraded) => 3,
        _ if is_shared(name) => 0,
        (Severity::Vital, _) => 1,
        (Severity::Feed, _) => 2,
    };
    let says = if message == state.word() { String::new() } else { message.clone() };
    Matter {
        rank,
        looks: look(*state, *severity),
        what: name.to_owned(),
        connector,
        word: state.word().to_owned(),
        says,
        since_ms: Some(*since_ms),
        advice: advice(name, component),
    }
}

fn advice(name: &str, component: &Component) -> Advice {
    let part = name.split_once('/').map(|(_, part)| part);
    match (name, part, component.state) {
        ("bus", ..) => (
            "TalonBusDown",
            "look at the broker: leaders, disks, limits, its log; nothing is lost meanwhile",
        ),
        ("registry", ..) => {
            ("TalonRegistryDown", "look at the registry; what has its schemas already goes on")
        }
        (_, _, State::Internal) => ("TalonMisconfigured", "keep the log and report it"),
        (_, Some("topics"), _) => (
            "TalonMemoryLost",
            "set the topic's or stream's settings back before something is lost",
        ),
        (_, _, State::Misconfigured) => (
            "TalonMisconfigured",
            "mend what is named: a credential, a right or a setting; files are read again by themselves",
        ),
        (_, Some("commands"), _) => (
            "TalonCommandsFailing",
            "commands wait, and are tried again; look at the upstream and at the rights on the topics",
        ),
        (_, _, State::Fenced) => (
            "TalonConnectorContended",
            "look for another process or release with the same prefix and connector",
        ),
        (_, _, State::Unowned) => (
            "TalonConnectorUnowned",
            "give all processes of a group the same connectors; a rolling update passes by itself",
        ),
        (_, Some(_), State::Degraded) => {
            ("TalonFeedDegraded", "a part of the feed is not read; the message names it")
        }
        (_, Some(_), _) => (
            "TalonFeedFailing",
            "the upstream is asked again by itself; look at it, or at the way to it",
        ),
        (_, None, State::Starting | State::Recovering) => (
            "TalonConnectorDown",
            "a large topic takes its time to be read back; look again in a minute",
        ),
        (_, None, _) => ("TalonConnectorDown", "look at its message and its line in the log"),
    }
}

/// Connectors of other processes, as these say.
fn elsewhere<'a>(seen: &'a Seen<'_>) -> impl Iterator<Item = Matter> + 'a {
    let others = seen.connectors.iter().filter(|(name, _, shown)| {
        // What is here, its components tell.
        !(shown.worker == seen.worker && seen.glance.components.contains_key(name))
    });
    others.filter_map(|(name, _, shown)| {
        let is_failed = [Some(&shown.connector), shown.task.as_ref()]
            .into_iter()
            .flatten()
            .any(|word| word == "FAILED");
        let is_unassigned = shown.connector == "UNASSIGNED";
        if !is_failed && !is_unassigned && shown.trace.is_empty() {
            return None;
        }
        let (rank, severity, advice) = if is_failed {
            let advice =
                ("TalonMisconfigured", "mend what its trace names; it is tried again by itself");
            (1, Severity::Vital, advice)
        } else if is_unassigned {
            let advice = (
                "TalonConnectorUnowned",
                "it passes in a start or a rolling update; else give all processes the same connectors",
            );
            (4, Severity::Feed, advice)
        } else {
            (2, Severity::Feed, ("TalonFeedFailing", "see the page of the process that runs it"))
        };
        Some(Matter {
            rank,
            looks: look(State::Unavailable, severity),
            what: name.clone(),
            connector: Some(name.clone()),
            word: match is_failed {
                true => "failed".to_owned(),
                false => shown.connector.to_lowercase(),
            },
            says: shown.trace.clone(),
            since_ms: None,
            advice,
        })
    })
}

fn of_feeds(glance: &Glance) -> Vec<Matter> {
    let mut all = Vec::new();
    for feed in &glance.feeds {
        let (row, status) = feed;
        let what = format!("{}/{}", row.connector, row.feed);
        let matter = |word: &str, says: String, advice| Matter {
            rank: 3,
            looks: ("warn", "▲"),
            what: what.clone(),
            connector: Some(row.connector.clone()),
            word: word.to_owned(),
            says,
            since_ms: None,
            advice,
        };
        // What cannot be read is said once.
        if is_late(glance, feed) && glance.components.get(&what).is_none_or(|c| c.state.is_well()) {
            let interval = Span(row.interval_ms.try_into().unwrap_or(i64::MAX));
            let says = format!("last read {}, due every {interval}", last_read(glance, status));
            let advice = match status.observed_ms {
                Some(_) => ("TalonFeedStale", "look at the upstream's pace and at the rate budget"),
                None => ("TalonFeedNeverRead", "look at the feed's upstream and its log line"),
            };
            all.push(matter("late", says, advice));
        }
        if status.withheld > 0 {
            let says = format!(
                "{} deletes: these entities are missing from the upstream’s last reply, which is not believed; they stay until they come back, or a reply without them is plausible",
                Count(status.withheld)
            );
            let advice = (
                "TalonDeletesWithheld",
                "if they are really gone, look at `deletes.guard.ratio`; the log says why",
            );
            all.push(matter("withheld", says, advice));
        }
    }
    all
}

fn of_commands(glance: &Glance) -> impl Iterator<Item = Matter> {
    glance.commands.iter().filter_map(|lane| {
        let unknown = lane.outcomes.get("UNKNOWN").copied().filter(|count| *count > 0)?;
        Some(Matter {
            rank: 2,
            looks: ("warn", "▲"),
            what: format!("{}/commands", lane.connector),
            connector: Some(lane.connector.clone()),
            word: "UNKNOWN".to_owned(),
            says: format!(
                "{} since the process began: they may or may not have been applied, and are not sent again",
                Count(unknown)
            ),
            since_ms: None,
            advice: (
                "TalonCommandUnknown",
                "look at each on the page of commands and at its entity in the upstream, and tell the sender",
            ),
        })
    })
}

fn of_quotas(glance: &Glance) -> Vec<Matter> {
    let all = glance.quotas.iter().flat_map(|(connector, of)| {
        of.iter().map(move |(operation, quota)| (connector, operation, quota))
    });
    let used = all.filter(|(_, _, quota)| quota.left == 0 || quota.is_refused);
    used.map(|(connector, operation, quota)| Matter {
        rank: 3,
        looks: ("warn", "▲"),
        what: format!("{connector}, {operation}"),
        connector: Some(connector.clone()),
        word: "quota used up".to_owned(),
        says: format!("the next call in {}", Span(quota.next_ms.saturating_sub(glance.now_ms))),
        since_ms: None,
        advice: (
            "TalonUpstreamQuotaUsedUp",
            "it goes on by itself; see who else calls this upstream with the same account",
        ),
    })
    .collect()
}

/// The matters as a list.
pub(super) fn list(matters: &[Matter], base: &str, now_ms: i64) -> Markup {
    html! {
        ul.matters {
            @for matter in matters.iter().take(SHOWN) { (item(matter, base, now_ms)) }
        }
        @if matters.len() > SHOWN {
            p.note { "And " (matters.len() - SHOWN) " more: see the connectors below." }
        }
    }
}

fn item(matter: &Matter, base: &str, now_ms: i64) -> Markup {
    let Matter { looks: (class, sign), what, connector, word, says, since_ms, advice, .. } = matter;
    let (section, todo) = advice;
    let address = connector.as_ref().map(|name| {
        let name = Encoded(name);
        match word.as_str() {
            "UNKNOWN" => format!("{base}console/commands?connector={name}&state=UNKNOWN"),
            _ => format!("{base}console/connector?name={name}"),
        }
    });
    html! {
        li class=(class) {
            p {
                @match address {
                    Some(address) => { a href=(address) { strong { (what) } } }
                    None => { strong { (what) } }
                }
                " " (state(class, sign, word))
                @if let Some(since_ms) = since_ms {
                    " " span.hint {
                        "for " (Span(now_ms - since_ms))
                        @if now_ms - since_ms < DAY_MS { ", since " (TimeOfDay(*since_ms)) }
                    }
                }
            }
            @if !says.is_empty() { p.says { (says) } }
            p.todo {
                b { "Do: " } (todo) ". "
                a href={ (base) "console/runbook#" (section.to_lowercase()) } { (section) }
            }
        }
    }
}
