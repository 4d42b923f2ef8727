//! The ticket export of the central server above this branch (`enter-central-export.txt`), so that the same hall
//! can be read in both ways: under `/central`, without a token and without faults.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::enter_rest::settings::Names;
use crate::enter_rest::shared::Shared;
use crate::enter_rest::show;

type Sim = State<Arc<Shared>>;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/central/api/1/config/servers", get(servers))
        .route("/central/api/1/config/ticketSources", get(sources))
        .route("/central/api/1/queue/statistics/tickets/history", get(history))
}

async fn servers(State(shared): Sim) -> Json<Value> {
    let store = shared.store();
    Json(json!([{ "Id": store.world.server_id, "Name": "МФЦ-1", "IsConnected": true,
        "WrongProtocol": false }]))
}

async fn sources() -> Json<Value> {
    Json(json!([]))
}

async fn history(
    State(shared): Sim,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Response> {
    let parameter = |name: &str| query.get(name).map_or("", String::as_str);
    let wrong = || StatusCode::BAD_REQUEST.into_response();
    let date = Date::strptime("%d.%m.%Y", parameter("date")).map_err(|_| wrong())?;
    let mut store = shared.store();
    if parameter("serverId") != store.world.server_id {
        return Err(wrong());
    }
    // The names of the export.
    let names = std::mem::replace(&mut store.settings.names, Names::New);
    let of = store.tickets.iter().filter(|ticket| store.local(ticket.created).date() == date);
    let tickets = of.map(|ticket| {
        let mut shown = show::ticket(&store, ticket);
        if let Some(fields) = shown.as_object_mut() {
            fields.remove("PinCode");
        }
        shown
    });
    let tickets: Vec<Value> = tickets.collect();
    let department = json!({ "Id": store.world.server_id, "Name": "МФЦ-1", "IsConnected": true,
        "WrongProtocol": false, "TimeZone": { "Id": store.settings.zone } });
    store.settings.names = names;
    Ok(Json(json!([{ "Department": department, "Tickets": tickets }])))
}
