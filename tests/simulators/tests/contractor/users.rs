use reqwest::Method;
use serde_json::json;

use crate::client::{
    Outcome, credentials, empty, expect, expect_empty, expect_error, expect_plain, json_of, sign_in,
};

#[tokio::test]
async fn a_name_is_registered_once_and_a_password_has_5_characters() -> Outcome {
    let world = empty().await?;
    let register = |password: &str| json!({ "userName": "новый", "password": password });
    expect(world.external_post("/user/register", register("1234")).await?, 400).await?;
    let made = json_of(world.external_post("/user/register", register("12345")).await?).await?;
    assert_eq!(made, json!({ "id": 6 }));
    expect_empty(world.external_post("/user/register", register("12345")).await?, 409).await
}

#[tokio::test]
async fn a_changed_password_works_at_the_next_sign_in() -> Outcome {
    let world = empty().await?;
    let path = "/user/2/changePassword";
    expect_empty(world.external_post(path, json!({ "newPassword": "1234" })).await?, 400).await?;
    let body = json!({ "newPassword": "другой" });
    expect_empty(world.external_post("/user/77/changePassword", body.clone()).await?, 404).await?;
    expect_empty(world.external_post(path, body.clone()).await?, 204).await?;
    let attempt = |password: &str, salt: &[u8]| {
        let request = world.open(Method::POST, "/user/signin");
        request.json(&credentials("petrova", password, salt)).send()
    };
    expect_error(attempt("petrova-пароль", b"salt number one").await?, 401, 1).await?;
    expect(attempt("другой", b"salt number two").await?, 200).await?;
    expect_plain(&world.external_post("/user/2/lock", json!({})).await?)?;
    expect_empty(world.external_post(path, body).await?, 401).await?;
    expect_error(world.external_post("/user/77/lock", json!({})).await?, 404, 1).await
}

#[tokio::test]
async fn notifications_are_read_by_their_user() -> Outcome {
    let world = empty().await?;
    for _ in 0..3 {
        world.call().await?;
    }
    let read = |id: i64| world.user(Method::POST, &format!("/notification/{id}/read")).send();
    assert_eq!(json_of(read(1001).await?).await?, json!(1001));
    expect_error(read(7).await?, 404, 1).await?;
    let (other, _) = sign_in(&world.sim, &world.http, "petrova", b"salt of petrova").await?;
    let strange = world.open(Method::POST, "/notification/1002/read");
    expect_error(strange.header("Authorization", other).send().await?, 403, 0).await?;
    let all = || world.user(Method::POST, "/notification/readAll").send();
    assert_eq!(json_of(all().await?).await?, json!(2));
    assert_eq!(json_of(all().await?).await?, json!(0));
    Ok(())
}
