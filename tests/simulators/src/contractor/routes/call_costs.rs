use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{patch, post};

use crate::contractor::gate::Act;
use crate::contractor::reply::Refusal;
use crate::contractor::shared::Shared;

const INVALID: Refusal = Refusal::empty(400);

pub(super) fn routes() -> Router<Arc<Shared>> {
    let call = "/callCost/call/{callId}";
    Router::new()
        .route(call, post(create).get(read))
        .route(&format!("{call}/changeApprovalStatus"), patch(approve))
        .route(&format!("{call}/expense"), post(add_expense))
        .route(
            &format!("{call}/expense/{{expenseId}}"),
            patch(patch_expense).delete(delete_expense),
        )
        .route(&format!("{call}/material"), post(add_material))
        .route(
            &format!("{call}/material/{{materialId}}"),
            patch(patch_material).delete(delete_material),
        )
        .route("/callCost/status/call/{callId}", post(send))
}

async fn create(act: Act, Path(call): Path<i64>) -> Response {
    act.run(|store, asked| store.create_cost(call, asked.user()?))
}

async fn read(act: Act, Path(call): Path<i64>) -> Response {
    act.run(|store, _| store.read_cost(call))
}

async fn approve(act: Act, Path(call): Path<i64>) -> Response {
    act.run(|store, asked| store.approve(call, &asked.body(INVALID)?))
}

async fn send(act: Act, Path(call): Path<i64>) -> Response {
    act.run(|store, asked| store.send_cost(call, asked.user()?))
}

async fn add_expense(act: Act, Path(call): Path<i64>) -> Response {
    act.run(|store, asked| store.add_expense(call, asked.user()?, &asked.body(INVALID)?))
}

async fn patch_expense(act: Act, Path(line): Path<(i64, i64)>) -> Response {
    act.run(|store, asked| store.patch_expense(line, asked.user()?, &asked.body(INVALID)?))
}

async fn delete_expense(act: Act, Path(line): Path<(i64, i64)>) -> Response {
    act.run(|store, asked| store.delete_expense(line, asked.user()?))
}

async fn add_material(act: Act, Path(call): Path<i64>) -> Response {
    act.run(|store, asked| store.add_material(call, asked.user()?, asked.body(INVALID)?))
}

async fn patch_material(act: Act, Path(line): Path<(i64, i64)>) -> Response {
    act.run(|store, asked| store.patch_material(line, asked.user()?, asked.body(INVALID)?))
}

async fn delete_material(act: Act, Path(line): Path<(i64, i64)>) -> Response {
    act.run(|store, asked| store.delete_material(line, asked.user()?))
}
