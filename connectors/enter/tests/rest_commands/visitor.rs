//! Commands that hit whoever is at a workplace.

use serde_json::{Value, json};
use talon_sdk::{ApplyFault, Command, Finding, Permit};
use talon_simulators::enter_rest::FaultKind;

use crate::world::{OTHER, PLACE, World, about, command, row_of, still, world, world_with};

/// Name, whether the visitor is served already, and what the journal calls it.
const ALL: [(&str, bool, &str); 5] = [
    ("StartService", false, "start"),
    ("RejectVisitor", false, "reject"),
    ("CompleteService", true, "complete"),
    ("HoldVisitor", true, "hold"),
    ("RedirectVisitor", true, "redirect"),
];

/// The visitor that a command needs, and the command.
fn prepared(world: &World, (name, is_served, _): (&str, bool, &str)) -> (String, Command) {
    let visitor = if is_served { world.served(PLACE) } else { world.called(PLACE) };
    let params = match name {
        "RedirectVisitor" => {
            let offered = world.act("operation/redirect/workPlaces/x", Some(PLACE));
            json!({ "menu_link_id": world.product(1), "workplace_id": offered[1]["Id"] })
        }
        _ => Value::Null,
    };
    (visitor.clone(), about(name, &visitor, params))
}

#[tokio::test]
async fn each_is_done_once_to_the_visitor_who_is_expected_and_says_who_that_was() {
    for of in ALL {
        let world = world().await;
        let (visitor, command) = prepared(&world, of);
        let response = world.run(&command).await;
        assert_eq!(response["ticket_product_id"], json!(visitor), "{}", of.0);
        assert!(response["ticket_number"].is_string(), "{response}");
        assert_eq!(world.effects(of.2), 1, "{}", of.0);
    }
}

#[tokio::test]
async fn without_an_expectation_it_is_refused_unless_that_is_allowed() {
    for of in ALL {
        let world = world().await;
        let (_, mut command) = prepared(&world, of);
        command.expect.clear();
        let refusal = world.refused(&command).await;
        assert!(refusal.message.contains("`commands.unguarded`"), "{}", refusal.message);
        assert_eq!(world.asked(&row_of(command.spec.call)), 0);
        let world = world_with(still(), &[("commands.unguarded", "true")]).await;
        let (_, mut command) = prepared(&world, of);
        command.expect.clear();
        world.run(&command).await;
        assert_eq!(world.effects(of.2), 1, "{}", of.0);
    }
}

#[tokio::test]
async fn somebody_else_or_nobody_at_the_workplace_is_refused_and_named() {
    for of in ALL {
        let world = world().await;
        let (visitor, mut command) = prepared(&world, of);
        command.expect["ticket_product_id"] = json!("somebody-else");
        let refusal = world.refused(&command).await;
        assert!(refusal.message.contains(&visitor), "{}", refusal.message);
        assert!(refusal.response.unwrap().contains(&visitor));
        command.expect["ticket_product_id"] = Value::Null;
        world.refused(&command).await;
        let nobody = command_without_visitor(&world, of);
        assert!(world.refused(&nobody).await.message.ends_with("it is nothing"));
        assert_eq!(world.asked(&row_of(command.spec.call)), 0);
    }
}

fn command_without_visitor(world: &World, (name, is_served, _): (&str, bool, &str)) -> Command {
    let end = if is_served { "operation/complete" } else { "operation/reject" };
    world.act(end, Some(PLACE));
    let params = match name {
        "RedirectVisitor" => json!({ "menu_link_id": world.product(1) }),
        _ => Value::Null,
    };
    about(name, "somebody", params)
}

/// After the intent is durable, and before the first byte.
#[tokio::test]
async fn who_comes_between_look_and_command_is_not_hit() {
    for of in ALL {
        let world = world().await;
        let (_, command) = prepared(&world, of);
        let before = world.look(&command).await.unwrap();
        let end = if of.1 { "operation/complete" } else { "operation/reject" };
        world.act(end, Some(PLACE));
        let other = if of.1 { world.served(PLACE) } else { world.called(PLACE) };
        let sent = world.apply(&command, &before).await;
        let Err(ApplyFault::Refused(refusal)) = sent else { panic!("{}: {sent:?}", of.0) };
        assert!(refusal.message.contains(&other), "{}", refusal.message);
        assert_eq!(world.asked(&row_of(command.spec.call)), 0, "{}", of.0);
    }
}

/// In the milliseconds that no look covers, the upstream itself refuses.
#[tokio::test]
async fn an_operator_who_acts_right_before_the_command_makes_it_refused() {
    for of in [ALL[1], ALL[2]] {
        let world = world().await;
        let (_, command) = prepared(&world, of);
        world.strike(FaultKind::Intruder, &row_of(command.spec.call));
        match world.send(&command).await {
            Err(ApplyFault::Refused(refusal)) => {
                assert!(refusal.message.contains("Нет текущего посетителя"), "{}", refusal.message);
            }
            // The operator did something else.
            Ok(_) => assert_eq!(world.effects(of.2), 1),
            other => panic!("{}: {other:?}", of.0),
        }
    }
}

