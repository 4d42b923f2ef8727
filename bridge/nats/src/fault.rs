//! What an error of the client or the server means to a shard.

use async_nats::ConnectErrorKind;
use async_nats::jetstream::context::{RequestError, RequestErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use talon_runtime::bus::BusFault;

/// A conflict, with the number of the sequence in its text, or without.
const WRONG_LAST_SEQUENCE: u64 = 10071;
const WRONG_LAST_SEQUENCE_CONSTANT: u64 = 10164;

/// Whether the subject's last record is another one than was expected.
pub(crate) fn is_conflict(error: &jetstream::Error) -> bool {
    matches!(error.error_code().0, WRONG_LAST_SEQUENCE | WRONG_LAST_SEQUENCE_CONSTANT)
}

/// The same record, by its id, is on its way inside of a cluster.
const DUPLICATE_IN_PROCESS: u64 = 10158;

/// The account takes no stream without `max_bytes`.
const MAX_BYTES_REQUIRED: u64 = 10113;

/// Whether the same record is on its way already: the server knows in a moment what became of it.
pub(crate) fn is_in_process(error: &jetstream::Error) -> bool {
    error.error_code().0 == DUPLICATE_IN_PROCESS
}

/// Classifies what the server answers. `what` was asked for.
pub(crate) fn fault_of(error: &jetstream::Error, what: &str) -> BusFault {
    fault_of_code(error.error_code(), what, &error.to_string())
}

/// Classifies a code of the server.
pub(crate) fn fault_of_code(code: ErrorCode, what: &str, text: &str) -> BusFault {
    let says = |meaning: &str| format!("NATS: {what}: {meaning} ({text})");
    match code.0 {
        WRONG_LAST_SEQUENCE | WRONG_LAST_SEQUENCE_CONSTANT => BusFault::Aborted(says(
            "another process published for the same entity; what it published is read back",
        )),
        // No message ttl here, or a bad one: the stream was changed under us.
        10165 | 10166 => BusFault::Aborted(says("the stream's settings have changed")),
        // Stream or consumer is gone; whether that is a fault is decided when it is opened again.
        10059 | 10014 => BusFault::Aborted(says("the stream is gone")),
        // Another process creates the same with other settings at this moment.
        10058 | 10148 => BusFault::Aborted(says("it was created by another process")),
        10054 => BusFault::Misconfigured(says(
            "the stream takes only smaller records; raise its `max_msg_size`",
        )),
        10077 => BusFault::Misconfigured(says(
            "the stream is full, and a full stream can also refuse what replaces the newest value of a subject (with replicas, from nats-server 2.12); raise its `max_bytes`, `max_msgs` or the account's limits, and leave room",
        )),
        MAX_BYTES_REQUIRED => BusFault::Misconfigured(says(
            "the account demands a size of each stream (`max_bytes_required`); set `bus.nats.feeds.max.bytes`, and the same for `dlq`, `checkpoints`, `leases`, `commands`, `results`, `configs` and `status`",
        )),
        10002 | 10023 | 10026 | 10027 | 10028 | 10047 => BusFault::Misconfigured(says(
            "the account or the server has no room left for it; raise the limits of the account or server, or lower `bus.nats.*.max.bytes` and replicas",
        )),
        10076 | 10039 | 10035 => {
            BusFault::Misconfigured(says("JetStream is not enabled for this account"))
        }
        10065 => BusFault::Misconfigured(says(
            "another stream has its subjects; remove that one, or choose another prefix or name",
        )),
        10136 | 10138 => BusFault::Misconfigured(says("the filters of the subjects overlap")),
        10084 | 10099 | 10100 => BusFault::Misconfigured(says(
            "a stream with the work queue policy cannot be read by a relay",
        )),
        10003 | 10025 | 10052 | 10074 | 10005 => {
            BusFault::Misconfigured(says("the server refuses a setting"))
        }
        _ => BusFault::Unavailable(says("the server cannot do it now")),
    }
}

/// Classifies why a request had no answer.
pub(crate) fn fault_of_request(error: &RequestError, what: &str) -> BusFault {
    let says = |meaning: &str| format!("NATS: {what}: {meaning}");
    match error.kind() {
        RequestErrorKind::NoResponders => BusFault::Unavailable(says(
            "JetStream does not answer; it is not enabled, or has no leader now",
        )),
        RequestErrorKind::TimedOut => {
            BusFault::Unavailable(says("the server does not answer in time"))
        }
        RequestErrorKind::InvalidSubject => BusFault::Misconfigured(says("no valid subject")),
        RequestErrorKind::Other => BusFault::Unavailable(says("the answer cannot be read")),
    }
}

/// Classifies why there is no connection. The text of the client's error is not quoted where it could
/// tell a secret.
pub(crate) fn fault_of_connect(kind: ConnectErrorKind, cause: Option<String>) -> BusFault {
    let says = |meaning: &str| match &cause {
        Some(cause) => format!("NATS: {meaning} ({cause})"),
        None => format!("NATS: {meaning}"),
    };
    match kind {
        ConnectErrorKind::AuthorizationViolation => BusFault::Misconfigured(
            "NATS: the server refuses the credentials; check `bus.nats.user` and its like".to_owned(),
        ),
        ConnectErrorKind::Authentication => BusFault::Misconfigured(
            "NATS: the credentials cannot be used; check `bus.nats.nkey.seed` or `bus.nats.credentials.file`".to_owned(),
        ),
        ConnectErrorKind::Tls => BusFault::Misconfigured(says("no TLS session; check `bus.nats.tls.*`")),
        ConnectErrorKind::ServerParse => {
            BusFault::Misconfigured("NATS: check `bus.nats.servers`".to_owned())
        }
        ConnectErrorKind::Dns => BusFault::Unavailable(says("no server's name can be resolved")),
        ConnectErrorKind::TimedOut => {
            BusFault::Unavailable(says("no server answers in time"))
        }
        ConnectErrorKind::Io | ConnectErrorKind::MaxReconnects => {
            // A TLS session that fails comes as an input or output error.
            match &cause {
                Some(text) if is_about_tls(text) => {
                    BusFault::Misconfigured(says("no TLS session; check `bus.nats.tls.*`"))
                }
                _ => BusFault::Unavailable(says("no server can be reached")),
            }
        }
    }
}

fn is_about_tls(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["certificate", "corrupt message", "fatal alert"].iter().any(|part| text.contains(part))
}

/// Classifies a line of the server outside of an answer; `None` where it tells of no trouble of ours.
pub(crate) fn fault_of_line(line: &str) -> Option<BusFault> {
    let lower = line.to_ascii_lowercase();
    if lower.contains("permissions violation") {
        return Some(BusFault::Misconfigured(format!(
            "NATS: the account lacks a right that Talon needs: to {} (permissions violation); the README of the NATS bus lists all of them",
            right_of(line)
        )));
    }
    if lower.contains("authorization violation")
        || lower.contains("authentication expired")
        || lower.contains("authentication revoked")
        || lower.contains("failed signing nonce")
    {
        return Some(fault_of_connect(ConnectErrorKind::AuthorizationViolation, None));
    }
    None
}

/// What may be asked of JetStream, as the README lists it.
const API: [&str; 12] = [
    "STREAM.INFO",
    "STREAM.CREATE",
    "STREAM.UPDATE",
    "STREAM.PURGE",
    "STREAM.MSG.GET",
    "DIRECT.GET",
    "CONSUMER.CREATE",
    "CONSUMER.INFO",
    "CONSUMER.LIST",
    "CONSUMER.DELETE",
    "CONSUMER.MSG.NEXT",
    "INFO",
];

/// The right that is missing, of a line that quotes the subject. The subject can hold an entity's key, so
/// no more of it is told than the README says.
fn right_of(line: &str) -> String {
    if line.to_ascii_lowercase().contains("for subscription") {
        return "subscribe to `{bus.nats.inbox.prefix}.>`".to_owned();
    }
    let subject = line.split('"').nth(1).unwrap_or_default();
    let right = if let Some((_, rest)) = subject.split_once("$KV.") {
        let bucket = rest.split('.').next().unwrap_or_default();
        format!("$KV.{bucket}.>")
    } else if let Some((before, rest)) = subject.split_once(".API.") {
        let asked = API.into_iter().find(|api| rest.starts_with(api));
        match asked {
            Some("INFO") => format!("{before}.API.INFO"),
            Some(asked) => format!("{before}.API.{asked}.>"),
            None => format!("{before}.API.>"),
        }
    } else if subject.starts_with("$JS.ACK.") {
        "$JS.ACK.>".to_owned()
    } else {
        "{talon.prefix}.>".to_owned()
    };
    format!("publish to `{right}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_maps_to_one_action() {
        for (code, kind) in [
            (ErrorCode::STREAM_WRONG_LAST_SEQUENCE, "aborted"),
            (ErrorCode(10164), "aborted"),
            (ErrorCode(10166), "aborted"),
            (ErrorCode::STREAM_NOT_FOUND, "aborted"),
            (ErrorCode::CONSUMER_NOT_FOUND, "aborted"),
            (ErrorCode::STREAM_NAME_EXIST, "aborted"),
            (ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, "misconfigured"),
            (ErrorCode::STREAM_STORE_FAILED, "misconfigured"),
            (ErrorCode(10113), "misconfigured"),
            (ErrorCode(10027), "misconfigured"),
            (ErrorCode::ACCOUNT_RESOURCES_EXCEEDED, "misconfigured"),
            (ErrorCode::INSUFFICIENT_RESOURCES, "misconfigured"),
            (ErrorCode::JETSTREAM_NOT_ENABLED, "misconfigured"),
            (ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT, "misconfigured"),
            (ErrorCode::STREAM_SUBJECT_OVERLAP, "misconfigured"),
            (ErrorCode::STREAM_INVALID_CONFIG, "misconfigured"),
            (ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED, "misconfigured"),
            (ErrorCode::CLUSTER_NOT_AVAILABLE, "unavailable"),
            // The last sequence of the subject is in flight on another leader.
            (ErrorCode(10163), "unavailable"),
        ] {
            assert_eq!(fault_of_code(code, "x", "").kind(), kind, "{code:?}");
        }
    }

    #[test]
    fn every_failure_to_connect_maps_to_one_action() {
        for (kind, cause, expected) in [
            (ConnectErrorKind::AuthorizationViolation, None, "misconfigured"),
            (ConnectErrorKind::Authentication, None, "misconfigured"),
            (ConnectErrorKind::Tls, None, "misconfigured"),
            (
                ConnectErrorKind::Io,
                Some("invalid peer certificate: UnknownIssuer"),
                "misconfigured",
            ),
            (
                ConnectErrorKind::Io,
                Some("received fatal alert: CertificateRequired"),
                "misconfigured",
            ),
            (ConnectErrorKind::Io, Some("Connection refused"), "unavailable"),
            (ConnectErrorKind::Dns, None, "unavailable"),
            (ConnectErrorKind::TimedOut, None, "unavailable"),
        ] {
            assert_eq!(
                fault_of_connect(kind, cause.map(str::to_owned)).kind(),
                expected,
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_line_about_rights_does_not_quote_the_subject() {
        let line = "Permissions Violation for Publish to \"talon.field.call.Ivanov\"";
        let fault = fault_of_line(line).unwrap();
        assert_eq!(fault.kind(), "misconfigured");
        assert!(!fault.to_string().contains("Ivanov"));
        assert!(fault.to_string().contains("publish to `{talon.prefix}.>`"), "{fault}");
        assert_eq!(fault_of_line("user authentication expired").unwrap().kind(), "misconfigured");
        assert_eq!(fault_of_line("slow consumer"), None);
    }

    #[test]
    fn the_right_that_is_missing_is_named_and_no_more_of_the_subject() {
        for (what, subject, right) in [
            ("Publish", "$JS.API.STREAM.INFO.TALON_field", "publish to `$JS.API.STREAM.INFO.>`"),
            ("Publish", "$JS.API.INFO", "publish to `$JS.API.INFO`"),
            (
                "Publish",
                "$JS.plant.API.CONSUMER.CREATE.TALON_a.x.t.a.b.Ivanov",
                "publish to `$JS.plant.API.CONSUMER.CREATE.>`",
            ),
            ("Publish", "$KV.talon_leases.shard.a", "publish to `$KV.talon_leases.>`"),
            (
                "Publish",
                "$JS.plant.API.$KV.talon_leases.shard.a",
                "publish to `$KV.talon_leases.>`",
            ),
            ("Publish", "$JS.ACK.TALON_a_COMMANDS.x.1.1.1.1.0", "publish to `$JS.ACK.>`"),
            ("Subscription", "_INBOX.abc.*", "subscribe to `{bus.nats.inbox.prefix}.>`"),
        ] {
            let line = format!("Permissions Violation for {what} to \"{subject}\"");
            let fault = fault_of_line(&line).unwrap().to_string();
            assert!(fault.contains(right), "{fault}");
            assert!(!fault.contains("Ivanov"), "{fault}");
        }
    }
}
