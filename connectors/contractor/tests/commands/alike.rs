//! What others do at the same time is not taken for ours.

use serde_json::json;
use talon_sdk::{Evidence, Finding};
use talon_simulators::contractor::{FaultKind, Kind};

use crate::cases::{Stage, bring, case_of};
use crate::world::{WITH_USER, World, command, new_call, simulator_settings, world, world_with};

async fn looked(
    world: &World,
    name: &str,
    params: serde_json::Value,
) -> (talon_sdk::Command, Evidence) {
    let command = command(name, params);
    let before = world.look(&command).await.unwrap();
    (command, before)
}

#[tokio::test]
async fn a_call_like_ours_without_our_marker_is_not_ours() {
    let world = world().await;
    let (ours, before) = looked(&world, "CreateCall", new_call()).await;
    // Another dispatcher enters the same call; its marker is another.
    world.run("CreateCall", new_call()).await;
    assert!(matches!(world.probe(&ours, &before).await, Ok(Finding::Unclear(_))));
    let mine = world.apply(&ours, &before).await.unwrap().response.unwrap();
    match world.probe(&ours, &before).await.unwrap() {
        Finding::Applied(answer) => {
            let id =
                |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["id"].clone();
            assert_eq!(id(&answer.response.unwrap()), id(&mine));
        }
        other => panic!("{other:?}"),
    }
    // One of another client does not matter.
    let (ours, before) = looked(&world, "CreateCall", new_call()).await;
    let mut other = new_call();
    other["client_name"] = json!("ООО «Лютик»");
    world.run("CreateCall", other).await;
    assert_eq!(world.probe(&ours, &before).await.unwrap(), Finding::Absent);
}

#[tokio::test]
async fn a_call_that_appears_after_it_was_given_up_is_not_created_again() {
    let world = world().await;
    let (ours, before) = looked(&world, "CreateCall", new_call()).await;
    world.strike(FaultKind::LostReply, ours.spec.call);
    world.apply(&ours, &before).await.unwrap_err();
    // As if the probe had come too early: the command is looked at and sent again.
    let again = world.look(&ours).await.unwrap();
    let answer = world.apply(&ours, &again).await.unwrap();
    assert!(answer.response.is_some(), "{answer:?}");
    assert!(matches!(world.probe(&ours, &again).await, Ok(Finding::Applied(_))));
    assert_eq!(world.effects(ours.spec.call), 1);
}

#[tokio::test]
async fn the_marker_stands_where_the_setting_says_and_without_it_nothing_is_guessed() {
    let world = world().await;
    for (marker, html, text) in
        [("html", true, false), ("text", false, true), ("off", false, false)]
    {
        let own =
            world.reconfigured(&[WITH_USER, &[("commands.createcall.marker", marker)]].concat());
        let (ours, before) = looked(&own, "CreateCall", new_call()).await;
        assert_eq!(own.probe(&ours, &before).await.unwrap(), Finding::Absent, "{marker}");
        let made = own.apply(&ours, &before).await.unwrap().response.unwrap();
        let id = serde_json::from_str::<serde_json::Value>(&made).unwrap()["id"].as_i64().unwrap();
        let call = own.current(Kind::Calls, id);
        let has = |field: &str| call[field].as_str().unwrap().contains("talon:");
        assert_eq!(has("descriptionHtmlText"), html, "{marker}");
        assert_eq!(has("descriptionTextForFieldEmployee"), text, "{marker}");
        let found = own.probe(&ours, &before).await.unwrap();
        assert_eq!(matches!(found, Finding::Applied(_)), html || text, "{marker}: {found:?}");
        assert_eq!(matches!(found, Finding::Unclear(_)), marker == "off", "{marker}: {found:?}");
    }
}

