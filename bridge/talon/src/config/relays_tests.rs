use talon_sdk::Clock;

use crate::config::{flatten, load};

use super::*;

/// The problems of a configuration with these relays.
fn problems(relays: &str) -> Vec<String> {
    let yaml = format!(
        "bus: {{ kafka: {{ bootstrap.servers: 'k:9092' }} }}\nbuses:\n  second: {{ kafka: {{ bootstrap.servers: 'l:9092' }} }}\n  edge: {{ nats: {{ servers: 'nats://n:4222' }} }}\nrelays:\n{relays}"
    );
    let loaded = load(flatten(&yaml).unwrap(), &Secrets::Unresolved, Clock::System);
    loaded.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn has(relays: &str, part: &str) {
    let found = problems(relays);
    assert!(found.iter().any(|problem| problem.contains(part)), "{part}: {found:?}");
}

#[test]
fn relays_alone_are_something_to_do() {
    assert_eq!(
        problems("  a: { from: { topics: 'x.*' }, to: { bus: second, topic: 'y.{topic}' } }\n"),
        Vec::<String>::new()
    );
}

#[test]
fn a_relay_from_or_to_a_bus_that_there_is_not_is_told_with_those_that_there_are() {
    has("  a: { from: { topics: x }, to: { bus: third, topic: y } }\n", "`edge`, `home`, `second`");
    has("  a: { from: { bus: third, topics: x }, to: { topic: y } }\n", "`relays.a.from.bus`");
}

#[test]
fn settings_of_the_other_kind_of_bus_are_told_and_those_that_are_missing() {
    has(
        "  a: { from: { stream: S }, to: { bus: second, topic: y } }\n",
        "`relays.a.from.topics` is not set",
    );
    has(
        "  a: { from: { stream: S, topics: x }, to: { bus: second, topic: y } }\n",
        "`relays.a.from.stream` is not for",
    );
    has(
        "  a: { from: { topics: x }, to: { bus: edge, topic: y } }\n",
        "`relays.a.to.topic` is not for",
    );
    has(
        "  a: { from: { topics: x }, to: { bus: edge, stream: S } }\n",
        "`relays.a.to.subject` is not set",
    );
    has("  a: { from: { bus: edge }, to: { topic: x } }\n", "`relays.a.from.stream` is not set");
    has(
        "  a: { from: { topics: x }, to: { bus: second, topic: y, topics: z } }\n",
        "`relays.a.to.topics`",
    );
}

#[test]
fn what_would_be_lost_on_the_way_is_told() {
    has("  a: { from: { topics: 'x.*' }, to: { bus: second, topic: y } }\n", "would meet");
    has(
        "  a: { from: { topics: 'x,y' }, to: { bus: edge, stream: S, subject: 'z.{key}' } }\n",
        "would meet",
    );
    has(
        "  a: { from: { topics: x }, to: { bus: second, topic: '{topic}{partition}' } }\n",
        "nothing between",
    );
    has("  a: { from: { topics: x }, to: { bus: second, topic: '{subject:1}' } }\n", "no subject");
    has(
        "  a: { from: { topics: x }, to: { bus: edge, stream: S, subject: 'a..{key}' } }\n",
        "refuse",
    );
    has("  a: { from: { topics: talon.relays }, to: { bus: second, topic: y } }\n", "for itself");
    let merged = "  a: { from: { topics: 'x.*' }, to: { bus: second, topic: y, merge: true } }\n";
    assert_eq!(problems(merged), Vec::<String>::new());
}

#[test]
fn relays_that_would_feed_each_other_for_ever_are_told() {
    let pair = |echoes: &str| {
        format!(
            "  a: {{ from: {{ topics: 'x.*' }}, to: {{ bus: second, topic: 'x.{{topic}}' }}, echoes: {echoes} }}\n  b: {{ from: {{ bus: second, topics: 'x.*' }}, to: {{ topic: '{{topic}}' }}, echoes: {echoes} }}\n"
        )
    };
    let found = problems(&pair("carry"));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("`relays.a.echoes`") && found[1].contains("`relays.b.echoes`"));
    assert_eq!(problems(&pair("drop")), Vec::<String>::new());
    has(
        "  a: { from: { topics: 'x*' }, to: { topic: 'xy', merge: true }, echoes: carry }\n",
        "for ever",
    );
    let apart = "  a: { from: { topics: 'x' }, to: { topic: 'y' }, echoes: carry }\n";
    assert_eq!(problems(apart), Vec::<String>::new());
}

#[test]
fn a_start_is_an_instant_or_one_of_two_words() {
    has(
        "  a: { from: { topics: x }, to: { bus: second, topic: y }, start: now }\n",
        "`relays.a.start` is `now`",
    );
    let instant = "  a: { from: { topics: x }, to: { bus: second, topic: y }, start: '2026-01-31T10:00:00Z' }\n";
    assert_eq!(problems(instant), Vec::<String>::new());
}

#[test]
fn a_relay_is_not_called_as_a_connector_nor_a_bus_home() {
    let yaml = "bus: { kafka: { bootstrap.servers: 'k:9092' } }\nbuses: { home: { kafka: { bootstrap.servers: x } } }\nrelays: { 'a.b': { from: { topics: x }, to: { topic: y } } }\n";
    let loaded = load(flatten(yaml).unwrap(), &Secrets::Unresolved, Clock::System);
    let found: Vec<String> = loaded.err().unwrap().iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|problem| problem.contains("buses.home")), "{found:?}");
}

#[test]
fn values_are_converted_with_a_registry_alone_and_schemas_are_files_by_absolute_paths() {
    let relay = |more: &str| {
        format!("  a: {{ from: {{ topics: x }}, to: {{ bus: second, topic: y }}, {more} }}\n")
    };
    has(&relay("value: json"), "`schema.registry.url`");
    has(&relay("value: avro"), "expected one of `unchanged`, `single-object`, `json`, `confluent`");
    has(&relay("value.schemas: /a.avsc"), "has no effect");
    has(&relay("value: confluent, value.schemas: 'a.avsc,/b.avsc'"), "absolute paths");
    let registry = "schema.registry.url: 'http://r:8081'\nrelays:\n";
    let yaml = |relays: &str| {
        format!(
            "bus: {{ kafka: {{ bootstrap.servers: 'k:9092' }} }}\nbuses: {{ second: {{ kafka: {{ bootstrap.servers: 'l:9092' }} }} }}\n{registry}{relays}"
        )
    };
    let loaded = |more: &str| {
        let loaded =
            load(flatten(&yaml(&relay(more))).unwrap(), &Secrets::Unresolved, Clock::System);
        loaded.map_err(|problems| format!("{problems:?}")).unwrap().relays.remove(0).plan.values
    };
    let schemas = vec![PathBuf::from("/a.avsc"), PathBuf::from("/b.avsc")];
    let expected = Values { form: Form::Confluent, schemas };
    assert_eq!(loaded("value: confluent, value.schemas: '/a.avsc,/b.avsc'"), Some(expected));
    assert_eq!(loaded("value: unchanged"), None);
}
