use reqwest::Method;
use serde_json::{Value, json};
use talon_simulators::contractor::Settings;

use crate::client::{
    Outcome, empty, expect, expect_empty, expect_error, json_of, new_call, sign_in, world,
};

#[tokio::test]
async fn a_call_goes_from_new_to_committed_to_done_to_closed_and_no_other_way() -> Outcome {
    let world = empty().await?;
    let (call, _) = world.call().await?;
    let status = format!("/call/{call}/status");
    let close = format!("/call/{call}/close");
    let refused =
        |body: Value| async { expect_empty(world.user_post(&status, body).await?, 409).await };

    refused(json!({ "status": "Done", "comments": "рано" })).await?;
    expect_empty(world.external_post(&close, json!({})).await?, 409).await?;
    let answer = json_of(world.user_post(&status, json!({ "status": "Committed" })).await?).await?;
    assert!(answer["commited"].is_string() && answer["finished"].is_null());
    refused(json!({ "status": "Committed" })).await?;

    let done = |comments: &str| json!({ "status": "Done", "comments": comments });
    expect_empty(world.user_post(&status, json!({ "status": "Done" })).await?, 400).await?;
    expect_empty(world.user_post(&status, done(" ")).await?, 400).await?;
    let answer = json_of(world.user_post(&status, done("готово")).await?).await?;
    assert!(answer["finished"].is_string());
    refused(json!({ "status": "Closed" })).await?;

    expect_empty(world.external_post(&close, json!({})).await?, 204).await?;
    expect_empty(world.external_post(&close, json!({})).await?, 409).await?;
    let read = world.get(&format!("/call/{call}")).await?;
    assert_eq!((&read["status"], &read["comments"]), (&json!("Closed"), &json!("готово")));
    Ok(())
}

#[tokio::test]
async fn codes_without_a_schema_are_sent_on_request_only() -> Outcome {
    let world =
        world(Settings { calls: 0, listed_error_codes: true, ..Settings::default() }).await?;
    let (call, _) = world.committed_call().await?;
    let body = json!({ "status": "Done" });
    let answer = world.user_post(&format!("/call/{call}/status"), body).await?;
    expect_error(answer, 400, 6).await
}

#[tokio::test]
async fn a_new_call_is_read_as_it_was_written() -> Outcome {
    let world = empty().await?;
    let made = json_of(world.external_post("/call", new_call()).await?).await?;
    let read = world.get(&format!("/call/{}", made["id"])).await?;
    for field in ["clientName", "created", "ttf", "descriptionHtmlText", "serviceObjectLatitude"] {
        assert_eq!(read[field], new_call()[field], "{field}");
    }
    assert_eq!(read["number"], made["number"]);
    assert_eq!((&read["userId"], &read["status"]), (&json!(1), &json!("New")));
    assert!(read["tto"].is_null());
    Ok(())
}

#[tokio::test]
async fn an_incomplete_call_an_unknown_owner_client_and_object_are_refused() -> Outcome {
    let world = world(Settings {
        calls: 0,
        listed_error_codes: true,
        unknown_clients: vec!["Никто".to_owned()],
        unknown_objects: vec!["Нигде".to_owned()],
        ..Settings::default()
    })
    .await?;
    let refusals = [
        ("clientName", json!(null), 400, 0),
        ("created", json!("вчера"), 400, 0),
        ("tasks", json!("нет"), 400, 0),
        ("clientName", json!("Никто"), 404, 1),
        ("serviceObjectName", json!("Нигде"), 404, 2),
        ("ownerId", json!(77), 404, 3),
    ];
    for (field, value, status, code) in refusals {
        let mut body = new_call();
        body[field] = value;
        expect_error(world.external_post("/call", body).await?, status, code).await?;
    }
    let empty = world.external(Method::POST, "/call").send().await?;
    expect_error(empty, 400, 0).await?;
    let text = world.external(Method::POST, "/call").header("Content-Type", "text/plain");
    expect_empty(text.body("{}").send().await?, 415).await
}

#[tokio::test]
async fn patching_a_call_leaves_absent_fields_and_returns_a_number() -> Outcome {
    let world = empty().await?;
    let (call, _) = world.call().await?;
    let path = format!("/call/{call}");
    let body = json!({ "tto": "2026-02-01T00:00:00Z" });
    let patch = world.external(Method::PATCH, &path).json(&body).send().await?;
    assert!(json_of(patch).await?.is_i64());
    let read = world.get(&path).await?;
    assert_eq!(read["tto"], body["tto"]);
    assert_eq!(read["ttf"], new_call()["ttf"]);

    let wrong =
        world.external(Method::PATCH, &path).json(&json!({ "ttf": "завтра" })).send().await?;
    expect_error(wrong, 400, 0).await?;
    let unknown = world.external(Method::PATCH, "/call/7").json(&body).send().await?;
    expect_error(unknown, 404, 1).await?;
    expect_error(world.external(Method::GET, "/call/7").send().await?, 404, 1).await
}