#[tokio::test]
async fn two_messages_alike_cannot_be_told_apart_and_others_do_not_matter() {
    let world = world().await;
    for name in
        ["SendMessage", "SendDispatcherMessage", "AddExpense", "AddMaterial", "AddTaskAttachment"]
    {
        let case = case_of(name);
        let ids = bring(&world, case.stage).await;
        // One like it from before is not counted.
        world.send(&command(name, (case.params)(&ids))).await.unwrap();
        let (ours, before) = looked(&world, name, (case.params)(&ids)).await;
        assert_eq!(world.probe(&ours, &before).await.unwrap(), Finding::Absent, "{name}");
        world.send(&command(name, (case.params)(&ids))).await.unwrap();
        world.apply(&ours, &before).await.unwrap();
        let finding = world.probe(&ours, &before).await.unwrap();
        assert!(matches!(finding, Finding::Unclear(_)), "{name}: {finding:?}");
    }
    let ids = bring(&world, Stage::Committed).await;
    let (ours, before) =
        looked(&world, "SendMessage", json!({"call_id": ids.call, "message": "наше"})).await;
    world.run("SendMessage", json!({"call_id": ids.call, "message": "другое"})).await;
    let at = "2026-01-20T10:00:00Z";
    let dispatcher = json!({"call_id": ids.call, "message": "наше", "written_at": at});
    world.run("SendDispatcherMessage", dispatcher.clone()).await;
    assert_eq!(world.probe(&ours, &before).await.unwrap(), Finding::Absent);

    // Of a dispatcher's message the instant tells as well.
    let (ours, before) = looked(&world, "SendDispatcherMessage", dispatcher).await;
    let later =
        json!({"call_id": ids.call, "message": "наше", "written_at": "2026-01-20T10:00:05Z"});
    world.run("SendDispatcherMessage", later).await;
    let finding = world.probe(&ours, &before).await.unwrap();
    assert!(matches!(finding, Finding::Unclear(_)), "{finding:?}");
}

#[tokio::test]
async fn rows_that_share_a_mark_or_come_late_are_found() {
    for shared in [1, 1000] {
        let mut settings = simulator_settings();
        settings.marks_shared_by = shared;
        settings.naive_dates = true;
        let world = world_with(
            settings,
            &[WITH_USER, &[("time.zone", "Europe/Moscow"), ("timestamp.overlap", "5")]].concat(),
        )
        .await;
        for name in ["CreateCall", "SendMessage", "SendDispatcherMessage"] {
            let case = case_of(name);
            let ids = bring(&world, case.stage).await;
            let (ours, before) = looked(&world, name, (case.params)(&ids)).await;
            world.strike(FaultKind::LostReply, ours.spec.call);
            world.apply(&ours, &before).await.unwrap_err();
            let finding = world.probe(&ours, &before).await.unwrap();
            assert!(matches!(finding, Finding::Applied(_)), "{name}: {finding:?}");
        }
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_may_be_ours() {
    let world = world().await;
    let ids = bring(&world, Stage::Committed).await;
    let (ours, before) =
        looked(&world, "SendMessage", json!({"call_id": ids.call, "message": "наше"})).await;
    world.run("SendMessage", json!({"call_id": ids.call, "message": "другое"})).await;
    world.strike(FaultKind::UndecodableRow, "GET /call/messages");
    let finding = world.probe(&ours, &before).await.unwrap();
    assert!(matches!(finding, Finding::Unclear(_)), "{finding:?}");
    assert_eq!(world.probe(&ours, &before).await.unwrap(), Finding::Absent);
}

#[tokio::test]
async fn a_status_that_others_moved_on_is_not_guessed() {
    let world = world().await;
    let ids = bring(&world, Stage::New).await;
    let (ours, before) =
        looked(&world, "SetCallStatus", json!({"call_id": ids.call, "status": "Committed"})).await;
    world.run("SetCallStatus", json!({"call_id": ids.call, "status": "Committed"})).await;
    let done = json!({"call_id": ids.call, "status": "Done", "comments": "готово"});
    world.run("SetCallStatus", done).await;
    let finding = world.probe(&ours, &before).await.unwrap();
    assert!(matches!(finding, Finding::Unclear(_)), "{finding:?}");
}

#[tokio::test]
async fn evidence_that_is_lost_or_foreign_leaves_it_unclear() {
    let world = world().await;
    let case = case_of("SetCallStatus");
    let ids = bring(&world, case.stage).await;
    let ours = command(case.name, (case.params)(&ids));
    for evidence in ["", "{}", "[]", "null", "nonsense"] {
        let finding = world.probe(&ours, &Evidence(evidence.to_owned())).await.unwrap();
        assert!(!matches!(finding, Finding::Applied(_)), "{evidence}: {finding:?}");
    }
}

#[tokio::test]
async fn a_probe_that_cannot_read_now_says_so() {
    let world = world().await;
    let case = case_of("SetCallStatus");
    let ids = bring(&world, case.stage).await;
    let (ours, before) = looked(&world, case.name, (case.params)(&ids)).await;
    let fault = FaultKind::Status { code: 503, retry_after_seconds: None, body: None };
    world.strike(fault, "GET /call");
    assert_eq!(world.probe(&ours, &before).await.unwrap_err().kind(), "unavailable");
}
