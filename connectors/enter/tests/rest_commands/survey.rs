//! Surveys at devices.

use serde_json::{Value, json};
use talon_sdk::{ApplyFault, Command, Finding};
use talon_simulators::enter_rest::FaultKind;

use crate::world::{World, command, world};

const DEVICE: &str = "survey01";

fn of(name: &str, expect: Value) -> Command {
    let mut params = json!({ "client_id": DEVICE });
    if name == "AnswerSurvey" {
        params["answer"] = json!({ "Answer": "да" });
    }
    command(name, params, expect)
}

fn state(world: &World) -> Value {
    world.see(&format!("survey/{DEVICE}/state"))
}

fn act(world: &World, what: &str) {
    world.act(&format!("survey/{DEVICE}/{what}"), None);
}

#[tokio::test]
async fn a_survey_begins_is_answered_and_ends_and_lost_replies_are_told_by_what_stands() {
    let world = world().await;
    for (name, what) in [
        ("BeginSurvey", "survey_begin"),
        ("AnswerSurvey", "survey_answer"),
        ("EndSurvey", "survey_end"),
    ] {
        let command = of(name, Value::Null);
        let found = world.lose(&command, FaultKind::Dropped, || {}).await;
        assert_eq!(found, Finding::Absent, "{name}");
        let found = world.lose(&command, FaultKind::LostReply, || {}).await;
        assert!(matches!(found, Finding::Applied(_)), "{name}: {found:?}");
        assert_eq!(world.effects(what), 1);
    }
    for name in ["AnswerSurvey", "EndSurvey"] {
        world.refused(&of(name, Value::Null)).await;
    }
    world.run(&of("BeginSurvey", Value::Null)).await;
    world.refused(&of("BeginSurvey", Value::Null)).await;
    world.run(&of("AnswerSurvey", Value::Null)).await;
    world.run(&of("EndSurvey", Value::Null)).await;
    assert_eq!(world.effects("survey_answer"), 2);
}

#[tokio::test]
async fn an_answer_counts_for_the_question_that_is_expected_and_for_no_other() {
    let world = world().await;
    act(&world, "begin");
    let first = state(&world)["Question"]["Id"].clone();
    let command = of("AnswerSurvey", json!({ "question_id": first }));
    let before = world.look(&command).await.unwrap();
    // The visitor is faster.
    act(&world, "answer");
    let second = state(&world)["Question"]["Id"].clone();
    let sent = world.apply(&command, &before).await;
    let Err(ApplyFault::Refused(refusal)) = sent else { panic!("{sent:?}") };
    assert!(refusal.response.unwrap().contains(second.as_str().unwrap()));
    world.refused(&command).await;
    assert_eq!(world.asked("POST survey/:clientId/answer"), 0);
    world.run(&of("AnswerSurvey", json!({ "question_id": second }))).await;
    assert_eq!(world.effects("survey_answer"), 1);
}

#[tokio::test]
async fn after_the_last_question_a_lost_answer_is_not_told_from_an_end() {
    let world = world().await;
    act(&world, "begin");
    act(&world, "answer");
    act(&world, "answer");
    let found = world.lose(&of("AnswerSurvey", Value::Null), FaultKind::LostReply, || {}).await;
    assert!(matches!(found, Finding::Unclear(_)), "{found:?}");
}
