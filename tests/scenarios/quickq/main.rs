//! The connector `quickq` through the whole program, against a simulated hall, a real Kafka and a real
//! NATS.
#![allow(clippy::unwrap_used)]

mod commands;
mod discreet;
mod killed;
mod reconnected;
#[path = "../support/mod.rs"]
mod support;
mod truth;

use std::collections::BTreeMap;

use support::{connect, process};
use talon_simulators::quickq::Settings;

/// In everything that must not be seen: names, comments.
const CANARY: &str = "кенар";
const LOGIN: &str = "canary-login";
const PASSWORD: &str = "canary-password";

/// A hall of a newer build, in which nobody does anything yet.
fn hall(seed: u64) -> Settings {
    Settings {
        seed,
        login: LOGIN.to_owned(),
        password: PASSWORD.to_owned(),
        newer_fields: true,
        echo_id: seed.is_multiple_of(2),
        ..Settings::noisy()
    }
}

/// A configuration for one connector `hall`.
fn configuration(
    prefix: &str,
    address: &str,
    upstream: &str,
    settings: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let mut texts = process(prefix, address);
    let usual = [
        ("class", "quickq"),
        ("upstream.url", upstream),
        ("auth.login", LOGIN),
        ("auth.password", PASSWORD),
        ("refresh.interval.ms", "1000"),
        ("statistics.poll.interval.ms", "100"),
    ];
    connect(&mut texts, "hall", &usual);
    connect(&mut texts, "hall", settings);
    texts
}
