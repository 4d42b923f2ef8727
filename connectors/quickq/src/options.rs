//! What sessions and feeds are configured with.

use std::time::Duration;

use talon_http::{Proxy, Tls};
use talon_sdk::config::Secret;

/// How to reach the upstream.
#[derive(Debug, Clone)]
pub(crate) struct SocketConfig {
    pub(crate) url: String,
    pub(crate) tls: Tls,
    pub(crate) proxy: Proxy,
    /// How many requests and connections a second, over all sockets.
    pub(crate) requests_per_second: f64,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) message_max_bytes: usize,
    pub(crate) ping_interval: Duration,
    pub(crate) idle_timeout: Duration,
}

/// What is shown at login.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) component: String,
    pub(crate) login: String,
    pub(crate) password: Option<Password>,
    pub(crate) workplace: Option<i64>,
}

/// The password, as the operator has it.
#[derive(Debug, Clone)]
pub(crate) enum Password {
    /// As it is typed.
    Plain(Secret),
    /// As the protocol wants it: lower-case hex of its MD5.
    Md5(Secret),
}

/// How `statistics` is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statistics {
    pub(crate) interval: Duration,
    /// How far back the first read reaches.
    pub(crate) history: Duration,
    /// The longest window of one request.
    pub(crate) window: Duration,
    /// How far each window reaches back behind the end of the one before.
    pub(crate) overlap: Duration,
}
