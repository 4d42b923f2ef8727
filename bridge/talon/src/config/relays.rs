//! The relays of a configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use talon_runtime::relay::mapping::{Partitioning, Route, Template};
use talon_runtime::relay::{
    Begin, Echoes, Form, OnError, Pattern, Plan, Relay, Selection, SinkSpec, SourceSpec, Tasks,
    Values,
};
use talon_sdk::config::{Importance, Key, Problem, Secrets, Settings};

use super::relay_loops::feed_each_other;
use crate::buses::{Buses, Kind};

/// Declares the settings of a relay, below `relays.NAME.`.
pub(crate) fn keys() -> Vec<Key> {
    vec![
        Key::text("from.bus").default("home").importance(Importance::High).doc("Where it reads: `home`, which is the bus of the section `bus`, or a name of the section `buses`."),
        Key::text("from.topics").importance(Importance::High).doc("Topics of a Kafka, separated by commas; in each, `*` stands for any characters. New topics and partitions are noticed. Patterns never mean topics that begin with `__`, nor those that Talon keeps for itself."),
        Key::text("from.stream").importance(Importance::High).doc("Stream of a NATS."),
        Key::text("from.subjects").importance(Importance::High).doc("Subjects of the stream, separated by commas; all of it where this is not set. Without `from.stream`, subjects that no stream keeps: at most once."),
        Key::text("to.bus").default("home").importance(Importance::High).doc("Where it writes, named as in `from.bus`."),
        Key::text("to.topic").importance(Importance::High).doc("Topic of a Kafka, with placeholders: `{topic}`, `{key}`, `{partition}`, `{header:NAME}`, `{subject:1}`, `{subject:2..}`."),
        Key::text("to.key").importance(Importance::Medium).doc("Key of a record that comes from a bus without keys, with the same placeholders; without it there is none. A record that brings a key keeps it."),
        Key::choice("to.partition", &["key", "same"]).default("key").importance(Importance::Medium).doc("Which partition a record goes to: by its key, as all clients choose it (murmur2), or the one that it came from."),
        Key::whole("to.partitions", 0, 100_000).default("0").doc("Partitions of topics that are created; 0 is the broker's default."),
        Key::whole("to.replication", 0, 1_000).default("0").doc("Replicas of topics and streams that are created; 0 is the bus's default."),
        Key::text("to.stream").importance(Importance::High).doc("Stream of a NATS; created where it is missing."),
        Key::text("to.subject").importance(Importance::High).doc("Subject of a NATS, with placeholders as in `to.topic`; what stands in for one is escaped, so that it is one token."),
        Key::flag("to.merge").default("false").doc("Whether records of several topics may meet in one topic or subject."),
        Key::text("start").default("earliest").importance(Importance::Medium).doc("Where it begins when it is begun for the first time: `earliest`, `latest`, or an instant such as `2026-01-31T10:00:00Z`. What comes later is carried from its beginning."),
        Key::choice("errors", &["dead-letter", "stop", "skip"]).default("dead-letter").importance(Importance::Medium).doc("What becomes of a record that cannot be carried: it goes to `{prefix}.NAME.dlq` on the target, or the relay stands there, or it is left out and counted."),
        Key::whole("errors.retention.ms", 60_000, u64::MAX).default("2592000000").doc("How long dead letters are kept, where their topic is created."),
        Key::choice("value", &["unchanged", "single-object", "json", "confluent"]).default("unchanged").importance(Importance::Medium).doc("What values become: they stay as they are, or Avro that the registry knows becomes single-object encoding or JSON, which consumers read without a registry; with `confluent` these two become Avro with the registry's id. What cannot be converted is treated as `errors` says."),
        Key::words("value.schemas").doc("Files with Avro schemas, by absolute paths, of values in single-object encoding or JSON that no relay wrote; they are registered where they are used. JSON can only be that of a single schema."),
        Key::choice("echoes", &["drop", "carry"]).default("drop").importance(Importance::Medium).doc("What becomes of a record that has passed the target before: it is not sent, or sent like any other. With `carry` records do not say which buses they have passed."),
        Key::whole("tasks", 1, 1_024).default("4").importance(Importance::Medium).doc("Into how many parts its work is cut, which processes share; the partitions of a topic are spread evenly over them. Where processes have different numbers, that of the one that was started last counts, and the others refuse."),
        Key::whole("look.interval.ms", 1_000, 3_600_000).default("15000").doc("How often is looked for new topics and partitions."),
    ]
}

