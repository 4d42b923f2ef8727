//! What is known of the connection: how often it was lost, and what went wrong with it last.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

use async_nats::{ClientError, Event, ServerError};
use talon_runtime::bus::Trouble;

use crate::fault::fault_of_line;

/// The status of a connection, told by the client's events.
#[derive(Default)]
pub(crate) struct ConnectionStatus {
    trouble: Trouble,
    losses: AtomicU64,
}

impl Deref for ConnectionStatus {
    type Target = Trouble;

    fn deref(&self) -> &Trouble {
        &self.trouble
    }
}

impl ConnectionStatus {
    /// How often the connection was lost.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    /// Takes an event of the client in.
    pub(crate) fn take(&self, event: &Event) {
        match event {
            Event::Connected => self.trouble.over(),
            Event::Disconnected | Event::Closed => {
                self.losses.fetch_add(1, Ordering::AcqRel);
                self.trouble.lost("NATS: the connection is lost");
            }
            Event::LameDuckMode => {
                tracing::info!("NATS: the server is about to stop; the client goes to another");
            }
            Event::SlowConsumer(_) => {
                tracing::warn!("NATS: messages came faster than they were taken")
            }
            Event::Draining => {}
            Event::ServerError(ServerError::AuthorizationViolation) => {
                self.see_line("authorization violation");
            }
            Event::ServerError(ServerError::Other(line))
            | Event::ClientError(ClientError::Other(line)) => self.see_line(line),
            other => tracing::debug!("NATS: {other}"),
        }
    }

    fn see_line(&self, line: &str) {
        if let Some(fault) = fault_of_line(line) {
            self.trouble.told(fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use talon_runtime::bus::BusFault;

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
