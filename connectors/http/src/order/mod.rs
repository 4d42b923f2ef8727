//! Orders: what commands ask of an upstream over HTTP, what its refusals mean, and what of its replies is
//! passed on.
//!
//! A connector says who asks ([`Asks::exchange`]; [`Desk`] is the common one) and what refusals mean
//! ([`Refusals`]). Sending once and reading back are the same for all.

pub mod answer;
mod asks;
mod refusals;
mod template;

pub use answer::Field;
pub use asks::{Asks, Desk, NoReply};
pub use refusals::{Meaning, Refusals};
pub use template::Order;
