//! Signing in, and staying signed in.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use talon_sdk::{ApplyFault, Evidence, Fault, Finding, Permit};
use talon_simulators::contractor::{FaultKind, Scheme};

use crate::cases::{Stage, bring};
use crate::world::{
    PASSWORD, USER, WITH_USER, World, command, new_call, simulator_settings, world, world_with,
};

const SIGN_IN: &str = "POST /user/signin";
const RENEW: &str = "POST /user/token";

async fn read_all(world: &World) -> Result<(), ApplyFault> {
    world.send(&command("ReadAllNotifications", json!({}))).await.map(drop)
}

fn counts(world: &World) -> (u64, u64) {
    (world.sim.journal().count(SIGN_IN), world.sim.journal().count(RENEW))
}

fn misconfigured(result: Result<(), ApplyFault>) -> String {
    match result {
        Err(ApplyFault::NotApplied(Fault::Misconfigured { reason })) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn many_commands_at_once_sign_in_once() {
    let world = world().await;
    let commands = (0..20).map(|_| async { read_all(&world).await.unwrap() });
    futures_util::future::join_all(commands).await;
    assert_eq!(counts(&world), (1, 0));
    // All are refused at once, and one of them renews.
    world.sim.expire_tokens(Scheme::User);
    let commands = (0..20).map(|_| async { read_all(&world).await.unwrap() });
    futures_util::future::join_all(commands).await;
    assert_eq!(counts(&world), (1, 1));
}

#[tokio::test]
async fn every_sign_in_has_a_salt_of_its_own() {
    let world = world().await;
    for _ in 0..30 {
        read_all(&world).await.unwrap();
        world.sim.expire_tokens(Scheme::User);
        world.sim.expire_tokens(Scheme::Service);
    }
    assert_eq!(counts(&world).0, 30);
    let salts: BTreeSet<String> =
        world.effects_of(SIGN_IN).iter().map(|effect| effect.body["salt"].to_string()).collect();
    assert_eq!(salts.len(), 30);
    assert!(salts.iter().all(|salt| salt.len() == 24 + 2));
}

#[tokio::test]
async fn a_sign_in_whose_reply_was_lost_is_tried_again_with_another_salt() {
    let world = world().await;
    world.strike(FaultKind::LostReply, SIGN_IN);
    let lost = read_all(&world).await;
    assert!(matches!(lost, Err(ApplyFault::NotApplied(Fault::Unavailable { .. }))), "{lost:?}");
    read_all(&world).await.unwrap();
    assert_eq!(world.effects(SIGN_IN), 2);
}

#[tokio::test]
async fn a_salt_that_was_used_before_is_replaced_at_once() {
    let world = world().await;
    let body = Some(json!({"errorCode": 2}).to_string());
    world.strike(FaultKind::Status { code: 401, retry_after_seconds: None, body }, SIGN_IN);
    read_all(&world).await.unwrap();
    assert_eq!(counts(&world), (2, 0));
}

#[tokio::test]
async fn a_token_is_renewed_by_the_service_token_before_its_end() {
    let mut settings = simulator_settings();
    // A tenth of its life before its end: at once.
    settings.access_lifetime_ms = Some(1);
    settings.service_token_once = true;
    let world = world_with(settings, WITH_USER).await;
    read_all(&world).await.unwrap_or_default();
    world.sim.change_settings(&json!({"access_lifetime_ms": 3_600_000})).unwrap();
    read_all(&world).await.unwrap();
    read_all(&world).await.unwrap();
    let (sign_ins, renewals) = counts(&world);
    assert!(sign_ins == 1 && renewals >= 1, "{sign_ins} {renewals}");
    // A spent service token, or a lost reply to it, means a new sign-in.
    world.sim.expire_tokens(Scheme::User);
    world.strike(FaultKind::LostReply, RENEW);
    let lost = read_all(&world).await;
    assert!(matches!(lost, Err(ApplyFault::NotApplied(_))), "{lost:?}");
    read_all(&world).await.unwrap();
    assert_eq!(counts(&world).0, sign_ins + 1);
}

#[tokio::test]
async fn a_token_without_an_end_is_not_renewed() {
    let mut settings = simulator_settings();
    settings.access_lifetime_ms = None;
    let world = world_with(settings, WITH_USER).await;
    read_all(&world).await.unwrap();
    world.sim.advance(Duration::from_secs(10 * 365 * 24 * 3600));
    read_all(&world).await.unwrap();
    assert_eq!(counts(&world), (1, 0));
}

#[tokio::test]
async fn a_service_token_that_ended_means_a_new_sign_in() {
    let world = world().await;
    read_all(&world).await.unwrap();
    world.sim.expire_tokens(Scheme::User);
    world.sim.expire_tokens(Scheme::Service);
    read_all(&world).await.unwrap();
    assert_eq!(counts(&world), (2, 1));
}

#[tokio::test]
async fn a_wrong_password_names_its_setting_and_is_not_tried_again_at_once() {
    let world = world().await;
    let wrong =
        world.reconfigured(&[("auth.user.name", USER), ("auth.user.password", "falsch-кенар")]);
    for _ in 0..5 {
        let reason = misconfigured(read_all(&wrong).await);
        assert!(reason.contains("`auth.user.password`"), "{reason}");
    }
    assert_eq!(counts(&world), (1, 0));
}

#[tokio::test]
async fn a_locked_user_is_said_to_be_locked() {
    let world = world().await;
    read_all(&world).await.unwrap();
    world.run("LockUser", json!({"user_id": 1})).await;
    let reason = misconfigured(read_all(&world).await);
    assert!(reason.contains("the user of `auth.user.name` is locked"), "{reason}");
}

#[tokio::test]
async fn a_command_may_name_another_user() {
    let named = [
        ("auth.user.name", USER),
        ("auth.user.password", PASSWORD),
        ("auth.user.second.name", "petrova"),
        ("auth.user.second.password", "petrova-пароль"),
        ("commands.templink.publish", "true"),
    ];
    let world = world_with(simulator_settings(), &named).await;
    let ids = bring(&world, Stage::Committed).await;
    let mut message = command("SendMessage", json!({"call_id": ids.call, "message": "x"}));
    message.user = Some("second".to_owned());
    let before = world.look(&message).await.unwrap();
    // The call is not hers: 403, also after renewal.
    let reason = misconfigured(world.apply(&message, &before).await.map(drop));
    assert!(reason.contains("`auth.user.second.password`"), "{reason}");
    let mut all = command("ReadAllNotifications", json!({}));
    all.user = Some("second".to_owned());
    world.send(&all).await.unwrap();
    assert_eq!(counts(&world).0, 2);

    // Her own call is; and her message is told from one like it of the other user.
    let mut call = new_call();
    call["owner_id"] = json!(2);
    let call = world.run("CreateCall", call).await["id"].clone();
    let mut message = command("SendMessage", json!({"call_id": call, "message": "x"}));
    message.user = Some("second".to_owned());
    let before = world.look(&message).await.unwrap();
    world.run("SendMessage", json!({"call_id": ids.call, "message": "x"})).await;
    assert_eq!(world.probe(&message, &before).await.unwrap(), Finding::Absent);
    world.strike(FaultKind::LostReply, message.spec.call);
    world.apply(&message, &before).await.unwrap_err();
    assert!(matches!(world.probe(&message, &before).await, Ok(Finding::Applied(_))));

    for (name, params, user) in [
        ("ReadAllNotifications", json!({}), "третий-кенар"),
        ("CloseCall", json!({"call_id": ids.call}), "second"),
    ] {
        let mut foreign = command(name, params);
        foreign.user = Some(user.to_owned());
        let refused = world.send(&foreign).await;
        assert!(matches!(refused, Err(ApplyFault::Refused(_))), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn prefixes_stand_before_both_tokens() {
    let mut settings = simulator_settings();
    settings.user_prefix = "x-user ".to_owned();
    settings.service_prefix = "x-user-service ".to_owned();
    let prefixes = [("auth.user.prefix", "x-user"), ("auth.service.prefix", "x-user-service")];
    let world = world_with(settings, &[WITH_USER, &prefixes].concat()).await;
    read_all(&world).await.unwrap();
    world.sim.expire_tokens(Scheme::User);
    read_all(&world).await.unwrap();
    assert_eq!(counts(&world), (1, 1));
}

#[tokio::test]
async fn a_permit_that_ends_during_the_sign_in_keeps_the_command_back() {
    let world = world().await;
    let journal = world.sim.journal();
    let permit = Permit::new(move || journal.count(SIGN_IN) == 0);
    let read = command("ReadAllNotifications", json!({}));
    let unsent = world.applier.apply(&read, &Evidence::default(), &permit).await.unwrap_err();
    let ApplyFault::NotApplied(fault) = unsent else { panic!("{unsent:?}") };
    assert_eq!(fault.kind(), "unavailable");
    assert_eq!(counts(&world), (1, 0), "it got as far as that");
    assert_eq!(world.asked("POST /notification/readAll"), 0);
    read_all(&world).await.unwrap();
    assert_eq!(world.asked("POST /notification/readAll"), 1);
}

#[tokio::test]
async fn a_permit_that_ends_while_a_refused_token_is_renewed_keeps_the_command_back() {
    let world = world().await;
    read_all(&world).await.unwrap();
    world.sim.expire_tokens(Scheme::User);
    let journal = world.sim.journal();
    let permit = Permit::new(move || journal.count(RENEW) == 0);
    let read = command("ReadAllNotifications", json!({}));
    let unsent = world.applier.apply(&read, &Evidence::default(), &permit).await.unwrap_err();
    assert!(matches!(unsent, ApplyFault::NotApplied(_)), "{unsent:?}");
    assert_eq!(counts(&world), (1, 1));
    // The one before, and the one whose token was refused.
    assert_eq!(world.asked("POST /notification/readAll"), 2);
}
