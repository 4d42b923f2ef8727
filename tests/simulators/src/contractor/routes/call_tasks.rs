use std::sync::Arc;

use axum::Router;
use axum::extract::{Multipart, Path};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};

use super::upload::upload;
use crate::contractor::gate::Act;
use crate::contractor::inputs::NewTaskStatus;
use crate::contractor::reply::{Refusal, json_response, list};
use crate::contractor::shared::Shared;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/calltask", get(all))
        .route("/calltask/{id}", get(read))
        .route("/calltask/{id}/attachment", post(attach))
        .route("/calltask/{id}/attachment/{attachmentId}", get(file))
        .route("/calltask/{id}/attachment/{attachmentId}/download", get(download))
        .route("/calltask/{id}/result", get(result))
        .route("/calltask/{id}/status", post(status))
}

async fn all(act: Act) -> Response {
    let rows = act.shared.store().all_tasks();
    json_response(StatusCode::OK, list(&rows))
}

async fn read(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, _| store.read_task(id))
}

async fn attach(act: Act, Path(id): Path<i64>, form: Multipart) -> Response {
    let file = upload(form).await;
    act.run(|store, asked| store.attach(id, asked.user()?, file?))
}

async fn file(act: Act, Path((task, id)): Path<(i64, i64)>) -> Response {
    act.run(|store, _| store.file(task, id))
}

async fn download(act: Act, Path((task, id)): Path<(i64, i64)>) -> Response {
    act.run(|store, asked| store.own_file(task, id, asked.user()?))
}

async fn result(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, asked| store.task_result(id, asked.user()?))
}

async fn status(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, asked| {
        let input: NewTaskStatus = asked.body(Refusal::empty(400))?;
        store.set_task_status(id, asked.user()?, &input)
    })
}
