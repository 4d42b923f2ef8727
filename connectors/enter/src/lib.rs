//! The connectors for the queue-management system СУО Enter.
//!
//! * [`EnterExport`]: the ticket export of the central server (`enter-central-export.txt`).
//! * [`EnterRest`]: the REST services of a branch or of the central server (`enter-rest.txt`).
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![allow(rustdoc::private_intra_doc_links)]

mod export;
mod rest;

pub use export::{EnterExport, contracts};
pub use rest::{EnterRest, contracts as rest_contracts};
// For the tests that feed it with anything.
#[doc(hidden)]
pub use export::slice::{SliceFault, Slicer};
