//! A 409 that means that it is so already.

use serde_json::json;
use talon_sdk::ApplyFault;

use crate::cases::{Stage, bring, case_of};
use crate::world::{command, world};

#[tokio::test]
async fn what_is_so_already_is_applied() {
    let world = world().await;
    for name in [
        "CloseCall",
        "SetCallStatus",
        "CreateCost",
        "SubmitCost",
        "SetTaskStatus",
        "ChangeCostApproval",
        "RaiseJeopardy",
        "CompleteSharedCall",
    ] {
        let case = case_of(name);
        let ids = bring(&world, case.stage).await;
        let command = command(name, (case.params)(&ids));
        let effects = world.effects(command.spec.call);
        world.send(&command).await.unwrap();
        let again = world.send(&command).await.unwrap();
        assert_eq!(again.status, Some(409), "{name}");
        assert!(again.message.starts_with("it is so already"), "{name}: {again:?}");
        assert_eq!(world.effects(command.spec.call), effects + 1, "{name}");
    }
}

#[tokio::test]
async fn what_is_otherwise_is_refused() {
    let world = world().await;
    for (name, stage, mut params) in [
        ("RaiseJeopardy", Stage::AtRisk, json!({"comment": "другой"})),
        ("SetCallStatus", Stage::Done, json!({"status": "Committed"})),
        ("SubmitCost", Stage::Committed, json!({})),
        ("CreateCost", Stage::New, json!({})),
    ] {
        params["call_id"] = bring(&world, stage).await.call.into();
        let refused = world.send(&command(name, params)).await;
        assert!(matches!(refused, Err(ApplyFault::Refused(_))), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn a_second_jeopardy_is_not_answered_by_a_command_that_was_about_the_first() {
    let world = world().await;
    let ids = bring(&world, Stage::AtRisk).await;
    let ours = command("AnswerJeopardy", json!({"call_id": ids.call, "answer_comment": "наш"}));
    let before = world.look(&ours).await.unwrap();
    world.run("AnswerJeopardy", json!({"call_id": ids.call, "answer_comment": "чужой"})).await;
    world.run("RaiseJeopardy", json!({"call_id": ids.call, "comment": "новый"})).await;
    let finding = world.probe(&ours, &before).await.unwrap();
    assert!(matches!(finding, talon_sdk::Finding::Unclear(_)), "{finding:?}");
}
