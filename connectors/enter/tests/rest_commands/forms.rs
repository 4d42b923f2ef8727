//! The forms of replies that the document leaves open.

use serde_json::{Value, json};
use talon_sdk::Finding;
use talon_simulators::enter_rest::{Dates, FaultKind, Names, Settings};

use crate::world::{PLACE, about, command, still, world_with};

fn others() -> [Settings; 2] {
    let texts = Settings { numbers_as_text: true, quoted_token: false, ..still() };
    let new = Settings { names: Names::New, dates: Dates::Offset, ..texts.clone() };
    [texts, new]
}

#[tokio::test]
async fn commands_are_done_and_read_back_whatever_forms_replies_have() {
    for settings in others() {
        let world = world_with(settings, &[]).await;
        let next = command("InviteNext", json!({ "client_id": PLACE }), Value::Null);
        let found = world.lose(&next, FaultKind::LostReply, || {}).await;
        let Finding::Applied(answer) = found else { panic!("{found:?}") };
        let called: Value = serde_json::from_str(&answer.response.unwrap()).unwrap();
        assert_eq!(called["state"], "invited");
        let start = about("StartService", called["ticket_product_id"].as_str().unwrap(), json!({}));
        assert_eq!(world.lose(&start, FaultKind::Dropped, || {}).await, Finding::Absent);
        let found = world.lose(&start, FaultKind::LostReply, || {}).await;
        assert!(matches!(found, Finding::Applied(_)), "{found:?}");

        let products = json!({ "product_ids": [world.product(2)] });
        let new = command("NewTicket", products, Value::Null);
        let response = world.run(&new).await;
        let id = response["ticket_id"].as_str().unwrap();
        let ticket = world.see(&format!("queue/admin/tickets/{id}"));
        let number = if ticket["FullNumber"].is_null() { "Number" } else { "FullNumber" };
        assert_eq!(response["ticket_number"], ticket[number]);
        let found = world.lose(&new, FaultKind::LostReply, || {}).await;
        assert!(matches!(found, Finding::Applied(_)), "{found:?}");
        assert_eq!((world.effects("start"), world.effects("new_ticket")), (1, 2));
    }
}

#[tokio::test]
async fn fields_of_bodies_are_sent_under_the_names_that_are_configured() {
    // Under another name the upstream does not find it.
    let world = world_with(still(), &[("body.field.priority", "Priority")]).await;
    let (ticket, service) = world.ticket();
    let params = json!({ "ticket_id": ticket, "ticket_product_id": service, "priority": 3 });
    let refusal = world.refused(&command("SetPriority", params, Value::Null)).await;
    assert!(refusal.message.ends_with("Не указан приоритет"), "{}", refusal.message);
}
