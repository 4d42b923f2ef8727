//! The feeds against the simulated upstream.
#![allow(clippy::unwrap_used)]

mod faults;
mod hall;
mod lists;
mod quirks;
mod reconnects;
#[path = "../support/mod.rs"]
mod support;