#[tokio::test]
async fn a_lost_reply_is_told_by_the_state_of_the_visitors_service() {
    for of in ALL {
        let world = world().await;
        let (visitor, command) = prepared(&world, of);
        let found = world.lose(&command, FaultKind::Dropped, || {}).await;
        assert_eq!(found, Finding::Absent, "{}", of.0);
        let found = world.lose(&command, FaultKind::LostReply, || {}).await;
        let Finding::Applied(answer) = found else { panic!("{}: {found:?}", of.0) };
        assert!(answer.response.unwrap().contains(&visitor));
        assert_eq!(world.effects(of.2), 1, "{}", of.0);
    }
}

#[tokio::test]
async fn what_somebody_else_did_after_a_lost_reply_is_not_taken_for_the_commands() {
    for (of, other) in [
        (ALL[0], "operation/reject"),
        (ALL[1], "operation/start"),
        (ALL[2], "operation/hold"),
        (ALL[3], "operation/complete"),
        (ALL[4], "operation/complete"),
    ] {
        let world = world().await;
        let (_, command) = prepared(&world, of);
        let found =
            world.lose(&command, FaultKind::Dropped, || drop(world.act(other, Some(PLACE)))).await;
        assert!(matches!(found, Finding::Unclear(_)), "{}: {found:?}", of.0);
    }
}

#[tokio::test]
async fn a_visitor_who_was_started_by_a_lost_command_and_is_served_by_now_was_started() {
    let world = world().await;
    let (_, command) = prepared(&world, ALL[0]);
    let found = world
        .lose(&command, FaultKind::LostReply, || {
            world.act("operation/complete", Some(PLACE));
            world.called(PLACE);
        })
        .await;
    assert!(matches!(found, Finding::Applied(_)), "{found:?}");
}

#[tokio::test]
async fn without_the_administrator_only_what_the_workplace_shows_is_told() {
    for (of, is_told) in [(ALL[2], false), (ALL[3], true)] {
        let without = [("auth.admin.login", ""), ("auth.admin.password", "")];
        // What needs the administrator is off then.
        let more = [&without[..], &[("feeds", "workplace")]].concat();
        let world = world_with(still(), &more).await;
        let (_, command) = prepared(&world, of);
        let found = world.lose(&command, FaultKind::LostReply, || {}).await;
        assert_eq!(matches!(found, Finding::Applied(_)), is_told, "{}: {found:?}", of.0);
        assert_ne!(found, Finding::Absent);
    }
}

/// One token, one workplace.
#[tokio::test]
async fn a_workplace_that_is_taken_over_is_looked_at_again_before_anything_is_sent() {
    let world = world().await;
    let (_, command) = prepared(&world, ALL[0]);
    let before = world.look(&command).await.unwrap();
    world.strike(FaultKind::TakenOver, "POST operation/start");
    let sent = world.apply(&command, &before).await;
    assert!(matches!(sent, Err(ApplyFault::NotApplied(_))), "{sent:?}");
    assert_eq!((world.asked("POST operation/start"), world.effects("start")), (1, 0));
    world.run(&command).await;
    assert_eq!(world.effects("start"), 1);
}

#[tokio::test]
async fn without_leave_nothing_is_sent() {
    for of in ALL {
        let world = world().await;
        let (_, command) = prepared(&world, of);
        let before = world.look(&command).await.unwrap();
        let sent = world.applier.apply(&command, &before, &Permit::new(|| false)).await;
        assert!(matches!(sent, Err(ApplyFault::NotApplied(_))), "{}: {sent:?}", of.0);
        assert_eq!(world.asked(&row_of(command.spec.call)), 0);
    }
}

#[tokio::test]
async fn a_target_that_is_not_offered_is_refused_with_what_is() {
    let world = world().await;
    let visitor = world.served(PLACE);
    world.act("operation/break/begin", Some(OTHER));
    let offered = world.act("operation/redirect/workPlaces/x", Some(PLACE));
    assert_eq!(offered.as_array().unwrap().len(), 3);
    for target in ["workplace_id", "user_id"] {
        let mut params = json!({ "menu_link_id": world.product(1) });
        params[target] = json!("nobody");
        let refusal = world.refused(&about("RedirectVisitor", &visitor, params)).await;
        assert!(refusal.message.contains(target), "{}", refusal.message);
        let shown: Value = serde_json::from_str(&refusal.response.unwrap()).unwrap();
        let ids: Vec<&Value> =
            shown["offered"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
        assert_eq!(ids.len(), if target == "user_id" { 4 } else { 3 });
        if target == "workplace_id" {
            assert_eq!(*ids[0], offered[0]["Id"]);
        }
    }
    let params = json!({ "menu_link_id": "nowhere", "workplace_id": offered[0]["Id"] });
    let refusal = world.refused(&about("RedirectVisitor", &visitor, params)).await;
    assert!(refusal.message.contains("menu_link_id"), "{}", refusal.message);
    let shown: Value = serde_json::from_str(&refusal.response.unwrap()).unwrap();
    assert_eq!(
        shown["offered"][0]["id"],
        world.sim.look("operation/menu", Some(PLACE)).unwrap()["Id"]
    );
    assert_eq!(world.effects("redirect"), 0);
}

#[tokio::test]
async fn a_workplace_that_is_not_configured_is_refused() {
    let world = world().await;
    let expect = json!({ "ticket_product_id": "x" });
    for name in ["StartService", "InviteNext", "BeginBreak"] {
        let expect = if name == "StartService" { expect.clone() } else { Value::Null };
        let command = command(name, json!({ "client_id": "window99" }), expect);
        assert!(world.refused(&command).await.message.contains("`workplaces`"));
    }
}
