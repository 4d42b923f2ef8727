use serde_json::{Value, json};

use crate::client::{Outcome, empty, expect_empty};
use reqwest::Method;

#[tokio::test]
async fn every_write_with_an_effect_is_in_the_journal_once() -> Outcome {
    let world = empty().await?;
    let (call, _) = world.call().await?;
    let path = format!("/call/{call}/dispatcher/message");
    let body = json!({ "date": "2026-01-12T10:00:00Z", "message": "ждём" });
    let request =
        world.external(Method::POST, &path).header("x-request-id", "команда-1".as_bytes());
    request.json(&body).send().await?.error_for_status()?;
    let refused = world.external_post(&format!("/call/{call}/close"), json!({})).await?;
    expect_empty(refused, 409).await?;

    let journal = world.sim.journal();
    let effects = journal.effects();
    let endpoints: Vec<_> = effects.iter().map(|effect| effect.endpoint.as_str()).collect();
    assert_eq!(
        endpoints,
        ["POST /user/signin", "POST /call", "POST /call/{id}/dispatcher/message"]
    );
    let message = &effects[2];
    assert_eq!((message.sequence, &message.path, &message.body), (3, &path, &body));
    assert_eq!(journal.count("POST /call/{id}/close"), 1);
    assert_eq!(world.get("/call/messages/modifications/0").await?[0]["id"], message.entity);
    Ok(())
}

#[tokio::test]
async fn the_journal_knows_the_request_id_and_no_passwords() -> Outcome {
    let world = empty().await?;
    let body = json!({ "userName": "новый", "password": "тайна" });
    let request = world.external(Method::POST, "/user/register").header("x-request-id", "r-1");
    request.json(&body).send().await?.error_for_status()?;
    let effects = world.sim.journal().effects_of("POST /user/register");
    assert_eq!(effects[0].request_id.as_deref(), Some("r-1"));
    assert_eq!(effects[0].body, json!({ "userName": "новый", "password": "***" }));
    let sign_in = &world.sim.journal().effects_of("POST /user/signin")[0].body;
    assert_eq!(sign_in["hashedPassword"], Value::from("***"));
    Ok(())
}

#[tokio::test]
async fn what_changes_nothing_has_no_effect() -> Outcome {
    let world = empty().await?;
    for _ in 0..2 {
        world.external_post("/user/3/lock", json!({})).await?.error_for_status()?;
        world.user_post("/notification/readAll", json!({})).await?.error_for_status()?;
    }
    let journal = world.sim.journal();
    assert_eq!(journal.effects_of("POST /user/{id}/lock").len(), 1);
    assert!(journal.effects_of("POST /notification/readAll").is_empty());
    assert_eq!(journal.count("POST /notification/readAll"), 2);
    Ok(())
}
