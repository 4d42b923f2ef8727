//! A registry that is away while commands come.

use std::time::Duration;

use talon_schemas::Message;
use talon_sdk::Clock;

use crate::memory::Memory;
use crate::registry::Losable;
use crate::upstream::{CONTRACT, Upstream};
use crate::{command, partition, put, start_as, until};

/// A command in Avro under an id of the registry.
fn avro(id: u32, command_id: &str, call: u32) -> Vec<u8> {
    let message: &Message = (*CONTRACT).as_ref();
    let datum = message.from_json(command(command_id, "Add", call).as_bytes()).unwrap();
    [&[0][..], &id.to_be_bytes(), &datum].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_commands_wait_for_the_registry_only_where_it_must_be_asked_in_order() {
    let (bus, upstream, registry) = (Memory::default(), Upstream::default(), Losable::start());
    let client = Some(registry.client());
    let engine = start_as(Clock::System, client, &bus, &upstream, |_| {});
    put(&bus, "first", "Add", 1);
    until("it is open", || bus.outcomes().contains_key("first")).await;

    // Another client has registered its spelling of the schema.
    let text = (*CONTRACT).as_ref().text().to_owned();
    registry.state().schemas.insert(77, text);
    registry.state().is_away = true;
    let avro_of = |id: &str, call: u32| {
        let key = call.to_string();
        bus.put_bytes(partition(&key), &key, &avro(77, id, call));
    };
    avro_of("a7", 7);
    put(&bus, "j7", "Put", 7);
    avro_of("b8", 8);
    put(&bus, "j9", "Put", 9);
    put(&bus, "j12", "Put", 12);
    until("the others are settled", || {
        ["j9", "j12"].iter().all(|id| bus.outcomes().contains_key(*id))
    })
    .await;
    let waits = |id: &str| !bus.outcomes().contains_key(id);
    assert!(["a7", "j7", "b8"].into_iter().all(waits), "{:?}", bus.outcomes());

    registry.state().is_away = false;
    until("everything is settled", || bus.is_settled()).await;
    assert!(engine.stop(Duration::from_secs(10)).await);
    assert!(
        bus.outcomes().values().all(|outcomes| outcomes == &["APPLIED"]),
        "{:?}",
        bus.outcomes()
    );
    let effects = upstream.effects();
    let place = |id: &str| effects.iter().position(|effect| effect == id);
    assert!(place("a7") < place("j7"), "{effects:?}");
    assert_eq!(registry.state().asked[&77], 1, "those it hung up on are not counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_an_id_that_the_registry_has_lost_is_a_dead_letter() {
    let (bus, upstream, registry) = (Memory::default(), Upstream::default(), Losable::start());
    registry.lose(200);
    let client = Some(registry.client());
    let engine = start_as(Clock::System, client, &bus, &upstream, |_| {});
    bus.put_bytes(partition("7"), "7", &avro(99, "a", 7));
    put(&bus, "b", "Add", 7);
    until("everything is settled", || bus.is_settled()).await;
    assert!(engine.stop(Duration::from_secs(10)).await);
    assert_eq!(upstream.effects(), ["b"]);
    assert_eq!(bus.dead().len(), 1);
}
