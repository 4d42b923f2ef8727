//! Tickets, as the hall's administrator changes them.

use std::sync::atomic::Ordering;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use talon_sdk::{ApplyFault, Command, Finding};
use talon_simulators::enter_rest::FaultKind;

use crate::world::{World, command, row_of, still, world, world_with};

fn new(world: &World, more: &Value) -> Command {
    let mut params = json!({ "product_ids": [world.product(0), world.product(3)] });
    params.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    command("NewTicket", params, Value::Null)
}

fn of(name: &str, (ticket, service): &(String, String), more: Value) -> Command {
    let mut params = json!({ "ticket_id": ticket });
    if name != "AddProduct" {
        params["ticket_product_id"] = json!(service);
    }
    params.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    command(name, params, Value::Null)
}

/// Somebody else makes the same ticket.
fn another(world: &World) {
    let products = json!([world.product(0), world.product(3)]);
    world.sim.act("queue/admin/tickets/new", products, None).unwrap();
}

#[tokio::test]
async fn a_ticket_is_made_and_named() {
    let world = world().await;
    for more in [Value::Null, json!({ "priority": 7 })] {
        let response = world.run(&new(&world, &more)).await;
        let id = response["ticket_id"].as_str().unwrap();
        let ticket = world.see(&format!("queue/admin/tickets/{id}"));
        assert_eq!(response["ticket_number"], ticket["FullNumber"]);
        assert_eq!(ticket["Products"].as_array().unwrap().len(), 2);
        let priority = if more.is_null() { 0 } else { 7 };
        assert_eq!(ticket["Products"][0]["CurrentPriority"], json!(priority));
    }
    assert_eq!(world.effects("new_ticket"), 2);
}

#[tokio::test]
async fn a_lost_ticket_is_the_one_that_was_not_there_before() {
    let world = world().await;
    another(&world);
    let command = new(&world, &Value::Null);
    assert_eq!(world.lose(&command, FaultKind::Dropped, || {}).await, Finding::Absent);
    let found = world.lose(&command, FaultKind::LostReply, || {}).await;
    let Finding::Applied(answer) = found else { panic!("{found:?}") };
    let made = world.sim.journal().into_iter().rfind(|one| one.asked).unwrap();
    assert!(answer.response.unwrap().contains(&made.to));
    assert_eq!(world.effects("new_ticket"), 1);
}

#[tokio::test]
async fn two_tickets_that_may_be_it_leave_it_unknown() {
    let world = world().await;
    let command = new(&world, &Value::Null);
    let found = world.lose(&command, FaultKind::LostReply, || another(&world)).await;
    assert!(matches!(found, Finding::Unclear(_)), "{found:?}");
}

/// The ticket that a command made last.
fn made(world: &World) -> Value {
    let made = world.sim.journal().into_iter().rfind(|one| one.asked && one.what == "new_ticket");
    world.see(&format!("queue/admin/tickets/{}", made.unwrap().to))
}

/// A ticket is done with: its first service is served, the others are cancelled.
fn finish(world: &World, ticket: &Value) {
    let services = ticket["Products"].as_array().unwrap();
    let id = |row: &Value| row["Id"].as_str().unwrap().to_owned();
    for other in &services[1..] {
        world.act(&format!("queue/admin/tickets/{}/{}/cancel", id(ticket), id(other)), None);
    }
    world.act(&format!("operation/invite/{}", id(&services[0])), Some("window01"));
    world.act("operation/start", Some("window01"));
    world.act("operation/complete", Some("window01"));
}

#[tokio::test]
async fn a_lost_ticket_that_was_served_and_is_gone_is_found_in_the_history() {
    let world = world().await;
    let command = new(&world, &Value::Null);
    let gone = || finish(&world, &made(&world));
    let found = world.lose(&command, FaultKind::LostReply, gone).await;
    let list = world.see("queue/admin/tickets").to_string();
    let id = made(&world)["Id"].as_str().unwrap().to_owned();
    assert!(!list.contains(&id), "it is not in the list any more");
    let Finding::Applied(answer) = found else { panic!("{found:?}") };
    assert!(answer.response.unwrap().contains(&id));
}

#[tokio::test]
async fn where_the_history_cannot_be_seen_a_lost_ticket_is_not_made_again() {
    let world = world().await;
    let command = new(&world, &Value::Null);
    let missing = FaultKind::Status { code: 404, retry_after_seconds: None };
    world.strike(missing, "GET tickets/history/list");
    let found = world.lose(&command, FaultKind::Dropped, || {}).await;
    assert!(matches!(found, Finding::Unclear(_)), "{found:?}");
}

#[tokio::test]
async fn a_ticket_that_comes_to_be_like_it_is_not_taken_for_it() {
    let world = world().await;
    let products = json!([world.product(0)]);
    let other = world.sim.act("queue/admin/tickets/new", products, None).unwrap();
    let command = new(&world, &Value::Null);
    let path = format!(
        "queue/admin/tickets/{}/addProduct/{}",
        other["Id"].as_str().unwrap(),
        world.product(3)
    );
    let found = world.lose(&command, FaultKind::Dropped, || drop(world.act(&path, None))).await;
    assert_eq!(found, Finding::Absent);
}

