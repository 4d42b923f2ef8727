//! Calls of visitors.

use serde_json::{Value, json};
use talon_sdk::{ApplyFault, Command, Finding};
use talon_simulators::enter_rest::{FaultKind, Settings};

use crate::world::{OTHER, PLACE, World, command, still, world, world_with};

fn next() -> Command {
    command("InviteNext", json!({ "client_id": PLACE }), Value::Null)
}

fn ticket(id: &str) -> Command {
    let params = json!({ "client_id": PLACE, "ticket_product_id": id });
    command("InviteTicket", params, Value::Null)
}

/// Services that wait, each of another ticket.
fn waiting(world: &World) -> Vec<String> {
    let rows = world.sim.look("operation/queue", Some(PLACE)).unwrap();
    let mut rows = rows.as_array().unwrap().clone();
    rows.dedup_by_key(|row| row["Ticket"]["Id"].clone());
    rows.iter().map(|row| row["Id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_next_visitor_is_called_and_named() {
    let world = world().await;
    let first = waiting(&world).remove(0);
    let response = world.run(&next()).await;
    assert_eq!(response["ticket_product_id"], json!(first));
    assert_eq!(world.effects("invite"), 1);
}

#[tokio::test]
async fn a_workplace_with_a_visitor_calls_nobody() {
    let world = world().await;
    let before = world.look(&next()).await.unwrap();
    let visitor = world.called(PLACE);
    // Between the look and the command, and before the look.
    let sent = world.apply(&next(), &before).await;
    let Err(ApplyFault::Refused(refusal)) = sent else { panic!("{sent:?}") };
    assert!(refusal.response.unwrap().contains(&visitor));
    assert!(world.refused(&next()).await.response.unwrap().contains(&visitor));
    assert_eq!(world.asked("POST operation/invite"), 0);
}

#[tokio::test]
async fn a_lost_call_adopts_whom_it_called_and_calls_no_second_one() {
    let world = world().await;
    assert_eq!(world.lose(&next(), FaultKind::Dropped, || {}).await, Finding::Absent);
    let found = world.lose(&next(), FaultKind::LostReply, || {}).await;
    let Finding::Applied(answer) = found else { panic!("{found:?}") };
    let current = world.sim.look("operation/state", Some(PLACE)).unwrap();
    let id = current["TicketProduct"]["Id"].as_str().unwrap();
    assert!(answer.response.unwrap().contains(id));
    assert_eq!(world.effects("invite"), 1);
}

#[tokio::test]
async fn whom_a_lost_call_called_is_adopted_also_where_they_are_gone_again() {
    for rest in [&["operation/reject"][..], &["operation/start", "operation/complete"]] {
        let world = world().await;
        let gone = || {
            for path in rest {
                world.act(path, Some(PLACE));
            }
        };
        let found = world.lose(&next(), FaultKind::LostReply, gone).await;
        let Finding::Applied(answer) = found else { panic!("{rest:?}: {found:?}") };
        assert!(answer.message.contains("gone again"), "{}", answer.message);
    }
}

#[tokio::test]
async fn where_another_one_was_called_there_since_the_lost_call_it_is_not_told_whom_it_called() {
    for kind in [FaultKind::LostReply, FaultKind::Dropped] {
        let world = world().await;
        let another = || {
            if world.effects("invite") == 0 {
                world.called(PLACE);
            }
            world.act("operation/reject", Some(PLACE));
            world.called(PLACE);
        };
        let found = world.lose(&next(), kind.clone(), another).await;
        assert!(matches!(found, Finding::Unclear(_)), "{kind:?}: {found:?}");
    }
}

#[tokio::test]
async fn who_is_there_is_adopted_where_it_is_not_seen_who_was_called_before_them() {
    let none = [("auth.admin.login", ""), ("auth.admin.password", ""), ("feeds", "workplace")];
    let world = world_with(still(), &none).await;
    let found = world.lose(&next(), FaultKind::LostReply, || {}).await;
    assert!(matches!(found, Finding::Applied(_)), "{found:?}");
    assert_eq!(world.effects("invite"), 1);
}

#[tokio::test]
async fn who_was_called_elsewhere_meanwhile_was_not_called_by_the_lost_call() {
    let world = world().await;
    let elsewhere = || drop(world.called(OTHER));
    assert_eq!(world.lose(&next(), FaultKind::Dropped, elsewhere).await, Finding::Absent);
}

/// Lost after somebody came to stand in front whom the look did not see among those it remembers.
async fn another_is_called_and_gone(
    world: &World,
    comes_first: impl FnOnce(),
) -> (String, Finding) {
    let command = next();
    let before = world.look(&command).await.unwrap();
    world.sim.clock().fetch_add(5_000, std::sync::atomic::Ordering::SeqCst);
    comes_first();
    world.strike(FaultKind::LostReply, "POST operation/invite");
    let lost = world.apply(&command, &before).await;
    assert!(matches!(lost, Err(ApplyFault::Unclear(_))), "{lost:?}");
    let current = world.sim.look("operation/state", Some(PLACE)).unwrap();
    let id = current["TicketProduct"]["Id"].as_str().unwrap().to_owned();
    world.act("operation/start", Some(PLACE));
    world.act("operation/complete", Some(PLACE));
    (id, world.probe(&command, &before).await.unwrap())
}

#[tokio::test]
async fn a_visitor_who_came_after_the_look_was_called_and_is_gone_is_adopted() {
    let world = world().await;
    let product = world.product(0);
    let comes = || {
        let body = json!({ "products": [product], "priority": 9 });
        drop(world.sim.act("queue/admin/tickets/new", body, None).unwrap());
    };
    let (id, found) = another_is_called_and_gone(&world, comes).await;
    let Finding::Applied(answer) = found else { panic!("{found:?}") };
    assert!(answer.response.unwrap().contains(&id));
}

#[tokio::test]
async fn a_visitor_from_behind_all_who_are_remembered_was_called_and_is_gone_and_is_adopted() {
    let world = world_with(Settings { visitors: 60, ..still() }, &[]).await;
    let rows = world.sim.look("operation/queue", Some(PLACE)).unwrap();
    let last = rows.as_array().unwrap().last().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let path = format!(
        "queue/admin/tickets/{}/{}/setPriority",
        text(&last["Ticket"]["Id"]),
        text(&last["Id"])
    );
    let comes = || drop(world.sim.act(&path, json!({ "priority": 9 }), None).unwrap());
    let (id, found) = another_is_called_and_gone(&world, comes).await;
    assert_eq!(json!(id), last["Id"]);
    let Finding::Applied(answer) = found else { panic!("{found:?}") };
    assert!(answer.response.unwrap().contains(&id));
}

/// A branch on the next day, where so many who booked on the day before wait behind twenty-five others.
async fn with_booked(count: usize) -> World {
    let world = world_with(Settings { visitors: 0, ..still() }, &[]).await;
    for half in 18..18 + count {
        let time = format!("{:02}:{:02}", half / 2, half % 2 * 30);
        let path = format!("booking/book/2024-07-11/{time}?productId=310&confirm=true");
        world.act(&path, Some("visitor"));
    }
    world.sim.clock().fetch_add(30 * 3_600_000, std::sync::atomic::Ordering::SeqCst);
    for _ in 0..25 {
        let body = json!({ "products": [world.product(0)], "priority": 5 });
        world.sim.act("queue/admin/tickets/new", body, None).unwrap();
    }
    let rows = world.sim.look("operation/queue", Some(PLACE)).unwrap();
    let booked = rows.as_array().unwrap().iter().skip(25).filter(|row| row["IsPending"] == true);
    assert_eq!(booked.count(), count);
    world
}

#[tokio::test]
async fn a_visitor_who_booked_on_an_earlier_day_is_adopted_from_behind_the_twentieth() {
    let world = with_booked(3).await;
    let rows = world.sim.look("operation/queue", Some(PLACE)).unwrap();
    let last = rows.as_array().unwrap().last().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let path = format!(
        "queue/admin/tickets/{}/{}/setPriority",
        text(&last["Ticket"]["Id"]),
        text(&last["Id"])
    );
    let comes = || drop(world.sim.act(&path, json!({ "priority": 9 }), None).unwrap());
    let (id, found) = another_is_called_and_gone(&world, comes).await;
    assert_eq!(json!(id), last["Id"]);
    let Finding::Applied(answer) = found else { panic!("{found:?}") };
    assert!(answer.response.unwrap().contains(&id));
    assert_eq!(world.lose(&next(), FaultKind::Dropped, || {}).await, Finding::Absent);
}

#[tokio::test]
async fn where_more_who_booked_wait_than_are_remembered_nobody_is_called_again() {
    let world = with_booked(18).await;
    let found = world.lose(&next(), FaultKind::Dropped, || {}).await;
    assert!(matches!(found, Finding::Unclear(_)), "{found:?}");
    let found = world.lose(&next(), FaultKind::LostReply, || {}).await;
    assert!(matches!(found, Finding::Applied(_)), "{found:?}");
}

#[tokio::test]
async fn who_was_called_right_before_the_look_is_not_taken_for_whom_the_lost_call_called() {
    for passed in [0, 1_000] {
        let world = world().await;
        world.called(PLACE);
        world.act("operation/reject", Some(PLACE));
        world.sim.clock().fetch_add(passed, std::sync::atomic::Ordering::SeqCst);
        // The clocks do not tell it from one that was called right after the look.
        let found = world.lose(&next(), FaultKind::Dropped, || {}).await;
        assert!(matches!(found, Finding::Unclear(_)), "{passed}: {found:?}");
        let found = world.lose(&next(), FaultKind::LostReply, || {}).await;
        let Finding::Applied(answer) = found else { panic!("{passed}: {found:?}") };
        let current = world.sim.look("operation/state", Some(PLACE)).unwrap();
        assert!(
            answer.response.unwrap().contains(current["TicketProduct"]["Id"].as_str().unwrap())
        );
    }
}

#[tokio::test]
async fn who_was_called_and_served_before_the_look_is_not_taken_for_whom_the_lost_call_called() {
    let world = world().await;
    world.served(PLACE);
    world.act("operation/complete", Some(PLACE));
    world.sim.clock().fetch_add(60_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(world.lose(&next(), FaultKind::Dropped, || {}).await, Finding::Absent);
}

#[tokio::test]
async fn where_it_cannot_be_seen_who_was_called_nobody_is_called_again() {
    let none = [("auth.admin.login", ""), ("auth.admin.password", ""), ("feeds", "workplace")];
    let world = world_with(still(), &none).await;
    let found = world.lose(&next(), FaultKind::Dropped, || {}).await;
    assert!(matches!(found, Finding::Unclear(_)), "{found:?}");
    let world = self::world().await;
    let missing = FaultKind::Status { code: 404, retry_after_seconds: None };
    world.strike(missing, "GET tickets/history/list");
    let found = world.lose(&next(), FaultKind::Dropped, || {}).await;
    assert!(matches!(found, Finding::Unclear(_)), "{found:?}");
}

#[tokio::test]
async fn where_nobody_waits_the_upstreams_words_say_so() {
    let world = world_with(Settings { visitors: 0, ..still() }, &[]).await;
    let refusal = world.refused(&next()).await;
    assert!(refusal.message.ends_with(": Очередь пуста"), "{}", refusal.message);
    assert_eq!(refusal.status, Some(409));
}

#[tokio::test]
async fn a_success_without_a_visitor_is_read_at_the_workplace() {
    for body in ["null", "{}", "", "{\"UserMessage\":\"Готово\"}"] {
        let world = world().await;
        world.strike(FaultKind::OtherAnswer { body: body.to_owned() }, "POST operation/invite");
        let response = world.run(&next()).await;
        let current = world.sim.look("operation/state", Some(PLACE)).unwrap();
        assert_eq!(response["ticket_product_id"], current["TicketProduct"]["Id"], "{body}");
    }
    // It has no effect.
    let world = world().await;
    world.strike(FaultKind::HtmlError, "POST operation/invite");
    assert!(world.refused(&next()).await.message.contains("nobody was called"));
}

#[tokio::test]
async fn a_visitor_is_called_by_name_out_of_the_queue_and_out_of_the_personal_queue() {
    let world = world().await;
    let waiting = waiting(&world);
    let third = waiting[2].clone();
    assert_eq!(world.run(&ticket(&third)).await["ticket_product_id"], json!(third));
    world.act("operation/start", Some(PLACE));
    world.act("operation/hold", Some(PLACE));
    assert_eq!(world.run(&ticket(&third)).await["ticket_product_id"], json!(third));
    assert_eq!(world.effects("invite"), 2);
    // They are there: it is so already.
    let again = world.send(&ticket(&third)).await.unwrap();
    assert!(again.message.starts_with("it is so already"), "{}", again.message);
    // Somebody else is there.
    let other = &waiting[0];
    assert!(world.refused(&ticket(other)).await.response.unwrap().contains(&third));
}

#[tokio::test]
async fn a_lost_call_by_name_is_told_by_who_is_there_and_by_the_service() {
    let world = world().await;
    let waiting = waiting(&world);
    let id = &waiting[1];
    assert_eq!(world.lose(&ticket(id), FaultKind::Dropped, || {}).await, Finding::Absent);
    // Called elsewhere.
    let elsewhere = || drop(world.act(&format!("operation/invite/{id}"), Some(OTHER)));
    let found = world.lose(&ticket(id), FaultKind::Dropped, elsewhere).await;
    assert!(matches!(found, Finding::Unclear(_)), "{found:?}");
    let gone = || drop(world.act("operation/reject", Some(PLACE)));
    let found = world.lose(&ticket(&waiting[0]), FaultKind::LostReply, gone).await;
    assert!(matches!(found, Finding::Applied(_)), "{found:?}");
}