/// Reads the relays: name, and settings below `relays.NAME.`.
pub(crate) fn read(
    relays: BTreeMap<String, BTreeMap<String, String>>,
    buses: &Buses,
    prefix: &str,
    secrets: &Secrets,
    has_registry: bool,
    problems: &mut Vec<Problem>,
) -> Vec<Relay> {
    let mut all = Vec::new();
    for (name, texts) in relays {
        let section = format!("relays.{name}.");
        let keys = keys();
        let mut settings = Settings::new(&section, &keys, texts, secrets);
        let relay = relay(&name, &mut settings, buses, prefix);
        if !has_registry && settings.text("value") != "unchanged" {
            let why = "converts values, which needs a schema registry: set `schema.registry.url`";
            settings.problem("value", why);
        }
        problems.extend(settings.into_problems());
        all.extend(relay);
    }
    problems.extend(feed_each_other(&all, buses));
    all
}

fn relay(name: &str, settings: &mut Settings<'_>, buses: &Buses, prefix: &str) -> Option<Relay> {
    let from = bus(settings, "from.bus", buses);
    let to = bus(settings, "to.bus", buses);
    let begin = begin(settings);
    let selection = from.and_then(|from| selection(settings, buses.kind(&from)?, prefix));
    let route = to.and_then(|to| route(settings, buses.kind(&to)?));
    let (selection, route) = (selection?, route?);
    lost(settings, &selection, &route);
    let (from, to) = (settings.text("from.bus"), settings.text("to.bus"));
    let values = values(settings);
    let plan = Plan {
        relay: name.to_owned(),
        task: 0,
        tasks: u32::try_from(settings.whole("tasks")).unwrap_or(1).max(1),
        begin: begin?,
        values,
        echoes: if settings.text("echoes") == "carry" { Echoes::Carry } else { Echoes::Drop },
        errors: match settings.text("errors").as_str() {
            "stop" => OnError::Stop,
            "skip" => OnError::Skip,
            _ => OnError::DeadLetter,
        },
        look_every: Duration::from_millis(settings.whole("look.interval.ms")),
        route: route.clone(),
    };
    let subjects = match &route {
        Route::Subject(template) => filters(template, &selection),
        Route::Topic { .. } => Vec::new(),
    };
    let number = |name: &str| settings.whole(name);
    let sink = SinkSpec {
        relay: name.to_owned(),
        task: 0,
        tasks: Tasks::new(plan.tasks),
        stream: settings.text("to.stream"),
        subjects,
        partitions: u32::try_from(number("to.partitions")).unwrap_or_default(),
        replication: u16::try_from(number("to.replication")).unwrap_or_default(),
        dead_letter_keep_ms: number("errors.retention.ms"),
    };
    let source = SourceSpec { relay: name.to_owned(), task: 0, selection };
    let (from, to) = (buses.relay_bus(&from)?, buses.relay_bus(&to)?);
    Some(Relay { name: name.to_owned(), plan, from, source, to, sink })
}

/// What values become; none where they stay as they are.
fn values(settings: &mut Settings<'_>) -> Option<Values> {
    let schemas: Vec<PathBuf> = settings.list("value.schemas").iter().map(PathBuf::from).collect();
    if schemas.iter().any(|path| !path.is_absolute()) {
        let quoted = settings.quote("value.schemas");
        let why = format!("{quoted}, expected absolute paths, separated by commas");
        settings.problem("value.schemas", why);
    }
    let form = Form::of(&settings.text("value"));
    if form.is_none() && !schemas.is_empty() {
        settings.problem("value.schemas", "has no effect, since `value` is `unchanged`");
    }
    Some(Values { form: form?, schemas })
}

/// What takes in the subjects of all records; nothing where that is not known.
fn filters(template: &Template, selection: &Selection) -> Vec<String> {
    let topics = match selection {
        Selection::Topics(patterns) => patterns.iter().map(ToString::to_string).collect(),
        Selection::Stream { .. } | Selection::Subjects(_) => vec!["*".to_owned()],
    };
    let filters: Option<Vec<String>> =
        topics.iter().map(|topics| template.as_filter(topics)).collect();
    let filters: BTreeSet<String> = filters.into_iter().flatten().collect();
    // A stream may not have subjects of which one takes in another.
    let is_inside = |one: &String, all: &String| {
        one != all && all.strip_suffix('>').is_some_and(|begin| one.starts_with(begin))
    };
    let outer = filters.iter().filter(|one| !filters.iter().any(|all| is_inside(one, all)));
    outer.cloned().collect()
}

/// The name of a bus, if there is one of this name.
fn bus(settings: &mut Settings<'_>, key: &str, buses: &Buses) -> Option<String> {
    let name = settings.text(key);
    if buses.kind(&name).is_some() {
        return Some(name);
    }
    let known = buses.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let quoted = settings.quote(key);
    settings.problem(key, format!("{quoted}, expected one of {known}"));
    None
}

/// Notes settings that are for the other kind of bus.
fn foreign(settings: &mut Settings<'_>, keys: &[&str], kind: Kind) {
    for key in keys.iter().filter(|key| settings.is_set(key)).copied().collect::<Vec<_>>() {
        settings.problem(key, format!("is not for {}", kind.words()));
    }
}

