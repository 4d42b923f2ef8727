//! What streams lose by their settings, looked at while a connector runs: an operator can change a stream at
//! any time. What breaks a guarantee is refused when the connector is opened next; until then it is shown.

use std::collections::HashMap;

use async_nats::jetstream::stream::{Config, Info};
use talon_runtime::bus::{BusFault, ConnectorTopics};

use crate::connection::Connection;
use crate::lane;
use crate::layout::Layout;
use crate::policy::{Role, violations};
use crate::session::Session;
use crate::streams::info;

/// A stream is nearly full when so many hundredths of a limit are used.
const NEARLY: u64 = 90;

/// What the streams of each connector lose.
pub(crate) async fn inspect(
    session: &Session,
    connectors: &[ConnectorTopics],
) -> Vec<Result<Vec<String>, BusFault>> {
    let mut look = match session.aside().await {
        Ok(connection) => Look { connection, found: HashMap::new() },
        Err(fault) => return connectors.iter().map(|_| Err(fault.clone())).collect(),
    };
    let mut all = Vec::with_capacity(connectors.len());
    let mut silent = None;
    for connector in connectors {
        let found = match &silent {
            None => look.losses(session, connector).await,
            Some(fault) => Err(BusFault::clone(fault)),
        };
        // Each of the others would be waited for as long.
        silent = found.as_ref().err().filter(|f| matches!(f, BusFault::Unavailable(_))).cloned();
        all.push(found);
    }
    all
}

/// One look, in which no stream is asked for twice.
struct Look {
    connection: Connection,
    found: HashMap<String, Option<Info>>,
}

impl Look {
    async fn losses(
        &mut self,
        session: &Session,
        connector: &ConnectorTopics,
    ) -> Result<Vec<String>, BusFault> {
        let Session { access, prefix, .. } = session;
        let ConnectorTopics { shard, lane } = connector;
        // The settings that a newer server adds lose nothing.
        let Layout { feeds, dead_letters, checkpoints, .. } =
            Layout::new(prefix, shard, access, false);
        let mut wanted = vec![
            (Role::Feeds, feeds),
            (Role::DeadLetters, dead_letters),
            (Role::Checkpoints, checkpoints.below),
        ];
        wanted.extend(lane.iter().flat_map(|lane| lane::streams(session, lane)));
        let mut told = Vec::new();
        for (role, wanted) in wanted {
            // One that is gone is noticed elsewhere.
            let Some(stream) = self.info(&wanted.name).await? else { continue };
            let mut losses = violations(role, &stream.config, &wanted);
            losses.extend(early(role, &stream.config, &wanted));
            losses.extend(nearly_full(stream));
            told.extend(losses.into_iter().map(|loss| format!("stream `{}`: {loss}", wanted.name)));
        }
        Ok(told)
    }

    async fn info(&mut self, stream: &str) -> Result<Option<&Info>, BusFault> {
        if !self.found.contains_key(stream) {
            let found = info(&self.connection, stream).await?;
            self.found.insert(stream.to_owned(), found);
        }
        Ok(self.found.get(stream).and_then(Option::as_ref))
    }
}

/// An age that is shorter than meant, where what goes by it is missed.
fn early(role: Role, found: &Config, wanted: &Config) -> Option<String> {
    let what = match role {
        Role::Commands => "commands that were not read by then are lost",
        Role::Results => {
            "what became of a command is forgotten too early, and the command ends `UNKNOWN` if it comes again"
        }
        Role::Feeds | Role::DeadLetters | Role::Checkpoints | Role::Store => return None,
    };
    let is_early =
        !found.max_age.is_zero() && (wanted.max_age.is_zero() || found.max_age < wanted.max_age);
    is_early.then(|| {
        let (found, wanted) = (found.max_age.as_millis(), wanted.max_age.as_millis());
        format!("`max_age` is {found} ms, and records are meant to stay for {wanted}: {what}")
    })
}

/// A stream that refuses new records soon, or does already. One that drops the oldest is never full.
fn nearly_full(stream: &Info) -> Option<String> {
    let (config, state) = (&stream.config, &stream.state);
    if config.discard == async_nats::jetstream::stream::DiscardPolicy::Old {
        return None;
    }
    let limits = [
        ("max_bytes", config.max_bytes, state.bytes),
        ("max_msgs", config.max_messages, state.messages),
    ];
    limits.into_iter().find_map(|(name, limit, used)| {
        let limit = u64::try_from(limit).ok().filter(|limit| *limit > 0)?;
        (u128::from(used) * 100 >= u128::from(limit) * u128::from(NEARLY)).then(|| {
            format!(
                "it is full, or nearly: {used} of the {limit} of `{name}` are used; full, it refuses records, and with replicas also those that replace the newest value of a subject; raise the limit"
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_age_that_is_shorter_than_meant_is_told_where_it_loses_something() {
        let config =
            |seconds| Config { max_age: Duration::from_secs(seconds), ..Config::default() };
        for (role, found, wanted, told) in [
            (Role::Results, 5, 10, true),
            (Role::Results, 5, 0, true),
            (Role::Results, 0, 10, false),
            (Role::Results, 10, 10, false),
            (Role::Commands, 5, 10, true),
            (Role::DeadLetters, 5, 10, false),
        ] {
            let early = early(role, &config(found), &config(wanted));
            assert_eq!(early.is_some(), told, "{role:?} {found} {wanted}: {early:?}");
        }
    }
}
