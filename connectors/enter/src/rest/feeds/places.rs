//! Feeds of boards, workplaces and devices: one list or state for each that is configured.

use async_trait::async_trait;
use talon_http::order::Order;
use talon_sdk::feeds::ScopedLists;
use talon_sdk::{Fault, Rows};

use crate::rest::client::{As, Shared};

/// What is read of each place.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of {
    Board,
    State,
    Queue,
    Personal,
    Survey,
}

/// The places, by their client ids.
pub(crate) struct Places {
    pub(crate) upstream: Shared,
    pub(crate) of: Of,
    pub(crate) client_ids: Vec<String>,
}

#[async_trait]
impl ScopedLists for Places {
    async fn scopes(&mut self) -> Result<Vec<String>, Fault> {
        Ok(self.client_ids.clone())
    }

    async fn rows(&mut self, client_id: &str) -> Result<Rows, Fault> {
        let (upstream, operator) = (&self.upstream, As::Operator(client_id));
        match self.of {
            Of::Board => {
                let order = Order::new("GET /notifications/{clientId}", &[client_id]);
                Ok(upstream.read(As::Nobody, &order).await?.rows()?)
            }
            Of::Survey => {
                let order = Order::new("GET /survey/{clientId}/state", &[client_id]);
                upstream.state(As::Nobody, &order).await
            }
            Of::State => upstream.state(operator, &Order::plain("GET /operation/state")).await,
            Of::Queue => self.line(client_id, "GET /operation/queue", QUEUE_COUNT).await,
            Of::Personal => self.line(client_id, "GET /operation/personal", PERSONAL_COUNT).await,
        }
    }
}

const QUEUE_COUNT: &str = "GET /operation/queue/count";
const PERSONAL_COUNT: &str = "GET /operation/personal/count";

impl Places {
    /// Who waits. A list that is empty although somebody is counted is read once more: whether the two
    /// count the same, the document does not say.
    async fn line(
        &self,
        client_id: &str,
        list: &'static str,
        count: &'static str,
    ) -> Result<Rows, Fault> {
        let (upstream, operator) = (&self.upstream, As::Operator(client_id));
        let rows = upstream.list(operator, list).await?;
        if !rows.is_empty() {
            return Ok(rows);
        }
        // A count that cannot be read says nothing.
        let counted = upstream.read(operator, &Order::plain(count)).await;
        let counted = counted.is_ok_and(|count| is_some(&count.as_it_came()));
        if counted { upstream.list(operator, list).await } else { Ok(rows) }
    }
}

/// Whether a count is one of somebody: a number or a text of it.
fn is_some(count: &[u8]) -> bool {
    let text = std::str::from_utf8(count).unwrap_or_default().trim();
    text.trim_matches('"').parse::<f64>().is_ok_and(|count| count > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_as_a_number_and_as_a_text() {
        for (count, expected) in
            [("3", true), (" \"12\" ", true), ("0", false), ("{}", false), ("", false)]
        {
            assert_eq!(is_some(count.as_bytes()), expected, "{count}");
        }
    }
}
