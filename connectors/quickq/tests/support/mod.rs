//! A connector of the class under test, and what its rows come to.
#![allow(clippy::unwrap_used, dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus::Registry;
use serde_json::Value;
use talon_quickq::QuickQ;
use talon_schemas::{Contract, Envelope, Op, Source};
use talon_sdk::config::{Problem, Secrets, Settings};
use talon_sdk::{Class, Clock, Connector, Context, FeedPlan, Row, RowFault, UpstreamMetrics};

/// A connector under some settings besides those that every one needs.
pub(crate) fn connector(settings: &[(&str, &str)]) -> Result<Arc<dyn Connector>, Vec<Problem>> {
    let mut texts: BTreeMap<String, String> = [
        ("upstream.url", "ws://localhost:55556/logic"),
        ("auth.login", "admin"),
        ("auth.password", "12345"),
    ]
    .into_iter()
    .map(|(key, text)| (key.to_owned(), text.to_owned()))
    .collect();
    texts.extend(settings.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())));
    texts.retain(|_, text| text != "-");
    let keys = QuickQ.keys();
    let secrets = Secrets::Resolve(Arc::default());
    let mut settings = Settings::new("", &keys, texts, &secrets);
    let metrics = UpstreamMetrics::register(&Registry::new()).unwrap();
    let context = Context { name: "hall".to_owned(), clock: Clock::System, metrics };
    QuickQ.configure(&mut settings, context).ok_or_else(|| settings.into_problems())
}

/// The plan of a feed.
pub(crate) fn plan(connector: &dyn Connector, feed: &str) -> FeedPlan {
    connector.feeds().into_iter().find(|plan| *plan.spec.name == *feed).unwrap()
}

/// The key and the entity that a feed makes of a row, under some settings.
pub(crate) fn entity(
    feed: &str,
    scope: &str,
    row: &str,
    settings: &[(&str, &str)],
) -> Result<(String, Value), RowFault> {
    let mut all = vec![("queue.workplaces", "11")];
    all.extend(settings);
    let connector = connector(&all).unwrap();
    let plan = plan(connector.as_ref(), feed);
    let mut out = Row::default();
    plan.codec.decode(row.as_bytes(), scope, &mut out)?;
    let mut peeked = String::new();
    assert!(plan.codec.peek_key(row.as_bytes(), scope, &mut peeked), "{row}");
    assert_eq!(peeked, out.key, "peeked and decoded keys are the same");
    Ok((out.key, shown(plan.spec.contract(), &out.value)))
}

/// An entity's datum as JSON.
pub(crate) fn shown(contract: &Contract, value: &[u8]) -> Value {
    let source = Source {
        version: "",
        connector: "",
        name: "",
        feed: "",
        scope: "",
        ts_ms: 0,
        snapshot: false,
        absent: false,
        instants: talon_schemas::Instants::Micros,
    };
    let mut event = Vec::new();
    Envelope { before: None, after: Some(value), source, op: Op::Create, ts_ms: 0 }
        .encode(&mut event);
    contract.to_json(&event).unwrap()["after"].clone()
}