#[tokio::test]
async fn a_new_ticket_with_more_services_may_be_it_and_leaves_it_unknown() {
    let world = world().await;
    let command = new(&world, &Value::Null);
    let added = || {
        let id = made(&world)["Id"].as_str().unwrap().to_owned();
        world.act(&format!("queue/admin/tickets/{id}/addProduct/{}", world.product(1)), None);
    };
    let found = world.lose(&command, FaultKind::LostReply, added).await;
    assert!(matches!(found, Finding::Unclear(_)), "{found:?}");
}

#[tokio::test]
async fn an_earlier_ticket_that_is_done_with_is_not_taken_for_it_where_the_hall_is_empty() {
    let world =
        world_with(talon_simulators::enter_rest::Settings { visitors: 0, ..still() }, &[]).await;
    let products = json!([world.product(0), world.product(3)]);
    let other = world.sim.act("queue/admin/tickets/new", products, None).unwrap();
    finish(&world, &other);
    world.sim.clock().fetch_add(60_000, Ordering::SeqCst);
    let command = new(&world, &Value::Null);
    let found = world.lose(&command, FaultKind::Dropped, || {}).await;
    let Finding::Unclear(why) = found else { panic!("{found:?}") };
    assert!(why.contains("may be an earlier one"), "{why}");
    // Its own one is told from it only where it still stands in the list.
    world.sim.clock().fetch_add(60_000, Ordering::SeqCst);
    let found = world.lose(&command, FaultKind::LostReply, || {}).await;
    assert!(matches!(found, Finding::Unclear(_)), "{found:?}");
}

#[tokio::test]
async fn a_ticket_of_unknown_source_is_not_taken_for_it() {
    let world = world_with(still(), &[("ticket.source", "")]).await;
    let command = new(&world, &Value::Null);
    assert_eq!(world.lose(&command, FaultKind::Dropped, || {}).await, Finding::Absent);
    let found = world.lose(&command, FaultKind::LostReply, || {}).await;
    let Finding::Unclear(why) = found else { panic!("{found:?}") };
    assert!(why.contains("`ticket.source`"), "{why}");
}

#[tokio::test]
async fn a_list_that_began_anew_at_midnight_does_not_say_that_a_ticket_is_not_there() {
    let world = world().await;
    let command = new(&world, &Value::Null);
    let midnight = || {
        world.sim.clock().fetch_add(12 * 3_600_000, Ordering::SeqCst);
    };
    let found = world.lose(&command, FaultKind::LostReply, midnight).await;
    assert!(matches!(found, Finding::Unclear(_)), "{found:?}");
}

#[tokio::test]
async fn the_printable_ticket_stands_in_the_outcome_where_it_is_asked_for_and_fits() {
    let world = world().await;
    let response = world.run(&new(&world, &json!({ "image": true }))).await;
    let image = BASE64_STANDARD.decode(response["image"].as_str().unwrap()).unwrap();
    assert!(image.starts_with(b"\x89PNG") && response["ticket_id"].is_string());
    // The ticket is made all the same.
    for (fault, words) in [
        (FaultKind::Status { code: 500, retry_after_seconds: None }, "answered with 500"),
        (FaultKind::HtmlError, "no picture"),
    ] {
        world.strike(fault, "GET /tickets/ticketpng/:ticketId/");
        let answer = world.send(&new(&world, &json!({ "image": true }))).await.unwrap();
        assert!(answer.message.contains(words), "{}", answer.message);
        assert!(answer.response.unwrap().contains("ticket_id"));
    }
    let world = world_with(still(), &[("ticket.image.max.bytes", "10")]).await;
    let answer = world.send(&new(&world, &json!({ "image": true }))).await.unwrap();
    assert!(answer.message.contains("`ticket.image.max.bytes`"), "{}", answer.message);
}

#[tokio::test]
async fn a_service_is_added_and_a_lost_reply_is_told_by_how_many_there_are() {
    let world = world().await;
    let ticket = world.ticket();
    let command = of("AddProduct", &ticket, json!({ "product_id": world.product(0) }));
    assert!(world.run(&command).await["ticket_product_id"].is_string());
    assert_eq!(world.lose(&command, FaultKind::Dropped, || {}).await, Finding::Absent);
    let found = world.lose(&command, FaultKind::LostReply, || {}).await;
    assert!(matches!(found, Finding::Applied(_)), "{found:?}");
    let path = format!("queue/admin/tickets/{}/addProduct/{}", ticket.0, world.product(0));
    let other = || drop(world.act(&path, None));
    let found = world.lose(&command, FaultKind::LostReply, other).await;
    assert!(matches!(found, Finding::Unclear(_)), "{found:?}");
    assert_eq!(world.effects("add_product"), 3);
}

