//! Feed `server_info`: versions of the server.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use talon_sdk::{Clock, Coverage, Cursor, Fault, Feed, Form, Observation, Received, Rows};

use super::stray;
use crate::session::Line;

/// By what the answer is known (`quickq-websocket.txt`, info): versions, whose modules differ by build.
const INFO: &[(&str, Form)] = &[
    ("core", Form::Text),
    ("common", Form::Text),
    ("database", Form::Text),
    ("db", Form::Text),
    ("wssserver", Form::Text),
    ("jsengine", Form::Text),
];

pub(crate) struct ServerInfo {
    line: Arc<Line>,
    clock: Clock,
}

impl ServerInfo {
    pub(crate) fn new(line: Arc<Line>, clock: Clock) -> ServerInfo {
        ServerInfo { line, clock }
    }
}

#[async_trait]
impl Feed for ServerInfo {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let as_of_ms = self.clock.now_ms();
        let live = self.line.live().await?;
        if let Some(stray) = stray(&live, as_of_ms) {
            return Ok(stray);
        }
        let frame = live.read("info", &json!({})).await?;
        let info = Received::new("info", frame.data()).object(INFO)?;
        Ok(Observation {
            scope: String::new(),
            coverage: Coverage::Delta,
            rows: info.map(Rows::of_one).unwrap_or_default(),
            cursor: Some(Cursor("read".to_owned())),
            snapshot: from.is_none(),
            as_of_ms,
        })
    }
}
