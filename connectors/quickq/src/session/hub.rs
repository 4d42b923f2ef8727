use talon_sdk::Context;

use super::account::Account;
use crate::config::SocketConfig;

/// What all sockets of an instance share.
pub(crate) struct Hub {
    pub(crate) config: SocketConfig,
    pub(crate) context: Context,
    pub(crate) account: Account,
}

impl Hub {
    /// Counts a request by what became of it: a word of a fixed set.
    pub(super) fn count(&self, code: &str) {
        self.context.metrics.requests.with_label_values(&[&*self.context.name, code]).inc();
    }
}
