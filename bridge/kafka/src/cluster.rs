//! A cluster, and how its clients are made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::producer::BaseProducer;
use talon_runtime::bus::BusFault;

use crate::client::{Watch, refused};
use crate::limits::Limits;
use crate::listing::Listing;
use crate::properties::Properties;

/// How long a transaction may take where nothing else is set, milliseconds: a large first read, or one
/// under a quota, takes longer than the client's default of a minute. A broker takes up to 15 minutes
/// by default (`transaction.max.timeout.ms`).
const TRANSACTION_MS: &str = "600000";

/// The client's default, where a broker takes less.
const SHORT_TRANSACTION_MS: &str = "60000";

/// A cluster, and how to reach it. Clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Cluster(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    properties: Properties,
    limits: Limits,
    listing: Listing,
    /// The broker does not take [`TRANSACTION_MS`].
    short: AtomicBool,
}

/// What a producer is for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Use {
    pub(crate) transactional_id: Option<String>,
    /// How long a transaction may take, milliseconds, where it is not as long as configured.
    pub(crate) transaction_ms: Option<u32>,
    /// The topics that it writes to.
    pub(crate) topics: Vec<String>,
}

impl Cluster {
    pub(crate) fn new(properties: Properties) -> Cluster {
        let (limits, short) = (Limits::default(), AtomicBool::default());
        let listing = Listing::default();
        Cluster(Arc::new(Inner { properties, limits, listing, short }))
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Which topics are there.
    pub(crate) fn listing(&self) -> &Listing {
        &self.0.listing
    }

    /// Changes with a secret or a certificate: clients that were made before are to be made anew.
    pub(crate) fn version(&self) -> u64 {
        self.0.properties.version()
    }

    /// `host:port`, several separated by commas.
    pub(crate) fn servers(&self) -> String {
        self.0.properties.get("bootstrap.servers").unwrap_or_default()
    }

    /// What all clients have in common.
    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("client.id", "talon");
        for (name, value) in self.0.properties.current() {
            config.set(name, value);
        }
        config
    }

    /// A consumer that only asks.
    pub(crate) fn asker(&self) -> Result<BaseConsumer, BusFault> {
        let config = self.config();
        config.create().map_err(|error| refused(&config, &error))
    }

    /// A producer, to fit what is known of the topics.
    pub(crate) fn producer(&self, wanted: &Use) -> Result<BaseProducer<Watch>, BusFault> {
        let mut config = self.config();
        config
            .set("enable.idempotence", "true")
            // As in the Java client, so that every producer puts a key into the same partition.
            .set("partitioner", "murmur2_random");
        let mut unless_set = |name: &str, value: &str| {
            if !self.0.properties.has(name) {
                config.set(name, value);
            }
        };
        unless_set("compression.type", "lz4");
        unless_set("linger.ms", "2");
        unless_set("queue.buffering.max.kbytes", "65536");
        // A coordinator that is still writing down the transaction before is busy for a few
        // milliseconds, not for the client's 100. The pause doubles with each retry.
        unless_set("retry.backoff.ms", "10");
        let sizes = self.limits().sizes(wanted.topics.iter().map(String::as_str));
        if let Some(bytes) = sizes.record {
            // The client takes no more than this.
            unless_set("message.max.bytes", &bytes.min(1_000_000_000).to_string());
        }
        if let Some(bytes) = sizes.batch {
            unless_set("batch.size", &bytes.to_string());
        }
        if sizes.alone {
            config.set("batch.num.messages", "1");
        }
        if let Some(id) = &wanted.transactional_id {
            let short = self.0.short.load(Ordering::Relaxed);
            if !self.0.properties.has("transaction.timeout.ms") {
                let ms = if short { SHORT_TRANSACTION_MS } else { TRANSACTION_MS };
                config.set("transaction.timeout.ms", ms);
            }
            if let Some(ms) = wanted.transaction_ms {
                config.set("transaction.timeout.ms", ms.to_string());
                // The client takes neither of them longer than that.
                config.set("message.timeout.ms", ms.to_string());
                config.set("socket.timeout.ms", (ms / 2).to_string());
            }
            config.set("transactional.id", id);
        }
        config.create_with_context(Watch::default()).map_err(|error| refused(&config, &error))
    }

    /// The broker refuses the time of a transaction: producers ask for a shorter one from now on. `false`
    /// where the time is configured, and stays.
    pub(crate) fn shorten_transactions(&self) -> bool {
        let ours = !self.0.properties.has("transaction.timeout.ms");
        if ours {
            self.0.short.store(true, Ordering::Relaxed);
        }
        ours
    }
}
