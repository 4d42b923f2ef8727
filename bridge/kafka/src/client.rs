//! What all clients of the cluster have in common.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Headers, Message};
use rdkafka::producer::ProducerContext;
use talon_runtime::bus::{BusFault, Trouble};

use crate::fault::{fault_of, fault_of_code, of_topic};
use crate::limits;

/// A poll in which everything is heard that the client has to say of a failure. One without patience ends
/// after the first thing, which is often a line of its log.
pub(crate) const EARSHOT: Duration = Duration::from_millis(20);

/// Properties that Talon sets itself, because guarantees rest on them.
const OWN: &[&str] = &[
    "transactional.id",
    "enable.idempotence",
    "isolation.level",
    "enable.auto.commit",
    "enable.partition.eof",
    "group.id",
    "auto.offset.reset",
    "partitioner",
];

/// True if a build without TLS cannot do what the property asks for. librdkafka says so itself of
/// properties such as `ssl.ca.location`; of a mechanism only when a client is made.
fn needs_tls(name: &str, value: &str) -> bool {
    let value = value.to_ascii_uppercase();
    let mechanism = value.starts_with("SCRAM") || value == "OAUTHBEARER";
    name.starts_with("ssl.")
        || name == "security.protocol" && matches!(value.as_str(), "SSL" | "SASL_SSL")
        || name.starts_with("sasl.mechanism") && mechanism
}

/// What is wrong with these properties: the property and what to do. Does no I/O.
pub fn problems(properties: &BTreeMap<String, String>) -> Vec<(String, String)> {
    problems_of(properties, cfg!(feature = "tls"))
}

fn problems_of(properties: &BTreeMap<String, String>, tls: bool) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    if properties.get("bootstrap.servers").is_none_or(|servers| servers.trim().is_empty()) {
        problems.push((
            "bootstrap.servers".to_owned(),
            "is not set; `host:port`, several separated by commas".to_owned(),
        ));
    }
    for (name, value) in properties {
        if OWN.contains(&name.as_str()) {
            problems
                .push((name.clone(), "is set by Talon, because guarantees rest on it".to_owned()));
        } else if name == "group.protocol" && !value.eq_ignore_ascii_case("classic") {
            let remedy = "is not `classic`: when a process that stood still has lost its connectors is counted by `session.timeout.ms`, which only that protocol has; leave this out (brokers of all versions take both)";
            problems.push((name.clone(), remedy.to_owned()));
        } else if !tls && needs_tls(name, value) {
            let remedy = "needs TLS, which this build lacks; build with `--features tls`, which is a default feature";
            problems.push((name.clone(), remedy.to_owned()));
        } else if let Err(error) = ClientConfig::new().set(name, value).create_native_config() {
            let message = match error {
                // The client's description can quote the value, which may be a password.
                KafkaError::ClientConfig(
                    rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN,
                    ..,
                ) => "is no property of librdkafka",
                _ => "has a value that librdkafka does not take for this property",
            };
            problems.push((name.clone(), message.to_owned()));
        }
    }
    problems
}

/// How a client reads what is committed, from the beginning and to where a partition ends. `group` is never joined,
/// but the broker asks for the right to read with it.
pub(crate) fn reads_committed(config: &ClientConfig, group: &str) -> ClientConfig {
    let mut config = config.clone();
    config
        .set("group.id", group)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest");
    config
}

/// Why a client cannot be made with these properties. What the client says of it is passed on unless
/// it quotes a value that may be a secret.
pub(crate) fn refused(config: &ClientConfig, error: &KafkaError) -> BusFault {
    let KafkaError::ClientCreation(text) = error else { return fault_of(error) };
    let may_be_secret = |name: &str| {
        ["password", "secret", "key", "pem", "token"].iter().any(|part| name.contains(part))
    };
    let quotes_secret = config
        .config_map()
        .iter()
        .any(|(name, value)| may_be_secret(name) && !value.is_empty() && text.contains(value));
    if quotes_secret {
        return fault_of(error);
    }
    BusFault::Misconfigured(format!("the client refuses the `bus.kafka` properties: {text}"))
}

/// The trouble with connections in what a client says, if it is one that somebody has to hear of.
pub(crate) fn severe(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    error.rdkafka_error_code().filter(|code| {
        matches!(
            code,
            RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::SSL
        )
    })
}

/// A record that was not delivered.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    pub(crate) fault: BusFault,
    /// It was taken out of the queue: why is to be found elsewhere.
    pub(crate) purged: bool,
    pub(crate) topic: String,
    /// How large the record is; of several that fail alike, the largest.
    pub(crate) bytes: usize,
}

/// Watches a client: what went wrong with deliveries and connections.
#[derive(Default)]
pub(crate) struct Watch {
    delivery: Mutex<Option<Failed>>,
    /// The offset of the record that was acknowledged last.
    delivered: AtomicI64,
    pub(crate) trouble: Trouble,
}

impl Watch {
    /// The first delivery that failed, if one did.
    pub(crate) fn failed_delivery(&self) -> Option<Failed> {
        self.delivery.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The offset of the record that was acknowledged last.
    pub(crate) fn delivered(&self) -> i64 {
        self.delivered.load(Ordering::Relaxed)
    }
}

impl ClientContext for Watch {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // States are logged once where they change; the client's own lines are for the curious.
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        if let Some(code) = severe(&error) {
            self.trouble.told(fault_of_code(code));
        }
    }
}

impl ProducerContext for Watch {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let (error, message) = match result {
            Ok(message) => return self.delivered.store(message.offset(), Ordering::Relaxed),
            Err(failed) => failed,
        };
        let topic = message.topic();
        let bytes = size(message);
        let mut first = self.delivery.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *first {
            None => {
                use RDKafkaErrorCode::{PurgeInflight, PurgeQueue};
                let purged = matches!(error.rdkafka_error_code(), Some(PurgeInflight | PurgeQueue));
                let fault = of_topic(fault_of(error), topic);
                *first = Some(Failed { fault, purged, topic: topic.to_owned(), bytes });
            }
            Some(first) if first.topic == topic => first.bytes = first.bytes.max(bytes),
            Some(_) => {}
        }
    }
}

fn size(message: &BorrowedMessage<'_>) -> usize {
    let key = message.key().unwrap_or_default();
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    let headers = headers.map(|header| (header.key, header.value.unwrap_or_default()));
    limits::size(key, message.payload(), headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECURED: &[(&str, &str)] = &[
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("ssl.ca.location", "/etc/talon/ca.pem"),
    ];

    fn secured() -> BTreeMap<String, String> {
        let all = [&[("bootstrap.servers", "b:9093")], SECURED].concat();
        all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn a_build_without_tls_names_the_feature_for_all_that_needs_it() {
        let problems = problems_of(&secured(), false);
        assert_eq!(problems.len(), SECURED.len(), "{problems:?}");
        for (name, remedy) in problems {
            assert!(remedy.contains("build with `--features tls`"), "{name}: {remedy}");
        }
    }

    #[test]
    #[cfg(feature = "tls")]
    fn a_build_with_tls_takes_what_needs_it() {
        assert_eq!(problems(&secured()), []);
    }
}
