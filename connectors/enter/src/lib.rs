//! The connectors for the queue-management system СУО Enter.
//!
//! * [`EnterExport`]: the ticket export of the central server (`enter-central-export.txt`).
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![allow(rustdoc::private_intra_doc_links)]

mod export;

pub use export::{EnterExport, contracts};
// For the tests that feed it with anything.
#[doc(hidden)]
pub use export::slice::{SliceFault, Slicer};
