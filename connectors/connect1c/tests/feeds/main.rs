//! The feeds against a simulated upstream, in simulated time.
#![allow(clippy::unwrap_used, missing_docs)]

mod answers;
mod driver;
mod quota;
mod settings;
mod years;
