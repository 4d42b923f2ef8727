use reqwest::{Method, multipart};
use serde_json::{Value, json};

use crate::client::{
    Outcome, World, empty, expect, expect_empty, expect_error, expect_plain, id, json_of,
};

async fn link(world: &World, call: i64) -> anyhow::Result<String> {
    let request = world.user(Method::POST, &format!("/call/{call}/templink"));
    let answer = request.header("Accept", "application/json").send().await?;
    Ok(serde_json::from_value(json_of(answer).await?)?)
}

#[tokio::test]
async fn a_link_exists_for_a_committed_call_only() -> Outcome {
    let world = empty().await?;
    let (call, _) = world.call().await?;
    let path = format!("/call/{call}/templink");
    expect_empty(world.user(Method::POST, &path).send().await?, 409).await?;
    expect_error(world.user(Method::POST, "/call/7/templink").send().await?, 404, 1).await
}

#[tokio::test]
async fn a_string_is_plain_text_unless_json_is_asked_for() -> Outcome {
    let world = empty().await?;
    let (call, _) = world.committed_call().await?;
    let token = link(&world, call).await?;
    let plain = world.user(Method::POST, &format!("/call/{call}/templink"));
    assert_eq!(expect(plain.send().await?, 200).await?, token);
    Ok(())
}

#[tokio::test]
async fn the_holder_of_a_link_reads_and_finishes_the_call_without_login() -> Outcome {
    let world = empty().await?;
    let (call, tasks) = world.committed_call().await?;
    let token = link(&world, call).await?;
    let read = world.open(Method::GET, &format!("/shared/call?token={token}"));
    let read = json_of(read.send().await?).await?;
    assert_eq!(read, world.get(&format!("/call/{call}")).await?);

    let done = |body: Value| {
        let path = format!("/shared/call/done?token={token}");
        world.open(Method::POST, &path).json(&body).send()
    };
    let outcome = |task: i64, status: &str| {
        json!({
            "comments": "готово",
            "callTaskResults": [{ "taskId": task, "newStatus": status }],
            "expenses": [{ "count": 1, "expenditureItemId": read["availableExpenditureItems"][0]["id"] }],
            "materials": [],
        })
    };
    expect_error(done(json!({})).await?, 400, 0).await?;
    expect_error(done(outcome(7, "Done")).await?, 404, 1).await?;
    expect_plain(&done(outcome(tasks[0], "Done")).await?)?;
    expect_error(done(outcome(tasks[0], "New")).await?, 409, 3).await?;
    expect_error(done(outcome(tasks[0], "Done")).await?, 409, 7).await?;

    let read = world.get(&format!("/call/{call}")).await?;
    assert_eq!((&read["status"], &read["tasks"][0]["status"]), (&json!("Done"), &json!("Done")));
    let cost = world.get(&format!("/callCost/call/{call}")).await?;
    assert_eq!((&cost["status"], &cost["expenses"][0]["count"]), (&json!("Draft"), &json!(1.0)));
    Ok(())
}

#[tokio::test]
async fn files_come_with_the_link_of_their_own_call_only() -> Outcome {
    let world = empty().await?;
    let (call, tasks) = world.committed_call().await?;
    let (other, _) = world.committed_call().await?;
    let (token, strange) = (link(&world, call).await?, link(&world, other).await?);
    let status = format!("/calltask/{}/status", tasks[0]);
    expect_empty(world.user_post(&status, json!({ "status": "Done" })).await?, 204).await?;
    let attach = |token: &str| {
        let part = multipart::Part::bytes(&b"%PDF"[..]).file_name("a.pdf");
        let path = format!("/shared/callTask/{}/attachment?token={token}", tasks[0]);
        let form = multipart::Form::new().part("Attachment", part);
        world.open(Method::POST, &path).multipart(form).send()
    };
    expect_empty(attach(&token).await?, 409).await?;
    world.finish(call).await?;
    expect_empty(attach(&strange).await?, 404).await?;
    let file = id(&json_of(attach(&token).await?).await?)?;

    let path = |token: &str| {
        format!("/shared/callTask/{}/attachment/{file}/download?token={token}", tasks[0])
    };
    assert_eq!(expect(world.open(Method::GET, &path(&token)).send().await?, 200).await?, "%PDF");
    expect_error(world.open(Method::GET, &path(&strange)).send().await?, 403, 0).await?;
    let result = format!("/shared/callTask/{}/result?token={token}", tasks[0]);
    let result = json_of(world.open(Method::GET, &result).send().await?).await?;
    assert_eq!(result["attachments"][0]["id"], json!(file));
    Ok(())
}

#[tokio::test]
async fn a_missing_token_is_invalid_and_a_wrong_one_finds_nothing() -> Outcome {
    let world = empty().await?;
    expect_error(world.open(Method::GET, "/shared/call").send().await?, 400, 0).await?;
    expect_error(world.open(Method::GET, "/shared/call?token=x").send().await?, 404, 1).await
}
