use std::sync::Arc;

use axum::Router;
use axum::extract::{Multipart, Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use super::upload::upload;
use crate::contractor::gate::Act;
use crate::contractor::reply::Refusal;
use crate::contractor::shared::Shared;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/shared/call", get(read))
        .route("/shared/call/done", post(done))
        .route("/shared/callTask/{id}/attachment", post(attach))
        .route("/shared/callTask/{id}/attachment/{attachmentId}/download", get(download))
        .route("/shared/callTask/{id}/result", get(result))
}

/// The query; the token is optional in the document and required in fact.
#[derive(Debug, Deserialize)]
struct Link {
    token: Option<String>,
}

impl Link {
    fn token(&self, missing: Refusal) -> Result<&str, Refusal> {
        self.token.as_deref().ok_or(missing)
    }
}

const NO_TOKEN: Refusal = Refusal::error(400, 0);

async fn read(act: Act, Query(link): Query<Link>) -> Response {
    act.run(|store, _| store.shared_call(link.token(NO_TOKEN)?))
}

async fn done(act: Act, Query(link): Query<Link>) -> Response {
    act.run(|store, asked| store.finish_shared(link.token(NO_TOKEN)?, asked.body(NO_TOKEN)?))
}

async fn attach(
    act: Act,
    Path(id): Path<i64>,
    Query(link): Query<Link>,
    form: Multipart,
) -> Response {
    let file = upload(form).await;
    act.run(|store, _| store.attach_shared(link.token(Refusal::empty(404))?, id, file?))
}

async fn download(
    act: Act,
    Path((task, id)): Path<(i64, i64)>,
    Query(link): Query<Link>,
) -> Response {
    act.run(|store, _| store.shared_file(link.token(Refusal::error(403, 0))?, task, id))
}

async fn result(act: Act, Path(id): Path<i64>, Query(link): Query<Link>) -> Response {
    act.run(|store, _| store.shared_result(link.token(Refusal::error(404, 1))?, id))
}
