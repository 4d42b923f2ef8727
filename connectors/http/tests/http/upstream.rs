//! Clients as a configuration makes them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use prometheus::Registry;
use talon_http::{Client, Config, Request};
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{Clock, Context, Fault, UpstreamMetrics};

/// What must never be seen in an error.
pub(crate) const SECRET: &str = "s3cr3t";
/// A personal part of a path or query, which must not be seen either.
pub(crate) const PERSONAL: &str = "79001234567";

pub(crate) fn context() -> Context {
    Context {
        name: "field-service".to_owned(),
        clock: Clock::Manual(Arc::new(AtomicI64::new(784_111_777_000))),
        metrics: UpstreamMetrics::register(&Registry::new()).unwrap(),
    }
}

pub(crate) fn config(settings: &[(&str, &str)]) -> Config {
    let keys = talon_http::keys();
    let texts: BTreeMap<_, _> =
        settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let secrets = Secrets::Resolve(Arc::default());
    let mut settings = Settings::new("", &keys, texts, &secrets);
    let config = talon_http::read(&mut settings);
    assert_eq!(settings.problems(), []);
    config
}

pub(crate) fn client(url: &str, settings: &[(&str, &str)]) -> (Client, UpstreamMetrics) {
    let context = context();
    let client = build(url, settings, &context).unwrap();
    (client, context.metrics)
}

pub(crate) fn build(
    url: &str,
    settings: &[(&str, &str)],
    context: &Context,
) -> Result<Client, Fault> {
    let settings: Vec<_> = [("upstream.url", url)].iter().chain(settings).copied().collect();
    Client::new(config(&settings), context)
}

/// A read with something personal in path and query.
pub(crate) fn list() -> Request<'static> {
    Request::get("GET /call/{phone}", ["call", PERSONAL]).query("phone", PERSONAL)
}

/// How often a code was counted.
pub(crate) fn counted(metrics: &UpstreamMetrics, code: &str) -> u64 {
    metrics.requests.with_label_values(&["field-service", code]).get()
}

/// Fails where an error says what it must not.
pub(crate) fn assert_discreet(error: &impl std::error::Error) {
    let text = format!("{error} {error:?} {:?}", error.source());
    for forbidden in [SECRET, PERSONAL, "127.0.0.1", "://"] {
        assert!(!text.contains(forbidden), "`{forbidden}` in {text}");
    }
    assert!(text.contains("`GET /call/{phone}`"), "{text}");
}
