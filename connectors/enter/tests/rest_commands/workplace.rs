//! Breaks, and who works at a workplace.

use serde_json::{Value, json};
use talon_sdk::{Command, Finding};
use talon_simulators::enter_rest::FaultKind;

use crate::world::{PLACE, command, row_of, world};

fn at_place(name: &str) -> Command {
    command(name, json!({ "client_id": PLACE }), Value::Null)
}

fn user(name: &str) -> Command {
    command("ChangeUser", json!({ "client_id": PLACE, "user": name }), Value::Null)
}

#[tokio::test]
async fn a_break_begins_and_ends_and_a_lost_reply_is_told_by_whether_there_is_one() {
    let world = world().await;
    for (name, what) in [("BeginBreak", "break_begin"), ("EndBreak", "break_end")] {
        let command = at_place(name);
        let found = world.lose(&command, FaultKind::Dropped, || {}).await;
        assert_eq!(found, Finding::Absent, "{name}");
        let found = world.lose(&command, FaultKind::LostReply, || {}).await;
        assert!(matches!(found, Finding::Applied(_)), "{name}: {found:?}");
        assert_eq!(world.effects(what), 1);
        // Again does no harm.
        world.run(&command).await;
        assert_eq!(world.effects(what), 1);
    }
    world.served(PLACE);
    let refusal = world.refused(&at_place("BeginBreak")).await;
    assert!(refusal.message.ends_with(": Сначала завершите обслуживание"), "{}", refusal.message);
}

#[tokio::test]
async fn another_user_is_put_at_a_workplace_and_a_lost_reply_is_told_by_who_works_there() {
    let world = world().await;
    let found = world.lose(&user("deputy"), FaultKind::Dropped, || {}).await;
    assert_eq!(found, Finding::Absent);
    let found = world.lose(&user("deputy"), FaultKind::LostReply, || {}).await;
    assert!(matches!(found, Finding::Applied(_)), "{found:?}");
    assert_eq!(world.effects("change_user"), 1);
    let state = world.sim.look("operation/state", Some(PLACE)).unwrap();
    assert_eq!(state["User"]["Login"], "operator05");
}

#[tokio::test]
async fn wrong_credentials_of_a_user_are_tried_once_and_are_nowhere_in_the_outcome() {
    let world = world().await;
    let refusal = world.refused(&user("wrong")).await;
    assert!(refusal.message.contains("`auth.user.wrong.login`"), "{}", refusal.message);
    assert_eq!(world.asked(&row_of("POST /operation/login/{login}/{password}")), 1);
    let refusal = world.refused(&user("nobody")).await;
    assert!(refusal.message.contains("names no user"), "{}", refusal.message);
}

#[tokio::test]
async fn who_was_put_at_a_workplace_stays_there_when_its_token_is_signed_in_for_anew() {
    let world = world().await;
    world.run(&user("deputy")).await;
    world.sim.revoke();
    world.run(&at_place("BeginBreak")).await;
    let login = || world.sim.look("operation/state", Some(PLACE)).unwrap()["User"]["Login"].clone();
    assert_eq!(login(), "operator05");
    // Where that user is not taken any more, the workplace's own operator goes on.
    world.sim.revoke();
    let refused = FaultKind::Status { code: 401, retry_after_seconds: None };
    world.strike(refused, "POST operation/identify/:clientId/:login/:password");
    let refusal = world.look(&at_place("EndBreak")).await;
    assert!(refusal.is_err(), "{refusal:?}");
    world.run(&at_place("EndBreak")).await;
    assert_eq!(login(), "operator01");
}
