//! What the upstream says of a refusal, in the forms that it may have.

use serde_json::{Value, json};
use talon_sdk::{ApplyFault, Fault};
use talon_simulators::enter_rest::{ErrorForm, FaultKind, Settings};

use crate::world::{CANARY, PLACE, command, row_of, still, world, world_with};

#[tokio::test]
async fn the_outcome_has_the_upstreams_words_whatever_form_they_have() {
    for (errors, words) in [
        (ErrorForm::Text, ": Очередь пуста"),
        (ErrorForm::UserMessage, ": Очередь пуста"),
        (ErrorForm::Html, ": Ошибка Очередь пуста"),
        (ErrorForm::Empty, "with 409"),
    ] {
        let world = world_with(Settings { errors, visitors: 0, ..still() }, &[]).await;
        let next = command("InviteNext", json!({ "client_id": PLACE }), Value::Null);
        let refusal = world.refused(&next).await;
        assert!(refusal.message.ends_with(words), "{errors:?}: {}", refusal.message);
        assert_eq!(refusal.status, Some(409));
    }
}

#[tokio::test]
async fn words_that_quote_the_request_have_no_credentials_in_them() {
    let world = world().await;
    let (ticket, _) = world.ticket();
    let quoted = format!("http://host/queue/admin/login/x/{CANARY}-admin-password");
    let body = json!({ "UserMessage": format!("Нет ресурса {quoted}") });
    let params = json!({ "ticket_id": ticket, "product_id": world.product(0) });
    let add = command("AddProduct", params, Value::Null);
    world.strike(FaultKind::OtherAnswer { body: body.to_string() }, &row_of(add.spec.call));
    let said = world.send(&add).await;
    // A success that says an error is none.
    let Err(ApplyFault::Unclear(answer)) = said else { panic!("{said:?}") };
    assert!(answer.message.ends_with("Нет ресурса …"), "{}", answer.message);
}

#[tokio::test]
async fn what_is_busy_is_not_applied_and_what_fails_is_unclear() {
    let world = world().await;
    let begin = command("BeginBreak", json!({ "client_id": PLACE }), Value::Null);
    let row = "POST operation/break/begin";
    world.strike(FaultKind::Status { code: 429, retry_after_seconds: Some(3) }, row);
    let sent = world.send(&begin).await;
    let Err(ApplyFault::NotApplied(Fault::Unavailable { retry_after, .. })) = sent else {
        panic!("{sent:?}")
    };
    assert_eq!(retry_after.map(|wait| wait.as_secs()), Some(3));
    world.strike(FaultKind::Status { code: 503, retry_after_seconds: None }, row);
    assert!(matches!(world.send(&begin).await, Err(ApplyFault::Unclear(_))));
    world.strike(FaultKind::HtmlError, row);
    assert!(matches!(world.send(&begin).await, Err(ApplyFault::Unclear(_))));
    assert_eq!(world.effects("break_begin"), 0);
}
