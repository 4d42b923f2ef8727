//! What an error of the client means to a shard.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use talon_runtime::bus::BusFault;

/// Classifies an error. The text never carries a property's value.
pub(crate) fn fault_of(error: &KafkaError) -> BusFault {
    match error {
        KafkaError::Transaction(error) => match fault_of_code(error.code()) {
            BusFault::Fenced(reason) => BusFault::Fenced(reason),
            BusFault::Misconfigured(reason) => BusFault::Misconfigured(reason),
            fault if error.is_retriable() => fault,
            fault => BusFault::Aborted(fault.to_string()),
        },
        KafkaError::ClientConfig(_, _, key, _) => {
            BusFault::Misconfigured(format!("`bus.kafka.{key}` is not accepted by the client"))
        }
        KafkaError::ClientCreation(_) => {
            // The client's text can quote property values.
            BusFault::Misconfigured(
                "the client refuses this combination of `bus.kafka` properties".to_owned(),
            )
        }
        other => match other.rdkafka_error_code() {
            Some(code) => fault_of_code(code),
            None => BusFault::Unavailable(other.to_string()),
        },
    }
}

/// A fault, with the topic that it is about.
pub(crate) fn of_topic(fault: BusFault, topic: &str) -> BusFault {
    let about = |text: String| format!("topic `{topic}`: {text}");
    match fault {
        BusFault::Unavailable(text) => BusFault::Unavailable(about(text)),
        BusFault::Aborted(text) => BusFault::Aborted(about(text)),
        BusFault::Misconfigured(text) => BusFault::Misconfigured(about(text)),
        BusFault::TooLarge(text) => BusFault::TooLarge(about(text)),
        other => other,
    }
}

/// Classifies an error code.
pub(crate) fn fault_of_code(code: RDKafkaErrorCode) -> BusFault {
    use RDKafkaErrorCode as Code;
    let says = |what: &str| format!("Kafka: {what} ({code:?})");
    match code {
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => {
            BusFault::Fenced("another process has taken this connector over".to_owned())
        }
        Code::FencedInstanceId => BusFault::Fenced(
            "another process has joined with the same `bus.kafka.group.instance.id`; this one takes part again only when it is restarted".to_owned(),
        ),
        Code::InvalidTimestamp => BusFault::Misconfigured(says(
            "the broker refuses the time of the records: the clock of this host or of the broker is wrong; set it right, or raise `message.timestamp.after.max.ms` (an hour by default) or `message.timestamp.before.max.ms` of the topic",
        )),
        Code::InvalidRecord => BusFault::Misconfigured(says(
            "the broker refuses the records: the clock of this host is ahead of the broker's by more than the topic's `message.timestamp.after.max.ms` (an hour by default), or behind it by more than `message.timestamp.before.max.ms`; set it right, or raise those",
        )),
        Code::MessageSizeTooLarge => BusFault::TooLarge(says("the record is too large")),
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => {
            BusFault::Misconfigured(says(
                "the broker refuses the credentials; check `bus.kafka.sasl.*`",
            ))
        }
        Code::SSL => {
            BusFault::Misconfigured(says("no TLS session with the broker; check `bus.kafka.ssl.*`"))
        }
        Code::TopicAuthorizationFailed => BusFault::Misconfigured(says(
            "a right to a topic is missing: DESCRIBE, READ and WRITE on all that begin with `prefix`, and CREATE where topics are missing",
        )),
        Code::GroupAuthorizationFailed => BusFault::Misconfigured(says(
            "the right READ is missing on the groups that begin with `talon.group`",
        )),
        Code::TransactionalIdAuthorizationFailed => BusFault::Misconfigured(says(
            "the rights DESCRIBE and WRITE are missing on the transactional ids that begin with `prefix`",
        )),
        Code::ClusterAuthorizationFailed => BusFault::Misconfigured(says(
            "the right CREATE is missing on the topics that begin with `prefix`, or on the cluster",
        )),
        Code::InvalidReplicationFactor
        | Code::InvalidPartitions
        | Code::InvalidConfig
        | Code::PolicyViolation
        | Code::InvalidTopic => {
            BusFault::Misconfigured(says("the broker refuses a topic's setting"))
        }
        Code::InvalidTransactionTimeout => BusFault::Misconfigured(says(
            "transactions may not take that long; lower `bus.kafka.transaction.timeout.ms`, or raise `transaction.max.timeout.ms` of the brokers",
        )),
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            BusFault::Aborted(says("a topic is gone"))
        }
        Code::AllBrokersDown | Code::BrokerTransportFailure | Code::Resolve => {
            BusFault::Unavailable(says("no broker can be reached"))
        }
        Code::OperationTimedOut
        | Code::MessageTimedOut
        | Code::TimedOutQueue
        | Code::RequestTimedOut => {
            BusFault::Unavailable(says("the broker does not answer in time"))
        }
        _ => BusFault::Unavailable(says("the broker cannot do it now")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_maps_to_one_action() {
        use RDKafkaErrorCode as Code;
        for (code, kind) in [
            (Code::ProducerFenced, "fenced"),
            (Code::InvalidProducerEpoch, "fenced"),
            (Code::Fenced, "fenced"),
            (Code::FencedInstanceId, "fenced"),
            (Code::MessageSizeTooLarge, "too_large"),
            (Code::Authentication, "misconfigured"),
            (Code::SaslAuthenticationFailed, "misconfigured"),
            (Code::SSL, "misconfigured"),
            (Code::TopicAuthorizationFailed, "misconfigured"),
            (Code::TransactionalIdAuthorizationFailed, "misconfigured"),
            (Code::InvalidReplicationFactor, "misconfigured"),
            (Code::PolicyViolation, "misconfigured"),
            (Code::InvalidTimestamp, "misconfigured"),
            (Code::InvalidRecord, "misconfigured"),
            (Code::UnknownTopicOrPartition, "aborted"),
            (Code::AllBrokersDown, "unavailable"),
            (Code::BrokerTransportFailure, "unavailable"),
            (Code::OperationTimedOut, "unavailable"),
            (Code::MessageTimedOut, "unavailable"),
            (Code::NotEnoughReplicas, "unavailable"),
            (Code::LeaderNotAvailable, "unavailable"),
        ] {
            assert_eq!(fault_of_code(code).kind(), kind, "{code:?}");
        }
    }

    #[test]
    fn an_error_never_quotes_a_property() {
        let error = rdkafka::config::ClientConfig::new()
            .set("sasl.password.typo", "hunter2")
            .create_native_config()
            .err()
            .unwrap();
        let fault = fault_of(&error);
        assert_eq!(fault.kind(), "misconfigured");
        assert!(!fault.to_string().contains("hunter2"), "{fault}");
    }
}
