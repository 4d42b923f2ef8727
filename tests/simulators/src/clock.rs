//! The clock of a simulator: the machine's, or one that is set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;

/// A simulator whose clock can be set.
pub(crate) trait Clocked: Send + Sync + 'static {
    /// Milliseconds since 1970 UTC; 0 is the machine's clock.
    fn clock(&self) -> &AtomicI64;
}

/// Milliseconds since 1970 UTC.
pub(crate) fn now_ms(clock: &AtomicI64) -> i64 {
    match clock.load(Ordering::SeqCst) {
        0 => SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        set => set,
    }
}

/// `POST /_sim/time` `{"now_ms": n}` or `{"advance_ms": n}`: sets or moves the clock.
pub(crate) fn routes<S: Clocked>() -> Router<Arc<S>> {
    Router::new().route("/_sim/time", post(time::<S>))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Time {
    now_ms: Option<i64>,
    #[serde(default)]
    advance_ms: i64,
}

async fn time<S: Clocked>(
    State(sim): State<Arc<S>>,
    Json(Time { now_ms: at, advance_ms }): Json<Time>,
) -> StatusCode {
    let now = at.unwrap_or_else(|| now_ms(sim.clock()));
    sim.clock().store(now + advance_ms, Ordering::SeqCst);
    StatusCode::NO_CONTENT
}
