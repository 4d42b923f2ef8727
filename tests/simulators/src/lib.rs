//! The upstream systems as servers that behave as their documents say, so that connectors can be
//! tested and measured without the systems themselves.
//!
//! A simulator listens on a loopback port, leads a seeded life of its own, keeps a history of what
//! it published and a journal of what it was told, and misbehaves on request.
//! The three together let a test state the guarantees of a connector: what was published is an
//! ordered subsequence of the history, and the journal holds each command exactly once.
//!
//! - [`contractor`]: ContractorPersonalArea (`contractor-personal-area.txt`).
//! - [`enter_export`]: the ticket export of СУО Enter's central server
//!   (`enter-central-export.txt`).
//! - [`enter_rest`]: the REST services of a branch or of the central server of СУО Enter
//!   (`enter-rest.txt`).
//! - [`connect1c`]: 1C-Connect's PartnerWebAPI2 (`1c-connect-soap.txt`).
//! - [`quickq`]: QuickQ, the queue hall over a WebSocket (`quickq-websocket.txt`).
//!
//! Simulators hold made-up data, know no secrets and are not for any network but loopback.
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod clock;
pub mod connect1c;
mod connection;
pub mod contractor;
mod control;
pub mod enter_export;
pub mod enter_rest;
pub mod faults;
pub mod noise;
mod pace;
pub mod quickq;
mod random;
