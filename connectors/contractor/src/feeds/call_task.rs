//! Feed `call_task`: the whole list of tasks. What is not in it is absent.

use async_trait::async_trait;
use talon_sdk::{Clock, Coverage, Cursor, Fault, Feed, Observation};

use crate::client::Upstream;

pub(crate) struct CallTask {
    upstream: Upstream,
    clock: Clock,
}

impl CallTask {
    pub(crate) fn new(upstream: Upstream, clock: Clock) -> CallTask {
        CallTask { upstream, clock }
    }
}

#[async_trait]
impl Feed for CallTask {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let as_of_ms = self.clock.now_ms();
        let rows = self.upstream.tasks().await?;
        Ok(Observation {
            scope: String::new(),
            coverage: Coverage::Full,
            rows,
            // There is no place to read on from; the cursor only says that the first read is over.
            cursor: Some(Cursor("read".to_owned())),
            snapshot: from.is_none(),
            as_of_ms,
        })
    }
}
