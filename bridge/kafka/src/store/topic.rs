//! The topic of a store.

use std::sync::{Mutex, PoisonError};

use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use talon_runtime::bus::{BusFault, TopicSpec};
use tokio::runtime::Handle;

use crate::client::refused;
use crate::cluster::Cluster;
use crate::policy::policies;
use crate::topics;

/// In the header of a record: an id that only the write has which it is of.
pub(super) const WRITE_ID: &str = "talon-write-id";

/// The topic of a store.
pub(super) struct StoreTopic {
    pub(super) cluster: Cluster,
    /// The right to read is asked for by its name.
    pub(super) group: String,
    pub(super) spec: TopicSpec,
    /// It was there. From then on it is not made again: it would be empty.
    seen: Mutex<bool>,
}

impl StoreTopic {
    pub(super) fn new(cluster: &Cluster, group: String, spec: TopicSpec) -> StoreTopic {
        StoreTopic { cluster: cluster.clone(), group, spec, seen: Mutex::new(false) }
    }

    /// Makes sure of it, the first time.
    pub(super) fn ensure(&self) -> Result<(), BusFault> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !*seen {
            topics::ensure_one(&self.cluster, &self.spec)?;
            self.inspect()?;
            *seen = true;
        }
        Ok(())
    }

    /// Refuses a policy that loses entries. Without the right to look there is nothing to say.
    pub(super) fn inspect(&self) -> Result<(), BusFault> {
        let (config, name) = (self.cluster.config(), self.spec.name.as_str());
        let admin: AdminClient<DefaultClientContext> =
            config.create().map_err(|error| refused(&config, &error))?;
        let found = Handle::current().block_on(policies(&admin, &[name]));
        // It takes 100 ms to close.
        std::thread::spawn(move || drop(admin));
        let losses = found?.get(name).map(|policy| policy.losses(&self.spec)).unwrap_or_default();
        if losses.is_empty() {
            return Ok(());
        }
        let losses = losses.join("; ");
        Err(BusFault::Misconfigured(format!("Kafka: the topic `{name}`: {losses}")))
    }

    /// What is said where it is gone.
    pub(super) fn gone(&self, fault: BusFault) -> BusFault {
        let name = &self.spec.name;
        match fault {
            BusFault::Aborted(why) => BusFault::Misconfigured(format!(
                "{why}: `{name}` was there and is gone, and what stood in it with it; restore it, or stop all processes of the group, and the first that is started makes it anew, empty"
            )),
            fault => fault,
        }
    }
}
