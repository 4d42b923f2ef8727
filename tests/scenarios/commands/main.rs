//! Commands through the whole program: exactly one effect and one outcome, whatever happens. Against
//! a real Kafka and a real NATS.
#![allow(clippy::unwrap_used)]

#[path = "../../../connectors/contractor/tests/commands/cases.rs"]
#[allow(dead_code)]
mod cases;
#[path = "../../../connectors/contractor/tests/commands/discreet.rs"]
mod discreet;
mod forgotten;
mod killed;
mod mixed;
mod sent;
#[path = "../support/mod.rs"]
mod support;
#[path = "../../../connectors/contractor/tests/commands/world.rs"]
#[allow(dead_code)]
mod world;

use std::collections::BTreeMap;

use support::configuration;
use support::results::outcomes;
use talon_runtime::commands::ResultRecord;
use world::{EXTERNAL, PASSWORD, USER};

/// A configuration that carries all commands, and reads no more than it must.
fn carrying(prefix: &str, address: &str, upstream: &str) -> BTreeMap<String, String> {
    let mut texts = configuration(prefix, address, upstream);
    for (key, text) in [
        ("connectors.field.auth.external.token", EXTERNAL),
        ("connectors.field.auth.user.name", USER),
        ("connectors.field.auth.user.password", PASSWORD),
        ("connectors.field.feeds", "call,call_message"),
        ("connectors.field.call.poll.interval.ms", "1000"),
        ("connectors.field.call_message.poll.interval.ms", "1000"),
        ("connectors.field.upstream.request.timeout.ms", "20000"),
        ("connectors.field.commands.settle.ms", "20000"),
        ("connectors.field.commands.retry.budget.ms", "50000"),
    ] {
        texts.insert(key.to_owned(), text.to_owned());
    }
    texts.remove("connectors.field.call_jeopardy.poll.interval.ms");
    texts.remove("connectors.field.call_task.poll.interval.ms");
    texts
}

/// All results on the topic, in order for each command.
fn results(address: &str, prefix: &str) -> Vec<ResultRecord> {
    support::results::results(address, prefix, "field")
}
