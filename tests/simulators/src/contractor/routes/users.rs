//! The tags User and SystemSettings.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, patch, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::contractor::auth::Caller;
use crate::contractor::gate::{Act, Asked};
use crate::contractor::inputs::{NewPassword, NewUser, SignIn, SystemSettings};
use crate::contractor::reply::{Refusal, Reply, text};
use crate::contractor::shared::Shared;
use crate::contractor::store::Store;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/systemSettings", patch(system_settings))
        .route("/user/register", post(register))
        .route("/user/self", get(own))
        .route("/user/signin", post(sign_in))
        .route("/user/token", post(token))
        .route("/user/{id}/changePassword", post(change_password))
        .route("/user/{id}/lock", post(lock))
}

/// A body that the definition does not accept; the document lists no 400 for most of these.
const INVALID: Refusal = Refusal::error(400, 0);

async fn system_settings(act: Act) -> Response {
    act.run(|store, asked| {
        let input: SystemSettings = asked.body(INVALID)?;
        Ok(store.set_deadline_day(&input))
    })
}

async fn register(act: Act) -> Response {
    act.run(|store, asked| {
        let input: NewUser = asked.body(INVALID)?;
        store.users.register(input.user_name, &input.password)
    })
}

async fn own(act: Act) -> Response {
    act.run(|store, asked| {
        let user = store.users.dto(asked.user()?);
        Ok(Reply::read(text(&user)))
    })
}

async fn sign_in(act: Act) -> Response {
    act.run(|store, asked| {
        let input: SignIn = asked.body(INVALID)?;
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| INVALID);
        let (hash, salt) = (decode(&input.hashed_password)?, decode(&input.salt)?);
        let user = store
            .users
            .sign_in(&input.user_name, &hash, &salt)
            .map_err(|refusal| Refusal::error(401, refusal as i32))?;
        let tokens = store.users.issue(user, &store.settings);
        Ok(Reply::wrote(user, &tokens))
    })
}

async fn token(act: Act) -> Response {
    act.run(renew)
}

fn renew(store: &mut Store, asked: &Asked) -> Result<Reply, Refusal> {
    let user = asked.user()?;
    if let Caller::Service { token, .. } = &asked.caller
        && store.settings.service_token_once
    {
        store.users.revoke(token);
    }
    let tokens = store.users.issue(user, &store.settings);
    Ok(Reply::wrote(user, &tokens))
}

async fn change_password(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, asked| {
        let input: NewPassword = asked.body(Refusal::empty(400))?;
        store.users.change_password(id, &input.new_password)
    })
}

async fn lock(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, _| store.users.lock(id))
}
