//! Relays that would feed each other for ever.
//!
//! Records say which buses they have passed, so that a relay does not send them round. One with `echoes: carry` does,
//! and then nothing ends a circle of such relays.

use std::collections::BTreeMap;

use talon_runtime::relay::mapping::{Route, Template};
use talon_runtime::relay::{Echoes, Pattern, Relay, Selection};
use talon_sdk::config::Problem;

use crate::buses::Buses;

/// A problem for each relay that is part of a circle of relays that carry echoes.
pub(super) fn feed_each_other(relays: &[Relay], buses: &Buses) -> Vec<Problem> {
    let carrying: Vec<&Relay> =
        relays.iter().filter(|relay| relay.plan.echoes == Echoes::Carry).collect();
    let feeds: BTreeMap<&str, Vec<&Relay>> = carrying
        .iter()
        .map(|one| {
            let fed = carrying.iter().copied().filter(|other| may_feed(one, other, buses));
            (one.name.as_str(), fed.collect())
        })
        .collect();
    let comes_back = |relay: &&&Relay| {
        let (mut seen, mut next) = (Vec::new(), vec![relay.name.as_str()]);
        while let Some(at) = next.pop() {
            for fed in &feeds[at] {
                if fed.name == relay.name {
                    return true;
                }
                if !seen.contains(&fed.name.as_str()) {
                    seen.push(&fed.name);
                    next.push(&fed.name);
                }
            }
        }
        false
    };
    let problem = |relay: &&Relay| {
        Problem {
        key: format!("relays.{}.echoes", relay.name),
        message: "is `carry`, and what it writes comes back to it: records would go round for ever; leave it at `drop`, or read other topics or subjects".to_owned(),
    }
    };
    carrying.iter().filter(comes_back).map(problem).collect()
}

/// Whether what one writes may be what another reads.
fn may_feed(one: &Relay, other: &Relay, buses: &Buses) -> bool {
    if !buses.are_same(&one.to, &other.from) {
        return false;
    }
    match (&one.plan.route, &other.source.selection) {
        (Route::Topic { topic, .. }, Selection::Topics(read)) => {
            let made = made(topic, &one.source.selection);
            read.iter().any(|pattern| made.iter().any(|made| may_match(made, pattern)))
        }
        (Route::Subject(_), Selection::Stream { stream, .. }) => *stream == one.sink.stream,
        (Route::Subject(subject), Selection::Subjects(filters)) => {
            let made = made(subject, &one.source.selection);
            filters.iter().any(|filter| made.iter().any(|made| begin_alike(made, filter)))
        }
        (Route::Topic { .. }, _) | (Route::Subject(_), Selection::Topics(_)) => false,
    }
}

/// What a template makes of what is read, as patterns.
fn made(topic: &Template, read: &Selection) -> Vec<String> {
    match read {
        Selection::Topics(read) => {
            read.iter().map(|pattern| topic.as_pattern(&pattern.to_string())).collect()
        }
        Selection::Stream { .. } | Selection::Subjects(_) => vec![topic.as_pattern("*")],
    }
}

/// Whether a topic of one pattern may be one of another. Says yes where it is not sure.
fn may_match(made: &str, pattern: &Pattern) -> bool {
    match (made.contains('*'), pattern.name()) {
        (false, _) => pattern.matches(made),
        (true, Some(name)) => Pattern::new(made).matches(name),
        (true, None) => begin_alike(made, &pattern.to_string()),
    }
}

/// Whether two texts begin alike up to the first thing that may be anything.
fn begin_alike(one: &str, other: &str) -> bool {
    let literal = |text: &str| text.split(['*', '>', '{']).next().unwrap_or_default().to_owned();
    let (one, other) = (literal(one), literal(other));
    one.starts_with(&other) || other.starts_with(&one)
}
