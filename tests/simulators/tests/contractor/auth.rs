use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use talon_simulators::contractor::{Scheme, Settings};

use crate::client::{
    Outcome, World, credentials, empty, expect, expect_empty, expect_error, json_of, sign_in, world,
};

const SALT: &[u8] = b"another salt of 22 by.";

async fn attempt(
    world: &World,
    user: &str,
    password: &str,
    salt: &[u8],
) -> anyhow::Result<reqwest::Response> {
    let request = world.open(Method::POST, "/user/signin");
    Ok(request.json(&credentials(user, password, salt)).send().await?)
}

#[tokio::test]
async fn the_user_of_the_test_vector_signs_in_with_its_hash() -> Outcome {
    let world = empty().await?;
    let body = json!({ "userName": "вектор", "password": "pässword-Ж1" });
    expect(world.external_post("/user/register", body).await?, 200).await?;
    let body = json!({
        "userName": "вектор",
        "hashedPassword": "bXQK6Nnrx1aaHK56ZhW50hksSmZ/aBRiR0Vf0ZhG2W8=",
        "salt": "AAECAwQFBgcICQoLDA0ODw==",
    });
    let answer = world.open(Method::POST, "/user/signin").json(&body).send().await?;
    let tokens = json_of(answer).await?;
    assert_eq!(tokens["access"]["expiresIn"], json!(30 * 60 * 1000));
    assert!(tokens["service"]["expiresIn"].is_null());
    Ok(())
}

