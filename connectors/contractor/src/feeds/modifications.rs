//! Feeds `call`, `call_message`, `call_jeopardy`: what was modified since a mark.

use async_trait::async_trait;
use talon_sdk::Fault;
use talon_sdk::feeds::{Marked, MarkedRows};

use crate::client::{Modified, Upstream};

pub(crate) struct Modifications {
    pub(crate) upstream: Upstream,
    pub(crate) of: Modified,
}

#[async_trait]
impl Marked for Modifications {
    async fn since(&mut self, mark: i64) -> Result<MarkedRows, Fault> {
        self.upstream.modifications(self.of, mark).await
    }
}
