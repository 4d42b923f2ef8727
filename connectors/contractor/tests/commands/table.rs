//! All commands, one after another: done once, also when the reply or the request is lost.

use std::collections::BTreeSet;

use talon_contractor::Contractor;
use talon_sdk::{ApplyFault, Class, Finding, Repeat};
use talon_simulators::contractor::FaultKind;

use crate::cases::{CASES, bring};
use crate::world::{command, spec, world};

/// Those whose effect no one can read.
const BLIND: &[&str] = &["CreateTempLink", "RegisterUser"];

#[test]
fn there_is_a_case_a_record_and_a_kind_for_every_command() {
    let commands = Contractor.commands().unwrap();
    let specs: BTreeSet<&str> = commands.specs.iter().map(|spec| spec.name).collect();
    let cases: BTreeSet<&str> = CASES.iter().map(|case| case.name).collect();
    let records: BTreeSet<&str> =
        (commands.contract)().all().iter().map(|params| params.name()).collect();
    assert_eq!(specs.len(), commands.specs.len());
    assert_eq!((&specs, &specs), (&cases, &records));
    for params in (commands.contract)().all() {
        assert!(!params.doc().is_empty(), "{}", params.name());
        if let talon_sdk::OrderingKey::Params(names) = spec(params.name()).key {
            let known: Vec<&str> = params.list().iter().map(|param| param.name).collect();
            assert!(names.iter().all(|name| known.contains(name)), "{}", params.name());
        }
    }
}

#[tokio::test]
async fn every_command_is_done_exactly_once() {
    let world = world().await;
    for case in CASES {
        let ids = bring(&world, case.stage).await;
        let (command, endpoint) = (command(case.name, (case.params)(&ids)), spec(case.name).call);
        let effects = world.effects(endpoint);
        let before = world.look(&command).await.unwrap();
        let always = command.spec.repeat == Repeat::Always;
        assert_eq!(before.0.is_empty(), always || BLIND.contains(&case.name), "{}", case.name);
        let answer = world.apply(&command, &before).await.unwrap();
        assert!(matches!(answer.status, Some(200 | 204)), "{}: {answer:?}", case.name);
        assert_eq!(answer.message, "done", "{}", case.name);
        assert_eq!(world.effects(endpoint), effects + 1, "{}", case.name);
        // What was done is found also where nobody doubts it.
        if !always && !BLIND.contains(&case.name) {
            let finding = world.probe(&command, &before).await.unwrap();
            assert!(matches!(finding, Finding::Applied(_)), "{}: {finding:?}", case.name);
        }
    }
}

#[tokio::test]
async fn a_command_whose_reply_was_lost_is_found_to_be_done() {
    for lost in [FaultKind::LostReply, FaultKind::Cut { chunked: false }] {
        let world = world().await;
        for case in CASES {
            let ids = bring(&world, case.stage).await;
            let command = command(case.name, (case.params)(&ids));
            let endpoint = command.spec.call;
            let effects = world.effects(endpoint);
            let before = world.look(&command).await.unwrap();
            world.strike(lost.clone(), endpoint);
            let unclear = match world.apply(&command, &before).await {
                Err(unclear) => unclear,
                // Without a body there is nothing to cut.
                Ok(answer) => {
                    assert_ne!(lost, FaultKind::LostReply, "{}", case.name);
                    assert_eq!((answer.response, world.effects(endpoint)), (None, effects + 1));
                    continue;
                }
            };
            world.sim.faults().clear();
            assert!(matches!(unclear, ApplyFault::Unclear(_)), "{}: {unclear:?}", case.name);
            assert_eq!(world.effects(endpoint), effects + 1, "{}", case.name);
            if command.spec.repeat == Repeat::Always {
                // What is so already may count as no effect; more than one more would be wrong.
                world.apply(&command, &before).await.unwrap();
                continue;
            }
            let finding = world.probe(&command, &before).await.unwrap();
            let expected = match BLIND.contains(&case.name) {
                true => matches!(finding, Finding::Unclear(_)),
                false => matches!(finding, Finding::Applied(_)),
            };
            assert!(expected, "{}: {finding:?}", case.name);
            assert_eq!(world.effects(endpoint), effects + 1, "{}", case.name);
        }
    }
}

#[tokio::test]
async fn a_command_whose_request_was_lost_is_found_to_be_absent_and_done_when_sent_again() {
    let world = world().await;
    for case in CASES {
        let ids = bring(&world, case.stage).await;
        let command = command(case.name, (case.params)(&ids));
        let endpoint = command.spec.call;
        let effects = world.effects(endpoint);
        let before = world.look(&command).await.unwrap();
        world.strike(FaultKind::LostRequest, endpoint);
        let unclear = world.apply(&command, &before).await.unwrap_err();
        world.sim.faults().clear();
        assert!(matches!(unclear, ApplyFault::Unclear(_)), "{}: {unclear:?}", case.name);
        if BLIND.contains(&case.name) {
            let finding = world.probe(&command, &before).await.unwrap();
            assert!(matches!(finding, Finding::Unclear(_)), "{}: {finding:?}", case.name);
            continue;
        }
        if command.spec.repeat != Repeat::Always {
            let finding = world.probe(&command, &before).await.unwrap();
            assert_eq!(finding, Finding::Absent, "{}", case.name);
        }
        assert_eq!(world.effects(endpoint), effects, "{}", case.name);
        world.apply(&command, &before).await.unwrap();
        assert_eq!(world.effects(endpoint), effects + 1, "{}", case.name);
    }
}

#[tokio::test]
async fn without_the_external_systems_credentials_a_users_command_ends_unclear_and_says_why() {
    let world = world().await;
    let alone =
        world.reconfigured(&[crate::world::WITH_USER, &[("auth.external.token", "")]].concat());
    for name in [
        "SetCallStatus",
        "SendMessage",
        "RaiseJeopardy",
        "CreateCost",
        "AddExpense",
        "PatchExpense",
        "DeleteExpense",
        "AddMaterial",
        "PatchMaterial",
        "DeleteMaterial",
        "SubmitCost",
        "SetTaskStatus",
    ] {
        let case = crate::cases::case_of(name);
        let ids = bring(&world, case.stage).await;
        let command = command(name, (case.params)(&ids));
        let before = alone.look(&command).await.unwrap();
        assert_eq!(before.0, "", "{name}");
        alone.apply(&command, &before).await.unwrap();
        match alone.probe(&command, &before).await.unwrap() {
            Finding::Unclear(why) => assert!(why.contains("`auth.external.token`"), "{why}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    // A file can be read back by the user as well.
    let case = crate::cases::case_of("AddTaskAttachment");
    let ids = bring(&world, case.stage).await;
    let command = command(case.name, (case.params)(&ids));
    let before = alone.look(&command).await.unwrap();
    assert_eq!(alone.probe(&command, &before).await.unwrap(), Finding::Absent);
    alone.apply(&command, &before).await.unwrap();
    assert!(matches!(alone.probe(&command, &before).await.unwrap(), Finding::Applied(_)));
}
