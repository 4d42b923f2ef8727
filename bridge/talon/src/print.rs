//! The one way to standard output and standard error; clippy refuses every other in this crate.
//!
//! `println!` and `eprintln!` panic when the reader of a pipe is gone (`talon schemas | head -1`, a log
//! collector that is restarted) or a disk is full. What is done goes on without output: a schema is still
//! registered, a command still waited for. Whoever only shows something ends when nobody looks
//! ([`unread`]). What is said on standard error takes the way of the [log](crate::log).

use std::fmt::Arguments;
use std::io::{ErrorKind, Write, stdout};
use std::sync::OnceLock;

use tokio::sync::Notify;

use crate::log;

/// Why standard output takes nothing any more.
static LOST: OnceLock<ErrorKind> = OnceLock::new();
static IS_LOST: Notify = Notify::const_new();

/// Writes to standard output, unless that has failed before.
pub(crate) fn to_stdout(text: Arguments<'_>) {
    if LOST.get().is_some() {
        return;
    }
    let mut stdout = stdout().lock();
    if let Err(error) = stdout.write_fmt(text).and_then(|()| stdout.flush()) {
        LOST.get_or_init(|| error.kind());
        IS_LOST.notify_one();
    }
}

/// Writes to standard error; nobody can be told where that fails.
pub(crate) fn to_stderr(text: Arguments<'_>) {
    log::line(text.to_string().as_bytes());
}

/// Resolves when standard output takes nothing any more. For one waiter.
pub(crate) async fn unread() {
    IS_LOST.notified().await;
}

/// Why not all of standard output was written, where its reader did not go away by itself.
pub(crate) fn failure() -> Option<ErrorKind> {
    LOST.get().copied().filter(|kind| *kind != ErrorKind::BrokenPipe)
}

/// A line on standard output.
macro_rules! out {
    ($($text:tt)*) => { $crate::print::to_stdout(format_args!("{}\n", format_args!($($text)*))) };
}

/// A line on standard error.
macro_rules! err {
    ($($text:tt)*) => { $crate::print::to_stderr(format_args!("{}\n", format_args!($($text)*))) };
}

pub(crate) use {err, out};