#[tokio::test]
async fn a_service_is_cancelled_and_what_is_cancelled_already_is_so() {
    let world = world().await;
    let ticket = world.ticket();
    let command = of("CancelProduct", &ticket, Value::Null);
    assert_eq!(world.lose(&command, FaultKind::Dropped, || {}).await, Finding::Absent);
    let found = world.lose(&command, FaultKind::LostReply, || {}).await;
    assert!(matches!(found, Finding::Applied(_)), "{found:?}");
    let again = world.send(&command).await.unwrap();
    assert!(again.message.starts_with("it is so already"), "{}", again.message);
    assert_eq!(world.effects("cancel_product"), 1);
    // Somebody is dealing with it.
    let served = world.served("window01");
    let tickets = world.see("queue/admin/tickets");
    let of_it = |row: &&Value| row["Products"].to_string().contains(&served);
    let busy = tickets.as_array().unwrap().iter().find(of_it).unwrap();
    let busy = (busy["Id"].as_str().unwrap().to_owned(), served);
    let refusal = world.refused(&of("CancelProduct", &busy, Value::Null)).await;
    assert!(refusal.message.ends_with("Услуга не ожидает обслуживания"), "{}", refusal.message);
}

#[tokio::test]
async fn a_priority_is_set_and_set_again_after_a_lost_reply() {
    let world = world().await;
    let ticket = world.ticket();
    let command = of("SetPriority", &ticket, json!({ "priority": -3 }));
    world.strike(FaultKind::LostReply, &row_of(command.spec.call));
    let before = world.look(&command).await.unwrap();
    let lost = world.apply(&command, &before).await;
    assert!(matches!(lost, Err(ApplyFault::Unclear(_))), "{lost:?}");
    world.apply(&command, &before).await.unwrap();
    let seen = world.see(&format!("queue/admin/tickets/{}", ticket.0));
    assert_eq!(seen["Products"][0]["CurrentPriority"], -3);
}

#[tokio::test]
async fn a_waiting_service_is_redirected_to_whom_the_upstream_offers() {
    for by in ["ticketProductId", "productId"] {
        let world = world_with(still(), &[("redirect.product", by)]).await;
        let ticket = world.ticket();
        let offered = world.act("queue/admin/redirect/workPlaces/x", None);
        let target = json!({ "workplace_id": offered[1]["Id"], "priority": 9 });
        let command = of("RedirectTicket", &ticket, target);
        world.run(&command).await;
        assert_eq!(world.effects("redirect_ticket"), 1, "{by}");
        let queue = world.sim.look("operation/queue", Some("window01")).unwrap();
        assert!(!queue.to_string().contains(&ticket.1), "{by}");
        let refused = of("RedirectTicket", &ticket, json!({ "user_id": "nobody" }));
        let refusal = world.refused(&refused).await;
        assert!(refusal.response.unwrap().contains("offered"));
    }
}

#[tokio::test]
async fn a_lost_redirect_of_a_waiting_service_is_never_taken_for_absent() {
    let world = world().await;
    let offered = world.act("queue/admin/redirect/workPlaces/x", None);
    let target = json!({ "workplace_id": offered[1]["Id"] });
    let ticket = world.ticket();
    for kind in [FaultKind::Dropped, FaultKind::LostReply] {
        let command = of("RedirectTicket", &ticket, target.clone());
        let found = world.lose(&command, kind, || {}).await;
        assert!(matches!(found, Finding::Unclear(_)), "{found:?}");
    }
    // The priority that goes with it is seen.
    let target = json!({ "workplace_id": offered[1]["Id"], "priority": 5 });
    let found =
        world.lose(&of("RedirectTicket", &ticket, target), FaultKind::LostReply, || {}).await;
    assert!(matches!(found, Finding::Applied(_)), "{found:?}");
}

#[tokio::test]
async fn what_is_not_there_is_refused() {
    let world = world().await;
    let (ticket, service) = world.ticket();
    for (name, more) in [
        ("AddProduct", json!({ "product_id": "x" })),
        ("CancelProduct", Value::Null),
        ("RedirectTicket", Value::Null),
    ] {
        let nowhere = ("nowhere".to_owned(), service.clone());
        let refusal = world.refused(&of(name, &nowhere, more.clone())).await;
        assert_eq!(refusal.message, "there is no such ticket", "{name}");
    }
    let other = (ticket.clone(), "nothing".to_owned());
    let refusal = world.refused(&of("CancelProduct", &other, Value::Null)).await;
    assert_eq!(refusal.message, "the ticket has no such service");
    // Upstream's words.
    let command = of("AddProduct", &(ticket, service), json!({ "product_id": "x" }));
    let refusal = world.refused(&command).await;
    assert!(refusal.message.ends_with(": Услуга не найдена"), "{}", refusal.message);
}
