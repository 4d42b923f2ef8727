//! The connection to the servers, which all shards of a process share.
//!
//! The client connects again for ever. What it has in its buffers when a connection is lost may reach
//! the server later; a record that is late so is told by its expected sequence, or noticed by its
//! sequence in the stream (see [`log`](mod@crate::log)).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Auth, AuthError, Client, ClientError, ConnectOptions, Event, ServerError};
use nkeys::KeyPair;
use rand::RngExt;
use talon_runtime::bus::{BusFault, Grant};

use crate::PATIENCE;
use crate::config::{Access, Login};
use crate::fault::{fault_of_connect, fault_of_line};

/// Longest wait before the next attempt to connect.
const LONGEST_WAIT_MS: u64 = 4_000;

/// How often the state of the client is looked at while waiting for it.
const GLANCE: Duration = Duration::from_millis(10);

/// A client that is connected, or connects again. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) watch: Arc<Watch>,
    pub(crate) domain: Option<String>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(access: &Access) -> Result<Connection, BusFault> {
        let watch = Arc::new(Watch::default());
        let options = options(access, watch.clone());
        let client = options.connect(access.servers.as_slice()).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            fault_of_connect(error.kind(), cause)
        })?;
        let jetstream = match &access.domain {
            Some(domain) => {
                ContextBuilder::new().domain(domain).timeout(PATIENCE).build(client.clone())
            }
            None => ContextBuilder::new().timeout(PATIENCE).build(client.clone()),
        };
        Ok(Connection { client, jetstream, watch, domain: access.domain.clone() })
    }

    /// Whether it is connected at this moment.
    pub(crate) fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Waits until it is connected again, at most so long.
    pub(crate) async fn up(&self, at_most: Duration, grant: &Grant) -> Result<(), BusFault> {
        let since = Instant::now();
        while !self.is_up() {
            if grant.is_over() || since.elapsed() > at_most {
                let fault = BusFault::Unavailable("NATS: the connection is lost".to_owned());
                return Err(self.watch.explain(fault));
            }
            tokio::time::sleep(GLANCE).await;
        }
        Ok(())
    }
}

fn options(access: &Access, watch: Arc<Watch>) -> ConnectOptions {
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
        .request_timeout(Some(PATIENCE))
        .require_tls(access.tls_required)
        .max_reconnects(None)
        .reconnect_delay_callback(wait)
        .event_callback(move |event| {
            watch.take(&event);
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

impl Login {
    /// What is said to the server about who we are.
    async fn answer(&self, nonce: &[u8]) -> Result<Auth, AuthError> {
        let mut auth = Auth::new();
        match self {
            Login::Nobody => {}
            Login::User(user, password) => {
                auth.username = Some(user.clone());
                auth.password = Some(password.expose());
            }
            Login::Token(token) => auth.token = Some(token.expose()),
            Login::NKey(seed) => {
                let pair = pair(seed.expose().trim())?;
                auth.nkey = Some(pair.public_key());
                auth.signature = Some(sign(&pair, nonce)?);
            }
            Login::Credentials(path) => {
                let text = tokio::fs::read_to_string(path).await;
                let text = text.map_err(|_| AuthError::new("the file cannot be read"))?;
                let mut blocks = blocks(&text);
                let jwt = blocks.next().ok_or_else(|| AuthError::new("the file has no JWT"))?;
                let seed = blocks.next().ok_or_else(|| AuthError::new("the file has no seed"))?;
                auth.jwt = Some(jwt.to_owned());
                auth.signature = Some(sign(&pair(seed)?, nonce)?);
            }
        }
        Ok(auth)
    }
}

fn pair(seed: &str) -> Result<KeyPair, AuthError> {
    KeyPair::from_seed(seed).map_err(|_| AuthError::new("this is no seed of an NKey"))
}

fn sign(pair: &KeyPair, nonce: &[u8]) -> Result<Vec<u8>, AuthError> {
    pair.sign(nonce).map_err(|_| AuthError::new("the seed cannot sign"))
}

/// The texts between the `---` lines of a `.creds` file: the JWT, then the seed.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().map(str::trim).filter(move |line| {
        if line.starts_with("---") {
            inside = line.contains("BEGIN");
            return false;
        }
        inside && !line.is_empty()
    })
}

/// Watches the client: what went wrong with the connection.
#[derive(Default)]
pub(crate) struct Watch {
    trouble: Mutex<Option<BusFault>>,
    losses: AtomicU64,
}

impl Watch {
    /// How often the connection was lost.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    /// All is well: a request was answered, or everything is acknowledged.
    pub(crate) fn well(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A time-out says little; the trouble behind it says more.
    pub(crate) fn explain(&self, fault: BusFault) -> BusFault {
        match fault {
            BusFault::Unavailable(_) => {
                self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or(fault)
            }
            other => other,
        }
    }

    fn take(&self, event: &Event) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Connected => *trouble = None,
            Event::Disconnected | Event::Closed => {
                self.losses.fetch_add(1, Ordering::AcqRel);
                trouble.get_or_insert_with(|| {
                    BusFault::Unavailable("NATS: the connection is lost".to_owned())
                });
            }
            Event::LameDuckMode => {
                tracing::info!("NATS: the server is about to stop; the client goes to another");
            }
            Event::SlowConsumer(_) => {
                tracing::warn!("NATS: messages came faster than they were taken")
            }
            Event::Draining => {}
            Event::ServerError(ServerError::AuthorizationViolation) => {
                *trouble = fault_of_line("authorization violation");
            }
            Event::ServerError(ServerError::Other(line))
            | Event::ClientError(ClientError::Other(line)) => {
                if let Some(fault) = fault_of_line(line) {
                    *trouble = Some(fault);
                }
            }
            other => tracing::debug!("NATS: {other}"),
        }
    }
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

    #[test]
    fn a_credentials_file_is_read_by_its_blocks() {
        let text = "-----BEGIN NATS USER JWT-----\njwt.a-b_c\n------END NATS USER JWT------\n\n\
                    *** IMPORTANT ***\nkeep it\n\n-----BEGIN USER NKEY SEED-----\r\nSUSEED\r\n\
                    ------END USER NKEY SEED------\n";
        assert_eq!(blocks(text).collect::<Vec<_>>(), ["jwt.a-b_c", "SUSEED"]);
    }

    #[test]
    fn trouble_is_explained_until_it_is_over() {
        let watch = Watch::default();
        let timed_out = || BusFault::Unavailable("timed out".to_owned());
        assert_eq!(watch.explain(timed_out()), timed_out());
        watch.take(&Event::Disconnected);
        watch.take(&Event::ClientError(ClientError::Other("authorization violation".to_owned())));
        assert_eq!(watch.explain(timed_out()).kind(), "misconfigured");
        assert_eq!(watch.losses(), 1);
        watch.take(&Event::Connected);
        assert_eq!(watch.explain(timed_out()), timed_out());
    }
}