#[tokio::test]
async fn a_message_of_a_user_answers_with_the_internal_model_and_its_secrets() -> Outcome {
    let world = empty().await?;
    let (call, _) = world.call().await?;
    let path = format!("/call/{call}/message");
    let answer = json_of(world.user_post(&path, json!({ "message": "еду" })).await?).await?;
    assert!(answer["owner"]["passwordHash"].is_string());
    assert!(answer["call"]["owner"]["saltLastUsed"].is_string());
    assert_eq!(answer["call"]["timeToFix"], new_call()["ttf"]);

    let rows = world.get("/call/messages/modifications/0").await?;
    assert_eq!(rows[0]["owner"], json!({ "id": 1, "name": "ivanov" }));
    assert_eq!((&rows[0]["callId"], &rows[0]["message"]), (&json!(call), &json!("еду")));
    Ok(())
}

#[tokio::test]
async fn a_message_of_the_dispatcher_has_no_owner_and_keeps_its_date() -> Outcome {
    let world = empty().await?;
    let (call, _) = world.call().await?;
    let path = format!("/call/{call}/dispatcher/message");
    let body = json!({ "date": "2026-01-12T10:00:00.5+03:00", "message": "ждём" });
    let answer = json_of(world.external_post(&path, body.clone()).await?).await?;
    let rows = world.get("/call/messages/modifications/0").await?;
    assert_eq!(rows[0]["id"], answer["id"]);
    assert_eq!(rows[0]["date"], body["date"]);
    assert!(rows[0]["owner"].is_null());
    Ok(())
}

#[tokio::test]
async fn messages_have_2000_characters_at_most_and_none_come_to_a_closed_call() -> Outcome {
    let world = empty().await?;
    let (call, _) = world.committed_call().await?;
    let path = format!("/call/{call}/message");
    let text = |length: usize| json!({ "message": "ж".repeat(length) });
    expect(world.user_post(&path, text(2000)).await?, 200).await?;
    expect_error(world.user_post(&path, text(2001)).await?, 400, 0).await?;
    expect_error(world.user_post(&path, text(0)).await?, 400, 0).await?;
    expect_empty(world.user_post("/call/7/message", text(1)).await?, 404).await?;

    world.finish(call).await?;
    expect(world.user_post(&path, text(1)).await?, 200).await?;
    let close = format!("/call/{call}/close");
    expect_empty(world.external_post(&close, json!({})).await?, 204).await?;
    expect_empty(world.user_post(&path, text(1)).await?, 409).await?;
    let dispatcher = format!("/call/{call}/dispatcher/message");
    let body = json!({ "date": "2026-01-12T10:00:00Z", "message": "?" });
    expect_empty(world.external_post(&dispatcher, body).await?, 409).await
}

#[tokio::test]
async fn a_risk_is_raised_once_and_answered_once() -> Outcome {
    let world = empty().await?;
    let (call, _) = world.committed_call().await?;
    let raise = format!("/call/{call}/jeopardy");
    let answer = format!("/call/{call}/unjeopardy");
    let comment = json!({ "answerComment": "учли" });
    expect_empty(world.external_post(&answer, comment.clone()).await?, 409).await?;
    expect_empty(world.user_post(&raise, json!({})).await?, 400).await?;
    let raised = json_of(world.user_post(&raise, json!({ "comment": "не успеем" })).await?).await?;
    expect_empty(world.user_post(&raise, json!({ "comment": "ещё" })).await?, 409).await?;
    let answered = json_of(world.external_post(&answer, comment).await?).await?;

    let rows = world.get("/call/jeopardies/modifications/0").await?;
    assert_eq!(rows[0]["id"], raised["id"]);
    assert_eq!(rows[0]["date"], raised["date"]);
    assert_eq!(rows[0]["answerDate"], answered["answerDate"]);
    assert_eq!(world.get(&format!("/call/{call}")).await?["jeopardies"], rows);
    Ok(())
}

#[tokio::test]
async fn a_call_of_another_user_is_forbidden() -> Outcome {
    let world = empty().await?;
    let (call, _) = world.call().await?;
    let (other, _) = sign_in(&world.sim, &world.http, "petrova", b"salt of petrova").await?;
    let request = world.open(Method::POST, &format!("/call/{call}/status"));
    let request = request.header("Authorization", other).json(&json!({ "status": "Committed" }));
    expect_empty(request.send().await?, 403).await
}
