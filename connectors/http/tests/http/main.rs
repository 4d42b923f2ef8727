//! The client against servers that answer as they are told.
// Clippy allows it in tests, but not in the functions that they share.
#![allow(clippy::unwrap_used)]

mod authority;
mod bodies;
mod connections;
mod credentials;
mod faults;
mod limits;
mod permits;
mod proxies;
mod relay;
mod requests;
mod rotation;
mod server;
mod settings;
mod streams;
mod tls;
mod upstream;
