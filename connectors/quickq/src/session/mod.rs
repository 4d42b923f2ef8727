//! The session layer: sockets, the login they share, requests and pushes.
//!
//! One [`Account`] has the token; a [`Line`] is a place for one socket, which is dialled when a feed
//! asks for it, so that back-off stays the runtime's; a [`Live`] is the socket while it lives, and
//! `exchange.rs` has the requests under way on it. The books, statistics and `info` share one line; each
//! workplace's queue has its own, because the push of a queue does not say whose it is.
//!
//! Traps of the protocol, and where they are dealt with:
//!
//! * A push has the name of the reply: what arrives is kept as the newest list *and* answers a pending
//!   read of that name (`inbox.rs`).
//! * Without ids, one request of a name is in flight; whether the server repeats an `id` is seen at
//!   login (`exchange.rs`, `grant.rs`).
//! * `unsubscribe…` is answered as `subscribe…` (`exchange.rs`).
//! * A token outlives its socket and counts as a session: it is used again, and given back at the end.
//!   No error code says that it is forgotten, so a refusal is believed only from a fresh login
//!   (`account.rs`).

mod account;
mod connect;
mod exchange;
mod failure;
mod grant;
mod hub;
mod inbox;
mod line;
mod live;
mod login;
mod outgoing;
mod pump;
mod strays;

pub(crate) use account::Account;
pub(crate) use exchange::Push;
pub(crate) use failure::Failure;
pub(crate) use hub::Hub;
pub(crate) use line::Line;
pub(crate) use live::Live;
