//! One HTTP client for all connectors.
//!
//! A connector says *what* to ask: a [`Request`] with [`Credentials`]. The [`Client`] sees to what is
//! the same for every upstream: TLS, time and size limits, the rate budget, metrics, and errors that
//! say what to do without saying a secret.
//!
//! - One [`Client`] per connector instance; clones share its connections and its rate budget.
//! - Requests of commands go before those of feeds ([`Lane`]).
//! - A request is sent once, but for a read that met a connection which was just closing
//!   ([`Request::may_repeat`]). Whether it is tried again is for the runtime to say, from the [`Fault`] or
//!   from [`Failure::sent`].
//! - A connection over which no whole reply came is not used again; see `kept.rs`.
//! - Tokens that are signed in for are in [`login`].
//! - What commands ask, and what refusals mean, is in [`order`].
//! - Web services of 1C, which answer SOAP calls with tables, are in [`soap`].
//! - What is the same for WebSockets is here too: [`tls`], [`proxy`], [`dial`], and the rate budget.
//! - A request with a permit is sent only if the permit holds when the first byte is to leave, and over
//!   a connection of its own; see `permit.rs`.
//! - No redirect is followed, so credentials go nowhere but to `upstream.url`.
//! - Names in errors, logs and metrics are the endpoint's template, never the real path: paths and
//!   queries carry ids, and hosts are the operator's business.
//!
//! [`keys`] declares the settings that every HTTP connector has, [`read`] reads them.
//!
//! [`Fault`]: talon_sdk::Fault
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod body;
mod budget;
mod client;
mod config;
mod credentials;
pub mod dial;
mod failure;
mod fault;
mod following;
mod kept;
pub mod login;
pub mod order;
mod permit;
pub mod proxy;
mod reply;
mod request;
pub mod soap;
mod stream;
pub mod tls;

pub use budget::{Lane, RateBudget};
pub use client::Client;
pub use config::{ClientCertificate, Config, Tls, keys, read, read_tls, tls_keys};
pub use credentials::Credentials;
pub use failure::{Failure, FailureKind, Sent};
pub use fault::{fault_of, read_json_body};
pub use proxy::Proxy;
pub use reply::{RETRY_AFTER_MAX, Reply};
pub use request::{Body, Request};
pub use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
pub use reqwest::{Method, Url};
pub use stream::Stream;
