//! Bounded looks at topics, on a real server.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use talon_brokers::Nats as Server;
use talon_runtime::bus::{Bus, Look, Looked, Position, Which};

use crate::support::{LOG, World};

fn look(world: &World, look: &Look) -> Looked {
    let _inside = world.runtime.enter();
    world.process().look(look).unwrap()
}

fn patient(topic: &str, which: Which, most: usize) -> Look {
    let until = Instant::now() + Duration::from_secs(60);
    Look { until, ..Look::new(topic, which, most) }
}

fn values(looked: &Looked) -> Vec<String> {
    let text = |value: &Vec<u8>| String::from_utf8(value.clone()).unwrap();
    looked.records.iter().map(|found| found.value.as_ref().map_or(String::new(), text)).collect()
}

#[test]
fn a_look_finds_the_newest_of_a_key_and_of_a_topic_within_its_bounds() {
    let Some(server) = Server::shared("a_look_finds_the_newest") else { return };
    let world = World::new(server.url());
    let (mut log, _) = world.open(&world.process());
    for value in ["one", "two", "three"] {
        log.put("a.b", value, value);
    }
    // Records of different entities are stored in another order than they were published.
    log.commit(None).unwrap();
    for n in 0..500 {
        log.append(LOG, &n.to_string(), Some("fact"), &format!("f{n}")).unwrap();
    }
    log.commit(None).unwrap();
    let topic = |feed: &str| format!("{}.field.{feed}", world.prefix);
    let of_key = |key: &str| patient(&topic("call"), Which::OfKey(key.to_owned()), 2);
    let looked = look(&world, &of_key("a.b"));
    assert_eq!((values(&looked), looked.read), (vec!["three".to_owned(), "two".to_owned()], 3));
    let found = &looked.records[0];
    assert_eq!(found.key.as_deref(), Some("a.b"));
    let place = format!("stream {}, sequence {}", world.stream(), found.position.offset);
    assert_eq!(found.stands, place);
    assert!(found.at_ms > 1_600_000_000_000 && !found.headers.is_empty());
    let at = look(&world, &patient(&topic("call"), Which::At(found.position), 1));
    assert_eq!(values(&at), ["three"]);
    let nowhere = Position { partition: 0, offset: 1 << 40 };
    assert!(look(&world, &patient(&topic("call"), Which::At(nowhere), 1)).records.is_empty());
    assert!(look(&world, &of_key("none")).records.is_empty());

    let looked = look(&world, &patient(&topic("message"), Which::Newest, 7));
    assert_eq!((looked.records.len(), looked.is_complete), (7, true));
    assert!((7..200).contains(&looked.read), "{}", looked.read);
    // Other feeds share the stream: the three are further back than so many records.
    let newest = patient(&topic("call"), Which::Newest, 2);
    assert_eq!(values(&look(&world, &newest)), ["three", "two"]);
    let looked = look(&world, &Look { records: 100, ..newest });
    assert!(looked.records.is_empty() && !looked.is_complete);
    let looked = look(&world, &Look { bytes: 3, ..of_key("a.b") });
    assert!(looked.records.is_empty() && !looked.is_complete);

    let elsewhere = format!("{}.nobody.call", world.prefix);
    let looked = look(&world, &patient(&elsewhere, Which::Newest, 2));
    assert!(!looked.is_there && looked.records.is_empty());
}
