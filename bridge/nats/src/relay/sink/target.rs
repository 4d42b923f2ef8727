//! The stream that is written to: made, or looked at.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy};
use talon_runtime::bus::BusFault;
use talon_runtime::relay::SinkSpec;

use super::super::message::{bus_of, created};
use super::super::place;
use crate::config::Access;
use crate::connection::Connection;
use crate::policy::covers;
use crate::streams::{create, info};
use crate::writer::Limits;

/// A stream that records are written to.
pub(super) struct Target {
    /// As records name it among the buses that they have passed.
    pub(super) bus: String,
    /// Whether it takes atomic batches.
    pub(super) atomic: bool,
    /// Whether records one by one may be on their way at the same time.
    pub(super) pipelined: bool,
    /// Whether a record can expect the sequence of another subject.
    pub(super) guards: bool,
    /// Whether a message can remove those before it.
    pub(super) rollup: bool,
    /// Bytes of a message, at most.
    pub(super) bytes: usize,
    /// After so long positions are written again, before the stream ends them.
    pub(super) refresh: Option<Duration>,
    subjects: Vec<String>,
}

impl Target {
    pub(super) async fn ensure(
        connection: &Connection,
        prefix: &str,
        spec: &SinkSpec,
        access: &Access,
    ) -> Result<Target, BusFault> {
        let client = &connection.client;
        let is_new = client.is_server_compatible(2, 12, 0);
        let found = match info(connection, &spec.stream).await? {
            Some(found) => found,
            None => {
                let wanted = place::stream(prefix, spec, access, is_new);
                create(connection, &wanted).await?;
                let made = info(connection, &spec.stream).await?;
                made.ok_or_else(|| {
                    BusFault::Unavailable("NATS: the stream that was made is not there".to_owned())
                })?
            }
        };
        let config = &found.config;
        usable(config, prefix, spec)?;
        let atomic = config.allow_atomic_publish && is_new;
        let has_replicas = config.num_replicas > 1;
        let target = Target {
            bus: bus_of(&spec.stream, created(&found)),
            atomic,
            pipelined: !(has_replicas && is_new),
            guards: client.is_server_compatible(2, 11, 0),
            rollup: config.allow_rollup,
            bytes: Limits::of(client.max_payload(), config).bytes,
            refresh: (!config.max_age.is_zero()).then(|| config.max_age / 4),
            subjects: config.subjects.clone(),
        };
        tell_limits(config);
        if !target.atomic && !target.pipelined {
            tracing::warn!(
                stream = spec.stream,
                "records go one by one, each when the one before is stored; set `allow_atomic` on the stream to make it fast"
            );
        }
        Ok(target)
    }

    /// Whether it takes this subject.
    pub(super) fn takes(&self, subject: &str) -> bool {
        self.subjects.iter().any(|pattern| covers(pattern, subject))
    }
}

/// What a stream that is there would not keep of what a relay writes to it.
///
/// # Errors
/// A relay cannot write to it.
pub(in super::super) async fn losses(
    connection: &Connection,
    prefix: &str,
    spec: &SinkSpec,
) -> Result<Vec<String>, BusFault> {
    let Some(found) = info(connection, &spec.stream).await? else { return Ok(Vec::new()) };
    usable(&found.config, prefix, spec)?;
    Ok(limits(&found.config))
}

/// By what records vanish, or are refused.
fn limits(config: &Config) -> Vec<String> {
    let mut limits = Vec::new();
    let mut tell = |is_so: bool, what: &str| {
        if is_so {
            limits.push(what.to_owned());
        }
    };
    let is_bounded = config.max_messages > 0 || config.max_bytes > 0;
    let pushes_out = config.discard == DiscardPolicy::Old;
    tell(
        is_bounded && pushes_out,
        "`max_msgs` or `max_bytes` is set and `discard` is old: records push older ones out, and positions end as they do: after a longer pause all that the source still has is carried again",
    );
    tell(
        is_bounded && !pushes_out,
        "`max_msgs` or `max_bytes` is set and `discard` is new: a stream that is full takes nothing more, and the relay stands there",
    );
    tell(
        !config.max_age.is_zero(),
        "`max_age` is set: records end by it, counted from when they arrive, and positions do: after a longer pause all that the source still has is carried again",
    );
    tell(
        config.max_messages_per_subject > 0,
        "`max_msgs_per_subject` is set: of each subject only the newest records stay",
    );
    limits
}

/// Says by what records and positions can vanish.
fn tell_limits(config: &Config) {
    for limit in limits(config) {
        tracing::warn!(stream = config.name, "{limit}");
    }
}

/// Refuses a stream that a relay cannot write to.
fn usable(found: &Config, prefix: &str, spec: &SinkSpec) -> Result<(), BusFault> {
    let problems = problems(found, prefix, spec);
    if problems.is_empty() {
        return Ok(());
    }
    Err(BusFault::Misconfigured(format!(
        "NATS: a relay cannot write to the stream `{}`: {}",
        spec.stream,
        problems.join("; ")
    )))
}

/// Why a relay cannot write to a stream.
fn problems(found: &Config, prefix: &str, spec: &SinkSpec) -> Vec<String> {
    let mut problems = Vec::new();
    let mut refuse = |wrong: bool, why: String| {
        if wrong {
            problems.push(why);
        }
    };
    let positions = place::all_positions(prefix, &spec.stream);
    for subject in spec.subjects.iter().chain([&positions]) {
        refuse(
            !found.subjects.iter().any(|pattern| covers(pattern, subject)),
            format!("`subjects` does not cover `{subject}`; add it"),
        );
    }
    refuse(
        found.mirror.is_some() || found.sources.as_ref().is_some_and(|sources| !sources.is_empty()),
        "it is a mirror or has `sources`".to_owned(),
    );
    refuse(
        found.subject_transform.is_some(),
        "it has a `subject_transform`, so records would not be under their subjects".to_owned(),
    );
    refuse(found.no_ack, "`no_ack` is set: nothing tells whether a record is stored".to_owned());
    refuse(found.sealed, "it is sealed".to_owned());
    refuse(
        found.retention != RetentionPolicy::Limits,
        "`retention` is not limits: the positions would vanish when nobody reads them".to_owned(),
    );
    refuse(found.allow_message_counter, "`allow_msg_counter` is set".to_owned());
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_of_a_stream_that_drops_records_is_told_and_no_other() {
        let told = |config: Config| limits(&config).len();
        assert_eq!(told(Config::default()), 0);
        assert_eq!(told(Config { max_messages: 10, ..Config::default() }), 1);
        assert_eq!(told(Config { max_bytes: 10, ..Config::default() }), 1);
        let discard = DiscardPolicy::New;
        assert_eq!(told(Config { max_bytes: 10, discard, ..Config::default() }), 1);
        assert_eq!(told(Config { max_age: Duration::from_secs(1), ..Config::default() }), 1);
        let by_subject = Config { max_messages_per_subject: 1, ..Config::default() };
        assert!(limits(&by_subject)[0].contains("of each subject"));
    }
}
