//! `expect` is checked against a fresh read before anything is sent.

use serde_json::json;
use talon_sdk::{ApplyFault, Fault};
use talon_simulators::contractor::FaultKind;

use crate::cases::{CASES, Stage, bring, case_of};
use crate::world::{WITH_USER, World, command, world};

fn actual(stage: Stage, field: &str, name: &str) -> &'static str {
    if field == "cost_status" {
        return if stage == Stage::Submitted { "InProgress" } else { "Draft" };
    }
    match name {
        "SetTaskStatus" => "New",
        "AddTaskAttachment" => "Done",
        _ => match stage {
            Stage::New => "New",
            Stage::Done => "Done",
            _ => "Committed",
        },
    }
}

async fn look(world: &World, name: &str, expect: &[(&str, &str)]) -> Result<(), ApplyFault> {
    let case = case_of(name);
    let ids = bring(world, case.stage).await;
    let mut command = command(name, (case.params)(&ids));
    command.expect.extend(expect.iter().map(|(field, text)| ((*field).to_owned(), json!(text))));
    world.look(&command).await.map(drop)
}

#[tokio::test]
async fn what_holds_lets_the_command_pass_and_what_does_not_refuses_it() {
    let world = world().await;
    for case in CASES {
        for field in crate::world::spec(case.name).expect {
            let holds = actual(case.stage, field, case.name);
            look(&world, case.name, &[(field, holds)]).await.unwrap();
            match look(&world, case.name, &[(field, "Кенар")]).await {
                Err(ApplyFault::Refused(answer)) => {
                    assert!(answer.message.contains(&format!("it is `{holds}`")), "{answer:?}");
                }
                other => panic!("{}: {other:?}", case.name),
            }
        }
        let unknown = look(&world, case.name, &[("number", "1")]).await;
        assert!(matches!(unknown, Err(ApplyFault::Refused(_))), "{}: {unknown:?}", case.name);
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_not_taken_to_hold() {
    let world = world().await;
    let case = case_of("SetCallStatus");
    let ids = bring(&world, case.stage).await;
    let mut ours = command(case.name, (case.params)(&ids));
    ours.expect.insert("status".to_owned(), json!("Committed"));
    let fault = FaultKind::Status { code: 503, retry_after_seconds: None, body: None };
    world.strike(fault, "GET /call");
    let seen = world.look(&ours).await;
    assert!(matches!(seen, Err(ApplyFault::NotApplied(Fault::Unavailable { .. }))), "{seen:?}");

    let alone = world.reconfigured(&[WITH_USER, &[("auth.external.token", "")]].concat());
    match alone.look(&ours).await {
        Err(ApplyFault::NotApplied(Fault::Misconfigured { reason })) => {
            assert!(reason.contains("`auth.external.token`"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_command_about_nothing_is_refused_when_it_is_looked_at() {
    let world = world().await;
    for (name, params) in [
        ("SetCallStatus", json!({"call_id": 7, "status": "Done"})),
        ("CloseCall", json!({"call_id": 7})),
        ("SetTaskStatus", json!({"task_id": 7, "status": "Done"})),
        ("CompleteSharedCall", json!({"token": "нет-кенар", "comments": "x"})),
    ] {
        let seen = world.look(&command(name, params)).await;
        assert!(matches!(seen, Err(ApplyFault::Refused(_))), "{name}: {seen:?}");
    }
}
