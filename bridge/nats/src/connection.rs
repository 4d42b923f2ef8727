//! A connection to the servers, which all shards of a process share.
//!
//! The client connects again for ever. What it has in its buffers when a connection is lost may reach
//! the server later; a record that is late so is told by its expected sequence, or noticed by its
//! sequence in the stream (see [`log`](mod@crate::log)).

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ConnectOptions};
use rand::RngExt;
use talon_runtime::bus::{BusFault, Grant};

use crate::config::Access;
use crate::fault::fault_of_connect;
use crate::login::Login;
use crate::status::ConnectionStatus;

/// How long the server may be silent before it counts as away.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait before the next attempt to connect.
const LONGEST_WAIT_MS: u64 = 4_000;

/// How often the state of the client is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(10);

/// A client that is connected, or connects again. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) status: Arc<ConnectionStatus>,
    pub(crate) domain: Option<String>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(access: &Access) -> Result<Connection, BusFault> {
        let status = Arc::new(ConnectionStatus::default());
        let options = options(access, status.clone());
        let client = options.connect(access.servers.as_slice()).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            fault_of_connect(error.kind(), cause)
        })?;
        let jetstream = match &access.domain {
            Some(domain) => {
                ContextBuilder::new().domain(domain).timeout(TIMEOUT).build(client.clone())
            }
            None => ContextBuilder::new().timeout(TIMEOUT).build(client.clone()),
        };
        Ok(Connection { client, jetstream, status, domain: access.domain.clone() })
    }

    /// Whether it is connected at this moment.
    pub(crate) fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Waits for the answer to a request, at most so long. None where it did not come in time, or does not come any
    /// more, because the connection was lost.
    pub(crate) async fn answer<T>(
        &self,
        at_most: Duration,
        request: impl Future<Output = T>,
    ) -> Option<T> {
        let losses = self.status.losses();
        let lost = async {
            while self.status.losses() == losses || !self.is_up() {
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::select! {
            answer = tokio::time::timeout(at_most, request) => answer.ok(),
            () = lost => None,
        }
    }

    /// Waits until it is connected again, at most so long.
    pub(crate) async fn up(&self, at_most: Duration, grant: &Grant) -> Result<(), BusFault> {
        let since = Instant::now();
        while !self.is_up() {
            if grant.is_over() || since.elapsed() > at_most {
                let fault = BusFault::Unavailable("NATS: the connection is lost".to_owned());
                return Err(self.status.explain(fault));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

fn options(access: &Access, status: Arc<ConnectionStatus>) -> ConnectOptions {
    let mut options = match &access.login {
        Login::Nobody => ConnectOptions::new(),
        login => {
            let login = login.clone();
            ConnectOptions::with_auth_callback(move |nonce| {
                let login = login.clone();
                async move { login.answer(&nonce).await }
            })
        }
    };
    options = options
        .name("talon")
        .custom_inbox_prefix(&access.inbox)
        .connection_timeout(access.connect_timeout)
        .ping_interval(access.ping_interval)
        .request_timeout(Some(TIMEOUT))
        .require_tls(access.tls_required)
        .max_reconnects(None)
        .reconnect_delay_callback(wait)
        .event_callback(move |event| {
            status.take(&event);
            std::future::ready(())
        });
    if access.tls_first {
        options = options.tls_first();
    }
    if let Some(roots) = &access.roots {
        options = options.add_root_certificates(roots.clone());
    }
    if let Some((certificate, key)) = &access.certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    options
}

/// How long to wait before an attempt to connect: doubled each time, and between half of it and all of
/// it, so that the clients of a server that comes back do not all come at once.
fn wait(attempts: usize) -> Duration {
    if attempts <= 1 {
        return Duration::ZERO;
    }
    let doubled = 25_u64 << (attempts - 1).min(10);
    let longest = doubled.min(LONGEST_WAIT_MS);
    Duration::from_millis(rand::rng().random_range(longest / 2..=longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_differ() {
        assert_eq!(wait(1), Duration::ZERO);
        assert!(wait(2) <= Duration::from_millis(50));
        for attempts in [10, 100, usize::MAX] {
            let wait = wait(attempts).as_millis() as u64;
            assert!((LONGEST_WAIT_MS / 2..=LONGEST_WAIT_MS).contains(&wait), "{wait}");
        }
    }
}
