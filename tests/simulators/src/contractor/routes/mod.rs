//! The endpoints of the document, one file for each of its tags.

mod call_costs;
mod call_tasks;
mod calls;
mod notifications;
mod shared;
mod upload;
mod users;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};

use super::gate;
use super::shared::Shared;

/// All endpoints of the document, behind the gate.
pub(super) fn routes(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    Router::new()
        .merge(calls::routes())
        .merge(call_costs::routes())
        .merge(call_tasks::routes())
        .merge(notifications::routes())
        .merge(shared::routes())
        .merge(users::routes())
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::clone(shared), gate::pass))
}
