use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::post;

use crate::contractor::gate::Act;
use crate::contractor::shared::Shared;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/notification/readAll", post(read_all))
        .route("/notification/{id}/read", post(read))
}

async fn read_all(act: Act) -> Response {
    act.run(|store, asked| Ok(store.read_all_notifications(asked.user()?)))
}

async fn read(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, asked| store.read_notification(id, asked.user()?))
}
