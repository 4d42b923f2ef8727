//! Commands against the simulator: looked at, sent, read back.
// Clippy allows it in tests, but not in the functions that they share.
#![allow(clippy::unwrap_used)]

mod alike;
mod already;
mod attachments;
mod cases;
mod discreet;
mod expect;
mod odd;
mod refusals;
mod session;
mod settings;
mod table;
mod world;
