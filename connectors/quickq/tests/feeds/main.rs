//! The feeds against the simulated upstream.
#![allow(clippy::unwrap_used)]

#[path = "../../../http/tests/http/authority.rs"]
mod authority;
mod faults;
mod hall;
mod lists;
mod proxied;
mod quirks;
mod reconnects;
#[path = "../../../http/tests/http/relay.rs"]
mod relay;
mod rogue;
mod secured;
#[path = "../support/mod.rs"]
mod support;
