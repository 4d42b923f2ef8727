use talon_http::{Lane, RateBudget};
use talon_sdk::Context;

use super::account::Account;
use crate::options::SocketConfig;

/// What all sockets of an instance share.
pub(crate) struct Hub {
    pub(crate) config: SocketConfig,
    pub(crate) context: Context,
    pub(crate) account: Account,
    /// Of requests and connections: whatever the other side sends or does not, no more are made.
    budget: RateBudget,
}

impl Hub {
    pub(crate) fn new(config: SocketConfig, context: Context, account: Account) -> Hub {
        let budget = RateBudget::new(config.requests_per_second);
        Hub { config, context, account, budget }
    }

    /// Waits until one more request or connection may be made.
    pub(super) async fn admit(&self, lane: Lane) {
        let waited = self.budget.wait(lane).await;
        let budget_wait = &self.context.metrics.budget_wait;
        budget_wait.with_label_values(&[&self.context.name]).observe(waited.as_secs_f64());
    }

    /// Counts a request by what became of it: a word of a fixed set.
    pub(super) fn count(&self, code: &str) {
        self.context.metrics.requests.with_label_values(&[&*self.context.name, code]).inc();
    }
}
