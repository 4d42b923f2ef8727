//! What is known of the connection: how often it was lost, and what went wrong with it last.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use async_nats::{ClientError, Event, ServerError};
use talon_runtime::bus::BusFault;

use crate::fault::fault_of_line;

/// The status of a connection, told by the client's events.
#[derive(Default)]
pub(crate) struct ConnectionStatus {
    trouble: Mutex<Option<BusFault>>,
    losses: AtomicU64,
}

impl ConnectionStatus {
    /// How often the connection was lost.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    /// All is well: a request was answered, or everything is acknowledged.
    pub(crate) fn clear(&self) {
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

    /// Takes an event of the client in.
    pub(crate) fn take(&self, event: &Event) {
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
    fn trouble_is_explained_until_it_is_over() {
        let status = ConnectionStatus::default();
        let timed_out = || BusFault::Unavailable("timed out".to_owned());
        assert_eq!(status.explain(timed_out()), timed_out());
        status.take(&Event::Disconnected);
        status.take(&Event::ClientError(ClientError::Other("authorization violation".to_owned())));
        assert_eq!(status.explain(timed_out()).kind(), "misconfigured");
        assert_eq!(status.losses(), 1);
        status.take(&Event::Connected);
        assert_eq!(status.explain(timed_out()), timed_out());
    }
}
