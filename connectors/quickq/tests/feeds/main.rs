//! The feeds against the simulated upstream.
#![allow(clippy::unwrap_used)]

#[path = "../../../http/tests/http/authority.rs"]
mod authority;
mod faults;
mod hall;
mod lists;
mod quirks;
mod reconnects;
mod secured;
#[path = "../support/mod.rs"]
mod support;
