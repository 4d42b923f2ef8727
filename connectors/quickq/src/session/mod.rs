//! The session layer: sockets, the login they share, requests and pushes.
//!
//! One [`Account`] has the token; a [`Line`] is a place for one socket, which is dialled when a feed
//! asks for it, so that back-off stays the runtime's; a [`Live`] is the socket while it lives. The
//! books, statistics and `info` share one line; each workplace's queue has its own, because the push
//! of a queue does not say whose it is.
//!
//! Traps of the protocol, and where they are dealt with:
//!
//! * A push has the name of the reply: what arrives is kept as the newest list *and* answers a pending
//!   read of that name (`inbox.rs`).
//! * Without ids, one request of a name is in flight; whether the server repeats an `id` is seen at
//!   login (`live.rs`, `account.rs`).
//! * `unsubscribe…` is answered as `subscribe…` ([`reply_name`]).
//! * A token outlives its socket and counts as a session: it is used again, and given back at the end.
//!   No error code says that it is forgotten, so a refusal is believed only from a fresh login
//!   (`account.rs`).

mod account;
mod connect;
mod failure;
mod inbox;
mod line;
mod live;
mod outgoing;
mod pump;

pub(crate) use account::Account;
pub(crate) use failure::Failure;
pub(crate) use line::Line;
pub(crate) use live::{Live, Push};

use talon_sdk::Context;

use crate::config::SocketConfig;

/// What all sockets of an instance share.
pub(crate) struct Hub {
    pub(crate) config: SocketConfig,
    pub(crate) context: Context,
    pub(crate) account: Account,
}

impl Hub {
    /// Counts a request by what became of it: a word of a fixed set.
    fn count(&self, code: &str) {
        self.context.metrics.requests.with_label_values(&[&*self.context.name, code]).inc();
    }
}

/// The name under which a command is answered.
pub(crate) fn reply_name(command: &str) -> &str {
    match command.strip_prefix("un") {
        Some(rest) if rest.starts_with("subscribe") => rest,
        _ => command,
    }
}
