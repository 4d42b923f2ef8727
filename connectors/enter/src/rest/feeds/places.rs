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
            Of::Queue => upstream.list(operator, "GET /operation/queue").await,
            Of::Personal => upstream.list(operator, "GET /operation/personal").await,
        }
    }
}
