use reqwest::{Method, Response, multipart};
use serde_json::{Value, json};

use crate::client::{Outcome, World, empty, expect, expect_empty, expect_error, id, ids, json_of};

const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0 photograph";

async fn attach(
    world: &World,
    task: i64,
    name: &str,
    bytes: &'static [u8],
) -> anyhow::Result<Response> {
    let part = multipart::Part::bytes(bytes).file_name(name.to_owned());
    let form = multipart::Form::new().part("Attachment", part);
    let request = world.user(Method::POST, &format!("/calltask/{task}/attachment"));
    Ok(request.multipart(form).send().await?)
}

async fn set(world: &World, task: i64, status: &str) -> anyhow::Result<Response> {
    world.user_post(&format!("/calltask/{task}/status"), json!({ "status": status })).await
}

#[tokio::test]
async fn a_task_is_done_while_its_call_is_committed_and_has_a_result_then() -> Outcome {
    let world = empty().await?;
    let (call, tasks) = world.call().await?;
    expect_empty(set(&world, tasks[0], "Done").await?, 409).await?;
    let body = json!({ "status": "Committed" });
    expect(world.user_post(&format!("/call/{call}/status"), body).await?, 200).await?;
    let result = format!("/calltask/{}/result", tasks[0]);
    expect_error(world.user(Method::GET, &result).send().await?, 404, 1).await?;
    expect_empty(set(&world, tasks[0], "Done").await?, 204).await?;
    expect_empty(set(&world, tasks[0], "New").await?, 409).await?;
    expect_empty(set(&world, tasks[1], "Canceled").await?, 204).await?;
    expect_empty(set(&world, 7, "Done").await?, 404).await?;

    let result = json_of(world.user(Method::GET, &result).send().await?).await?;
    assert_eq!(result, json!({ "attachments": [] }));
    let all = world.get("/calltask").await?;
    assert_eq!(ids(&all)?, tasks);
    assert_eq!(
        all[0],
        json!({ "id": tasks[0], "title": "Диагностика", "status": "Done", "result": result })
    );
    assert_eq!(world.get(&format!("/call/{call}")).await?["tasks"], all);
    assert_eq!(world.get(&format!("/calltask/{}", tasks[1])).await?, all[1]);
    expect_error(world.external(Method::GET, "/calltask/7").send().await?, 404, 1).await
}

#[tokio::test]
async fn a_file_is_attached_to_a_done_task_and_read_back() -> Outcome {
    let world = empty().await?;
    let (_, tasks) = world.committed_call().await?;
    expect_empty(attach(&world, tasks[0], "фото.jpg", JPEG).await?, 409).await?;
    expect_empty(set(&world, tasks[0], "Done").await?, 204).await?;
    let attachment: Value = json_of(attach(&world, tasks[0], "фото.jpg", JPEG).await?).await?;
    assert_eq!((&attachment["type"], &attachment["name"]), (&json!("JPEG"), &json!("фото.jpg")));

    let path = format!("/calltask/{}/attachment/{}", tasks[0], id(&attachment)?);
    let download = format!("{path}/download");
    for request in [world.external(Method::GET, &path), world.user(Method::GET, &download)] {
        let answer = request.send().await?;
        assert_eq!(answer.headers()["content-type"], "image/jpeg");
        assert_eq!(answer.bytes().await?, JPEG);
    }
    let other = format!("/calltask/{}/attachment/7", tasks[0]);
    expect_error(world.external(Method::GET, &other).send().await?, 404, 2).await?;
    expect_error(world.external(Method::GET, "/calltask/7/attachment/7").send().await?, 404, 1)
        .await
}

#[tokio::test]
async fn an_unreadable_empty_or_unknown_file_is_refused() -> Outcome {
    let world = empty().await?;
    let (_, tasks) = world.committed_call().await?;
    expect_empty(set(&world, tasks[0], "Done").await?, 204).await?;
    expect_empty(attach(&world, tasks[0], "a.jpg", b"not a jpeg").await?, 422).await?;
    expect_empty(attach(&world, tasks[0], "a.pdf", b"").await?, 422).await?;
    expect_empty(attach(&world, tasks[0], "a.exe", b"MZ").await?, 422).await?;
    expect(attach(&world, tasks[0], "a.pdf", b"%PDF").await?, 200).await?;
    world.sim.change_settings(&json!({ "attachment_bytes": 3 }))?;
    expect_empty(attach(&world, tasks[0], "a.pdf", b"%PDF").await?, 422).await
}
