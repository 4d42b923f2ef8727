use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

/// A session at the upstream.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) number: u64,
    pub(crate) token: Arc<SecretString>,
    /// Whether the server repeats the `id` of a request.
    pub(crate) echoes_id: bool,
}

/// How a socket came by its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It logged in itself.
    Fresh,
    /// It uses a token from before.
    Resumed,
}

impl Grant {
    /// The token, in the open. For the one place that sends it.
    pub(crate) fn expose(&self) -> &str {
        self.token.expose_secret()
    }
}
