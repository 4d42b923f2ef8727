//! Threads beside those of the program.

use anyhow::Context;

/// A Tokio runtime of one thread, for what runs on a thread of its own.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().context("no runtime")
}
