//! Commands of `enter-rest` against the simulator: looked at, sent, read back.
// Clippy allows it in tests, but not in the functions that they share.
#![allow(clippy::unwrap_used)]

mod booking;
mod forms;
mod hall;
mod invite;
mod refusals;
mod settings;
mod survey;
mod visitor;
mod workplace;
mod world;
