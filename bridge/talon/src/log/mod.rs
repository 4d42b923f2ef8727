//! Logging: what, how, and where to.
//!
//! Commands that end by themselves write to standard error as they go. A process that runs has a
//! [queue](Queue) before it, so that nobody behind standard error can hold it up.

pub(crate) mod levels;
mod queue;
mod watch;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write, stderr};
use std::sync::OnceLock;
use std::{panic, thread};

use clap::ValueEnum;
use talon_runtime::engine::View;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, reload};

use queue::Queue;

/// Of a process that runs.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// How log lines look.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Logs from now on.
///
/// # Errors
/// The filter is none.
pub(crate) fn start(filter: &str, format: Format) -> anyhow::Result<()> {
    let (layer, handle) = reload::Layer::new(EnvFilter::try_new(filter)?);
    levels::start(filter, handle);
    let filtered = tracing_subscriber::registry().with(layer).with(filter_fn(is_discreet));
    let lines = fmt::layer()
        .with_writer(|| StandardError)
        // By `eprintln!`, which panics, for lines that standard error does not take.
        .log_internal_errors(false);
    match format {
        Format::Text => {
            let is_terminal = io::IsTerminal::is_terminal(&stderr());
            filtered.with(lines.with_ansi(is_terminal).with_target(false)).init();
        }
        Format::Json => filtered.with(lines.json().flatten_event(true)).init(),
    }
    Ok(())
}

/// From now on nobody who logs waits for standard error, panics included.
///
/// # Errors
/// No thread can be had.
pub(crate) fn never_wait() -> io::Result<()> {
    let queue = Queue::start(stderr())?;
    QUEUE.get_or_init(|| queue);
    panic::set_hook(Box::new(|panic| {
        let thread = thread::current();
        let (thread, said) = (thread.name().unwrap_or("?"), panic.to_string().replace('\n', " "));
        let trace = Backtrace::capture();
        match trace.status() {
            BacktraceStatus::Captured => tracing::error!(thread, "{said}\n{trace}"),
            _ => tracing::error!(thread, "{said}"),
        }
    }));
    Ok(())
}

/// Writes a line to standard error, or puts it on its way there. Nobody can be told where that fails.
pub(crate) fn line(bytes: &[u8]) {
    match QUEUE.get() {
        Some(queue) => queue.put(bytes),
        None => {
            stderr().lock().write_all(bytes).ok();
        }
    }
}

/// Shows what becomes of log lines, for as long as the process runs.
pub(crate) async fn watch(view: View) {
    if let Some(queue) = QUEUE.get() {
        watch::watch(queue.clone(), view.health, view.metrics).await;
    }
}

/// At the end of the process: lines that are on their way are given a moment.
pub(crate) fn finish() {
    if let Some(queue) = QUEUE.get() {
        queue.finish();
    }
}

/// Takes each line whole.
struct StandardError;

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        line(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Libraries write what passes through them at `trace`: async-nats 0.51 every message that it reads, and
/// the password with which it connects. None of that is logged, whatever `--log` says.
fn is_discreet(about: &tracing::Metadata<'_>) -> bool {
    *about.level() != tracing::Level::TRACE || about.target().starts_with("talon")
}
