//! Bookings.

use serde_json::{Value, json};
use talon_sdk::{Command, Finding};
use talon_simulators::enter_rest::FaultKind;

use crate::world::{World, command, still, world, world_with};

const DAY: &str = "2024-07-12";

/// A time that is free.
fn free(world: &World) -> String {
    let times = world.see(&format!("booking/schedule/days/{DAY}?productId=310"));
    times[0]["Time"].as_str().unwrap()[..5].to_owned()
}

fn book(world: &World, more: Value) -> Command {
    let mut params = json!({ "product_id": "310", "date": DAY, "time": free(world) });
    params.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    command("Book", params, Value::Null)
}

fn of(name: &str, ticket: &str, booked_by: Option<&str>) -> Command {
    let mut params = json!({ "ticket_id": ticket });
    if let Some(id) = booked_by {
        params["booked_by"] = json!(id);
    }
    command(name, params, Value::Null)
}

#[tokio::test]
async fn a_booking_is_made_under_an_identity_of_the_command_and_confirmed_or_cancelled_under_it() {
    for (name, what) in [("ConfirmBooking", "confirm"), ("CancelBooking", "cancel_booking")] {
        let world = world().await;
        let booked = book(&world, Value::Null);
        let response = world.run(&booked).await;
        let ticket = response["ticket_id"].as_str().unwrap();
        let made = world.sim.journal().into_iter().rfind(|one| one.what == "book").unwrap();
        assert_eq!((made.to.as_str(), made.asked), (ticket, true));
        assert!(made.place.starts_with("talon-") && !made.place.contains("7900"), "{}", made.place);
        // Nobody else's.
        let refusal = world.refused(&of(name, ticket, None)).await;
        assert!(refusal.message.contains("`booked_by`"), "{}", refusal.message);
        let command = of(name, ticket, Some(&booked.id));
        assert_eq!(world.lose(&command, FaultKind::Dropped, || {}).await, Finding::Absent);
        let found = world.lose(&command, FaultKind::LostReply, || {}).await;
        assert!(matches!(found, Finding::Applied(_)), "{name}: {found:?}");
        assert_eq!(world.effects(what), 1);
        // Again does no harm.
        world.send(&command).await.unwrap();
    }
}

#[tokio::test]
async fn a_booking_of_the_configured_identity_is_confirmed_under_that() {
    let world = world().await;
    let path = format!("booking/book/{DAY}/{}?productId=310", free(&world));
    let booked = world.act(&path, Some("visitor"));
    let ticket = booked["TicketId"].as_str().unwrap();
    world.run(&of("ConfirmBooking", ticket, None)).await;
    assert_eq!(world.effects("confirm"), 1);
    let world = world_with(still(), &[("auth.booking.identity", "")]).await;
    let refusal = world.refused(&of("ConfirmBooking", "x", None)).await;
    assert!(refusal.message.contains("`auth.booking.identity`"), "{}", refusal.message);
}

#[tokio::test]
async fn a_lost_booking_is_found_under_its_identity_and_is_not_made_again() {
    let world = world().await;
    let command = book(&world, json!({ "confirm": true }));
    assert_eq!(world.lose(&command, FaultKind::Dropped, || {}).await, Finding::Absent);
    // Somebody else books the same, at another time.
    let found = world
        .lose(&command, FaultKind::LostReply, || {
            let path = format!("booking/book/{DAY}/{}?productId=310", free(&world));
            world.act(&path, Some("somebody"));
        })
        .await;
    let Finding::Applied(answer) = found else { panic!("{found:?}") };
    let made = world.sim.journal().into_iter().rfind(|one| one.asked).unwrap();
    assert!(answer.response.unwrap().contains(&made.to));
    // A look finds it, so it is not sent.
    world.run(&command).await;
    assert_eq!(world.effects("book"), 1);
    assert_eq!(world.asked("POST booking/book/:date/:time"), 2);
}

#[tokio::test]
async fn a_time_that_is_taken_is_refused_with_the_upstreams_words() {
    let world = world().await;
    let command = book(&world, Value::Null);
    let path = format!("booking/book/{DAY}/{}?productId=310", free(&world));
    let before = world.look(&command).await.unwrap();
    world.act(&path, Some("somebody"));
    let Err(talon_sdk::ApplyFault::Refused(refusal)) = world.apply(&command, &before).await else {
        panic!("the time is taken")
    };
    assert!(refusal.message.ends_with("Время недоступно для записи"), "{}", refusal.message);
    let odd = book(&world, json!({ "date": "12.07.2024" }));
    assert!(world.refused(&odd).await.message.contains("`params.date`"));
    assert_eq!(world.effects("book"), 0);
}

#[tokio::test]
async fn a_booking_has_its_printable_ticket_and_forms_are_those_that_are_configured() {
    let mut settings = still();
    settings.date_form = "%d.%m.%Y".to_owned();
    settings.time_form = "%H-%M".to_owned();
    let world = world_with(settings, &[("date.form", "dd.MM.yyyy"), ("time.form", "HH-mm")]).await;
    let times = world.see("booking/schedule/days/12.07.2024?productId=310");
    let time = times[0]["Time"].as_str().unwrap()[..5].to_owned();
    let params = json!({ "product_id": "310", "date": DAY, "time": time, "image": true });
    let response = world.run(&command("Book", params, Value::Null)).await;
    assert!(response["image"].is_string() && response["ticket_id"].is_string(), "{response}");
}