#[tokio::test]
async fn a_salt_works_once() -> Outcome {
    let world = empty().await?;
    expect(attempt(&world, "ivanov", "ivanov-пароль", SALT).await?, 200).await?;
    let again = attempt(&world, "ivanov", "ivanov-пароль", SALT).await?;
    expect_error(again, 401, 2).await
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_look_the_same() -> Outcome {
    let world = empty().await?;
    expect_error(attempt(&world, "ivanov", "не тот", SALT).await?, 401, 1).await?;
    expect_error(attempt(&world, "nobody", "не тот", SALT).await?, 401, 1).await
}

#[tokio::test]
async fn a_locked_user_can_neither_sign_in_nor_use_tokens() -> Outcome {
    let world = empty().await?;
    expect(world.user(Method::GET, "/user/self").send().await?, 200).await?;
    world.external_post("/user/1/lock", json!({})).await?.error_for_status()?;
    expect_empty(world.user(Method::GET, "/user/self").send().await?, 401).await?;
    expect_error(attempt(&world, "ivanov", "ivanov-пароль", SALT).await?, 401, 5).await
}

#[tokio::test]
async fn a_salt_has_16_to_32_characters_of_base64() -> Outcome {
    let world = empty().await?;
    for salt in [&[1; 9][..], &[1; 25][..]] {
        expect_error(attempt(&world, "ivanov", "ivanov-пароль", salt).await?, 400, 0).await?;
    }
    let body = json!({ "userName": "ivanov", "hashedPassword": "*", "salt": "нет" });
    let answer = world.open(Method::POST, "/user/signin").json(&body).send().await?;
    expect_error(answer, 400, 0).await
}

#[tokio::test]
async fn an_access_token_expires_and_the_service_token_renews_it() -> Outcome {
    let world = empty().await?;
    world.sim.advance(Duration::from_secs(30 * 60 - 60));
    expect(world.user(Method::GET, "/user/self").send().await?, 200).await?;
    world.sim.advance(Duration::from_secs(61));
    expect_empty(world.user(Method::GET, "/user/self").send().await?, 401).await?;

    let renewal = world.open(Method::POST, "/user/token").header("Authorization", &world.service);
    let tokens = json_of(renewal.send().await?).await?;
    let access = tokens["access"]["token"].as_str().unwrap_or_default();
    let own = world.open(Method::GET, "/user/self").header("Authorization", access);
    assert_eq!(json_of(own.send().await?).await?, json!({ "id": 1, "name": "ivanov" }));
    Ok(())
}

#[tokio::test]
async fn a_service_token_can_be_made_to_work_once_only() -> Outcome {
    let settings = Settings { calls: 0, service_token_once: true, ..Settings::default() };
    let world = world(settings).await?;
    let renew = || world.open(Method::POST, "/user/token").header("Authorization", &world.service);
    expect(renew().send().await?, 200).await?;
    expect_empty(renew().send().await?, 401).await
}

#[tokio::test]
async fn a_credential_of_another_scheme_is_forbidden_and_none_is_unauthorized() -> Outcome {
    let world = empty().await?;
    let of_external = "/call/modifications/0";
    expect_empty(world.open(Method::GET, of_external).send().await?, 401).await?;
    expect_empty(world.user(Method::GET, of_external).send().await?, 403).await?;
    expect_empty(world.external(Method::GET, "/user/self").send().await?, 403).await?;
    expect_empty(world.user(Method::POST, "/user/token").send().await?, 403).await
}

#[tokio::test]
async fn header_and_prefixes_of_the_schemes_are_settings() -> Outcome {
    let world = world(Settings {
        calls: 0,
        external_header: "X-External".to_owned(),
        external_prefix: "Key ".to_owned(),
        user_prefix: "x-user ".to_owned(),
        ..Settings::default()
    })
    .await?;
    let external =
        world.open(Method::GET, "/calltask").header("x-external", "Key external-system-token");
    expect(external.send().await?, 200).await?;
    expect_empty(world.external(Method::GET, "/calltask").send().await?, 401).await?;
    let prefixed = format!("x-user {}", world.access);
    let user = world.open(Method::GET, "/user/self").header("Authorization", prefixed);
    expect(user.send().await?, 200).await?;
    expect_empty(world.user(Method::GET, "/user/self").send().await?, 401).await
}

#[tokio::test]
async fn tokens_can_be_expired_by_force() -> Outcome {
    let world = empty().await?;
    world.sim.expire_tokens(Scheme::User);
    expect_empty(world.user(Method::GET, "/user/self").send().await?, 401).await?;
    let (access, _) = sign_in(&world.sim, &world.http, "ivanov", SALT).await?;
    let own = world.open(Method::GET, "/user/self").header("Authorization", access);
    expect(own.send().await?, 200).await.map(drop)
}

/// Every endpoint of the document, with an id where it has one.
const EXTERNAL: [&str; 18] = [
    "POST /call",
    "GET /call/jeopardies/modifications/0",
    "GET /call/messages/modifications/0",
    "GET /call/modifications/0",
    "GET /call/1",
    "PATCH /call/1",
    "POST /call/1/close",
    "POST /call/1/dispatcher/message",
    "POST /call/1/unjeopardy",
    "GET /callCost/call/1",
    "PATCH /callCost/call/1/changeApprovalStatus",
    "GET /calltask",
    "GET /calltask/1",
    "GET /calltask/1/attachment/1",
    "PATCH /systemSettings",
    "POST /user/register",
    "POST /user/1/changePassword",
    "POST /user/1/lock",
];
const USER: [&str; 19] = [
    "POST /call/1/templink",
    "POST /call/1/jeopardy",
    "POST /call/1/message",
    "POST /call/1/status",
    "POST /callCost/call/1",
    "POST /callCost/call/1/expense",
    "DELETE /callCost/call/1/expense/1",
    "PATCH /callCost/call/1/expense/1",
    "POST /callCost/call/1/material",
    "DELETE /callCost/call/1/material/1",
    "PATCH /callCost/call/1/material/1",
    "POST /callCost/status/call/1",
    "POST /calltask/1/attachment",
    "GET /calltask/1/attachment/1/download",
    "GET /calltask/1/result",
    "POST /calltask/1/status",
    "POST /notification/readAll",
    "POST /notification/1/read",
    "GET /user/self",
];

#[tokio::test]
async fn every_endpoint_of_the_document_asks_for_its_scheme() -> Outcome {
    let world = empty().await?;
    let ask = |endpoint: &'static str, token: String| {
        let (method, path) = endpoint.split_once(' ').unwrap_or(("GET", endpoint));
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        world.open(method, path).header("Authorization", token).send()
    };
    let external = || "external-system-token".to_owned();
    for endpoint in EXTERNAL {
        expect_empty(ask(endpoint, String::new()).await?, 401).await?;
        expect_empty(ask(endpoint, world.access.clone()).await?, 403).await?;
        expect_empty(ask(endpoint, world.service.clone()).await?, 403).await?;
    }
    for endpoint in USER {
        expect_empty(ask(endpoint, String::new()).await?, 401).await?;
        expect_empty(ask(endpoint, external()).await?, 403).await?;
        expect_empty(ask(endpoint, world.service.clone()).await?, 403).await?;
    }
    expect_empty(ask("POST /user/token", external()).await?, 403).await?;
    let open = ["POST /user/signin", "GET /shared/call", "POST /shared/call/done"];
    for endpoint in open {
        expect_error(ask(endpoint, String::new()).await?, 400, 0).await?;
    }
    expect_error(ask("GET /shared/callTask/1/attachment/1/download", String::new()).await?, 403, 0)
        .await?;
    expect_error(ask("GET /shared/callTask/1/result", String::new()).await?, 404, 1).await
}
