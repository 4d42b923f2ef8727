//! Listening can be stopped and begun again.

use tokio::sync::watch;

/// Whether the server should listen, and whether it does.
pub(super) struct Door {
    wanted: watch::Sender<bool>,
    is_open: watch::Sender<bool>,
}

impl Default for Door {
    fn default() -> Self {
        Self { wanted: watch::Sender::new(true), is_open: watch::Sender::new(true) }
    }
}

impl Door {
    /// Returns once the port and all connections are closed.
    pub(super) async fn close(&self) {
        self.turn(false).await;
    }

    /// Returns once the port is open.
    pub(super) async fn open(&self) {
        self.turn(true).await;
    }

    /// Waits until the server should listen, or should not.
    pub(super) async fn wanted(&self, open: bool) {
        reach(&self.wanted, open).await;
    }

    /// The server listens from now on, or does not any more.
    pub(super) fn turned(&self, open: bool) {
        self.is_open.send_replace(open);
    }

    /// The senders live as long as `self`, so that waiting cannot fail.
    async fn turn(&self, open: bool) {
        self.wanted.send_replace(open);
        reach(&self.is_open, open).await;
    }
}

async fn reach(sender: &watch::Sender<bool>, value: bool) {
    let mut receiver = sender.subscribe();
    while *receiver.borrow_and_update() != value {
        if receiver.changed().await.is_err() {
            return;
        }
    }
}
