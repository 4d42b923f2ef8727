//! What the upstream refuses, and what that means for a command.

use std::time::Duration;

use serde_json::json;
use talon_sdk::{ApplyFault, Fault};
use talon_simulators::contractor::FaultKind;

use crate::cases::{CASES, Stage, bring, case_of};
use crate::world::{WITH_USER, command, new_call, simulator_settings, world, world_with};

fn status(code: u16, body: Option<&str>) -> FaultKind {
    FaultKind::Status { code, retry_after_seconds: Some(7), body: body.map(str::to_owned) }
}

/// A status with its codes.
type Documented = (u16, &'static [i64]);

/// Documented refusals of each command.
#[rustfmt::skip]
const DOCUMENTED: &[(&str, &[Documented])] = &[
    ("CreateCall", &[(400, &[]), (404, &[1, 2, 3])]),
    ("PatchCall", &[(400, &[]), (404, &[])]),
    ("CloseCall", &[(404, &[]), (409, &[])]),
    ("SendDispatcherMessage", &[(400, &[]), (404, &[]), (409, &[])]),
    ("AnswerJeopardy", &[(400, &[]), (404, &[]), (409, &[])]),
    ("CreateTempLink", &[(404, &[]), (409, &[])]),
    ("RaiseJeopardy", &[(400, &[]), (404, &[]), (409, &[])]),
    ("SendMessage", &[(400, &[]), (404, &[]), (409, &[])]),
    ("SetCallStatus", &[(400, &[6]), (404, &[]), (409, &[])]),
    ("CreateCost", &[(404, &[]), (409, &[])]),
    ("ChangeCostApproval", &[(400, &[]), (404, &[1, 2, 3, 4]), (409, &[])]),
    ("AddExpense", &[(400, &[]), (404, &[1, 2, 3]), (409, &[])]),
    ("PatchExpense", &[(400, &[]), (404, &[1, 2, 3]), (409, &[])]),
    ("DeleteExpense", &[(400, &[]), (404, &[1, 2, 3]), (409, &[])]),
    ("AddMaterial", &[(400, &[]), (404, &[1, 2]), (409, &[])]),
    ("PatchMaterial", &[(400, &[]), (404, &[1, 2, 4]), (409, &[])]),
    ("DeleteMaterial", &[(400, &[]), (404, &[1, 2, 4]), (409, &[])]),
    ("SubmitCost", &[(404, &[]), (409, &[])]),
    ("AddTaskAttachment", &[(404, &[]), (409, &[]), (422, &[])]),
    ("SetTaskStatus", &[(404, &[]), (409, &[])]),
    ("ReadAllNotifications", &[(404, &[])]),
    ("ReadNotification", &[(404, &[])]),
    ("SetCostDeadlineDay", &[(400, &[]), (409, &[])]),
    ("RegisterUser", &[(409, &[])]),
    ("ChangePassword", &[(400, &[4]), (401, &[3]), (404, &[])]),
    ("LockUser", &[(404, &[])]),
    ("CompleteSharedCall", &[(400, &[]), (404, &[]), (409, &[3, 7])]),
];

#[tokio::test]
async fn every_documented_refusal_of_every_command_is_named_in_its_own_words() {
    let world = world().await;
    assert_eq!(DOCUMENTED.len(), CASES.len());
    for (name, statuses) in DOCUMENTED {
        let case = case_of(name);
        let ids = bring(&world, case.stage).await;
        let command = command(name, (case.params)(&ids));
        let before = world.look(&command).await.unwrap();
        let effects = world.sim.journal().effects().len();
        for (code, errors) in *statuses {
            let mut said = Vec::new();
            let without = (*code != 401).then_some(None);
            for error in errors.iter().map(|error| Some(*error)).chain(without) {
                let body = error.map(|error| json!({ "errorCode": error }).to_string());
                world.strike(status(*code, body.as_deref()), command.spec.call);
                match world.apply(&command, &before).await {
                    Err(ApplyFault::Refused(answer)) => {
                        assert_eq!((answer.status, answer.code), (Some(*code), error), "{name}");
                        assert!(
                            !answer.message.contains("was rejected with"),
                            "{name}: {answer:?}"
                        );
                        assert!(!said.contains(&answer.message), "{name}: {answer:?}");
                        said.push(answer.message);
                    }
                    other => panic!("{name} {code}: {other:?}"),
                }
            }
        }
        assert_eq!(world.sim.journal().effects().len(), effects, "{name}");
    }
}

#[tokio::test]
async fn what_is_not_about_the_command_is_no_refusal_of_it() {
    let world = world().await;
    for case in CASES {
        let ids = bring(&world, case.stage).await;
        let command = command(case.name, (case.params)(&ids));
        let before = world.look(&command).await.unwrap();
        let effects = world.effects(command.spec.call);
        for code in [429, 425] {
            world.strike(status(code, None), command.spec.call);
            match world.apply(&command, &before).await {
                Err(ApplyFault::NotApplied(Fault::Unavailable { retry_after, .. })) => {
                    assert_eq!(retry_after, Some(Duration::from_secs(7)), "{}", case.name);
                }
                other => panic!("{} {code}: {other:?}", case.name),
            }
        }
        for code in [408, 500, 502, 503, 504] {
            world.strike(status(code, None), command.spec.call);
            match world.apply(&command, &before).await {
                Err(ApplyFault::Unclear(answer)) => assert_eq!(answer.status, Some(code)),
                other => panic!("{} {code}: {other:?}", case.name),
            }
        }
        for code in [302, 405] {
            world.strike(status(code, None), command.spec.call);
            match world.apply(&command, &before).await {
                Err(ApplyFault::NotApplied(Fault::Misconfigured { reason })) => {
                    assert!(reason.contains("`upstream.url`"), "{reason}");
                }
                other => panic!("{} {code}: {other:?}", case.name),
            }
        }
        world.strike(FaultKind::HtmlError, command.spec.call);
        let page = world.apply(&command, &before).await;
        assert!(matches!(page, Err(ApplyFault::Unclear(_))), "{}: {page:?}", case.name);
        assert_eq!(world.effects(command.spec.call), effects, "{}", case.name);
    }
}

#[tokio::test]
async fn refused_credentials_name_the_setting_and_a_users_are_renewed_once() {
    let world = world().await;
    for case in CASES {
        let ids = bring(&world, case.stage).await;
        let command = command(case.name, (case.params)(&ids));
        let before = world.look(&command).await.unwrap();
        for code in [401, 403] {
            let asked = world.asked(command.spec.call);
            let (method, path) = command.spec.call.split_once(' ').unwrap();
            let path = path.split("/{").next().unwrap();
            let fault = talon_simulators::contractor::Fault::from(status(code, None));
            world.sim.fault(fault.at(path).method(method));
            let refused = world.apply(&command, &before).await;
            world.sim.faults().clear();
            let Err(ApplyFault::NotApplied(Fault::Misconfigured { reason })) = refused else {
                panic!("{} {code}: {refused:?}", case.name);
            };
            let asked = world.asked(command.spec.call) - asked;
            if case.name == "CompleteSharedCall" {
                continue;
            }
            match reason.contains("`auth.user.password`") {
                true => assert_eq!(asked, 2, "{}", case.name),
                false => {
                    assert!(reason.contains("`auth.external.token`"), "{reason}");
                    assert_eq!(asked, 1, "{}", case.name);
                }
            }
        }
        // One refusal is made good by another token.
        world.sim.expire_tokens(talon_simulators::contractor::Scheme::User);
        world.apply(&command, &before).await.unwrap();
    }
}

#[tokio::test]
async fn without_a_connection_nothing_is_sent() {
    let world = world().await;
    let mut commands = Vec::new();
    for case in CASES {
        let ids = bring(&world, case.stage).await;
        let command = command(case.name, (case.params)(&ids));
        let before = world.look(&command).await.unwrap();
        commands.push((command, before));
    }
    world.sim.pause_listening().await;
    for (command, before) in &commands {
        let fault = world.apply(command, before).await;
        let unavailable = matches!(fault, Err(ApplyFault::NotApplied(Fault::Unavailable { .. })));
        // A connection that was open may be noticed to be closed only when it is used.
        let unclear = matches!(fault, Err(ApplyFault::Unclear(_)));
        assert!(unavailable || unclear, "{}: {fault:?}", command.spec.name);
    }
    let (command, before) = &commands[0];
    let fault = world.apply(command, before).await;
    assert!(matches!(fault, Err(ApplyFault::NotApplied(Fault::Unavailable { .. }))), "{fault:?}");
}

#[tokio::test]
async fn the_simulators_own_refusals_are_told_with_the_codes_of_the_document() {
    let mut settings = simulator_settings();
    settings.unknown_clients.push("Никто кенар".to_owned());
    settings.unknown_objects.push("Нигде кенар".to_owned());
    let world = world_with(settings, WITH_USER).await;
    let ids = bring(&world, Stage::Committed).await;
    let estimated = bring(&world, Stage::Estimated).await;
    let with = |key: &str, value: serde_json::Value| {
        let mut call = new_call();
        call[key] = value;
        call
    };
    for (name, params, status, words) in [
        ("CreateCall", with("client_name", json!("Никто кенар")), 404, "the client was not found"),
        (
            "CreateCall",
            with("service_object_name", json!("Нигде кенар")),
            404,
            "the service object was not found",
        ),
        ("CreateCall", with("owner_id", json!(99)), 404, "the user was not found"),
        (
            "SetCallStatus",
            json!({"call_id": ids.call, "status": "Done", "comments": " "}),
            400,
            "the comment is empty",
        ),
        (
            "SetCallStatus",
            json!({"call_id": ids.call, "status": "New"}),
            409,
            "the status of the call cannot be changed to this one",
        ),
        ("SetCallStatus", json!({"call_id": 1, "status": "Done"}), 404, "there is no such call"),
        (
            "CloseCall",
            json!({"call_id": ids.call}),
            409,
            "the status of the call cannot be changed",
        ),
        (
            "AnswerJeopardy",
            json!({"call_id": ids.call, "answer_comment": "x"}),
            409,
            "the jeopardy mark cannot be removed",
        ),
        (
            "AddExpense",
            json!({"call_id": ids.call, "expenditure_item_id": ids.item, "count": 1}),
            404,
            "the call has no cost estimate",
        ),
        (
            "AddExpense",
            json!({"call_id": estimated.call, "expenditure_item_id": 1, "count": 1}),
            404,
            "there is no such expenditure item",
        ),
        (
            "DeleteMaterial",
            json!({"call_id": estimated.call, "material_id": 1}),
            404,
            "there is no such material",
        ),
        (
            "PatchExpense",
            json!({"call_id": estimated.call, "expense_id": 1, "count": 1}),
            404,
            "there is no such expense",
        ),
        (
            "ChangeCostApproval",
            json!({"call_id": estimated.call, "expenses": {"1": "Approved"}}),
            409,
            "the approval status cannot be changed",
        ),
        (
            "AddTaskAttachment",
            json!({"task_id": ids.task, "name": "a.pdf", "content": "QQ=="}),
            409,
            "the call must be Committed or Done, and the task Done",
        ),
        ("ReadNotification", json!({"notification_id": 1}), 404, "there is no such notification"),
        (
            "RegisterUser",
            json!({"user_name": "petrova", "password": "12345"}),
            409,
            "a user of this name exists",
        ),
        ("LockUser", json!({"user_id": 99}), 404, "there is no such user"),
    ] {
        match world.send(&command(name, params)).await {
            Err(ApplyFault::Refused(answer)) => {
                assert_eq!(
                    (answer.status, answer.message.as_str()),
                    (Some(status), words),
                    "{name}"
                );
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn parameters_that_make_no_request_are_refused_before_anything_is_sent() {
    let world = world().await;
    let requests = world.sim.journal().requests();
    for (name, params) in [
        ("PatchCall", json!({"call_id": 1})),
        ("PatchExpense", json!({"call_id": 1, "expense_id": 2})),
        ("PatchMaterial", json!({"call_id": 1, "material_id": 2})),
        ("ChangeCostApproval", json!({"call_id": 1})),
        ("ChangeCostApproval", json!({"call_id": 1, "expenses": {"кенар": "New"}})),
        ("ChangeCostApproval", json!({"call_id": 1, "materials": {"007": "New"}})),
        ("AddTaskAttachment", json!({"task_id": 1, "name": "a"})),
        ("AddTaskAttachment", json!({"task_id": 1, "name": "a/b", "content": "QQ=="})),
    ] {
        let refused = world.apply(&command(name, params), &talon_sdk::Evidence::default()).await;
        assert!(matches!(refused, Err(ApplyFault::Refused(_))), "{name}: {refused:?}");
    }
    assert_eq!(world.sim.journal().requests(), requests);
    // For the check of the log at the end.
    bring(&world, Stage::New).await;
}