/// Notes a setting that is missing.
fn needed(settings: &mut Settings<'_>, key: &str, kind: Kind) -> Option<String> {
    let text = settings.text(key);
    if text.is_empty() {
        settings.problem(key, format!("is not set, and {} needs it", kind.words()));
        return None;
    }
    Some(text)
}

fn selection(settings: &mut Settings<'_>, kind: Kind, prefix: &str) -> Option<Selection> {
    match kind {
        Kind::Kafka => {
            foreign(settings, &["from.stream", "from.subjects"], kind);
            needed(settings, "from.topics", kind)?;
            let topics = settings.list("from.topics");
            for own in ["shards", "checkpoints", "relays"] {
                let own = format!("{prefix}.{own}");
                if topics.contains(&own) {
                    let why = format!("names `{own}`, which Talon keeps for itself");
                    settings.problem("from.topics", why);
                }
            }
            Some(Selection::Topics(topics.iter().map(|topic| Pattern::new(topic)).collect()))
        }
        Kind::Nats => {
            foreign(settings, &["from.topics"], kind);
            let (stream, subjects) = (settings.text("from.stream"), settings.list("from.subjects"));
            match (stream.is_empty(), subjects.is_empty()) {
                (true, true) => {
                    let why = "is not set; a stream, or `from.subjects` for what no stream keeps";
                    settings.problem("from.stream", why);
                    None
                }
                (true, false) => Some(Selection::Subjects(subjects)),
                (false, _) => Some(Selection::Stream { stream, subjects }),
            }
        }
    }
}

fn route(settings: &mut Settings<'_>, kind: Kind) -> Option<Route> {
    match kind {
        Kind::Kafka => {
            foreign(settings, &["to.stream", "to.subject"], kind);
            needed(settings, "to.topic", kind)?;
            let topic = template(settings, "to.topic");
            let key = settings.is_set("to.key").then(|| template(settings, "to.key"));
            let partition = match settings.text("to.partition").as_str() {
                "same" => Partitioning::Same,
                _ => Partitioning::Key,
            };
            let key = match key {
                Some(key) => Some(key?),
                None => None,
            };
            Some(Route::Topic { topic: topic?, key, partition })
        }
        Kind::Nats => {
            foreign(settings, &["to.topic", "to.key", "to.partition", "to.partitions"], kind);
            needed(settings, "to.stream", kind);
            needed(settings, "to.subject", kind)?;
            let subject = template(settings, "to.subject")?;
            if let Some(problem) = subject.problem_as_subject() {
                settings.problem("to.subject", format!("{problem}: a server would refuse it"));
            }
            Some(Route::Subject(subject))
        }
    }
}

fn template(settings: &mut Settings<'_>, key: &str) -> Option<Template> {
    match Template::parse(&settings.text(key)) {
        Err(problem) => {
            settings.problem(key, problem);
            None
        }
        Ok(template) => {
            if template.runs_together() {
                let why = "has placeholders with nothing between them: two records that differ would meet; put a `.` or another character between";
                settings.problem(key, why);
            }
            Some(template)
        }
    }
}

/// Notes where what tells records apart would be lost.
fn lost(settings: &mut Settings<'_>, selection: &Selection, route: &Route) {
    let (key, template) = match route {
        Route::Subject(template) => ("to.subject", template),
        Route::Topic { topic, .. } => ("to.topic", topic),
    };
    let placeholders = template.placeholders();
    let has = |wanted: &str| placeholders.iter().any(|found| found.starts_with(wanted));
    match selection {
        Selection::Topics(patterns) => {
            let several = patterns.len() > 1 || patterns.iter().any(|p| p.name().is_none());
            if several && !has("{topic}") && !settings.flag("to.merge") {
                let why = "has no `{topic}`: records of different topics would meet; put it in, or set `to.merge` to `true`";
                settings.problem(key, why);
            }
            if has("{subject:") {
                let why = "has `{subject:…}`, and records of a Kafka have no subject";
                settings.problem(key, why);
            }
        }
        Selection::Stream { .. } | Selection::Subjects(_) => {}
    }
}

fn begin(settings: &mut Settings<'_>) -> Option<Begin> {
    let text = settings.text("start");
    match text.as_str() {
        "earliest" => Some(Begin::Earliest),
        "latest" => Some(Begin::Latest),
        instant => match instant.parse::<jiff::Timestamp>() {
            Ok(instant) => Some(Begin::Time(instant.as_millisecond())),
            Err(_) => {
                let quoted = settings.quote("start");
                let why = format!(
                    "{quoted}, expected `earliest`, `latest` or an instant such as `2026-01-31T10:00:00Z`"
                );
                settings.problem("start", why);
                None
            }
        },
    }
}

#[cfg(test)]
#[path = "relays_tests.rs"]
mod tests;
