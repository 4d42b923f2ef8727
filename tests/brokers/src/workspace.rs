//! The places in the workspace's `target/brokers/`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The root of the workspace.
pub(crate) fn root() -> io::Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()
}

/// `target/brokers/` of the workspace, wherever cargo's own target directory is: what is fetched is fetched once.
pub(crate) fn directory() -> io::Result<PathBuf> {
    let directory = root()?.join("target/brokers");
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// A new file in `target/brokers/logs/` for the output of `what`.
pub(crate) fn log_file(what: &str) -> io::Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let logs = directory()?.join("logs");
    fs::create_dir_all(&logs)?;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = logs.join(format!("{what}-{}-{count}.log", std::process::id()));
    // The number of an earlier process may come back.
    File::create(&path)?;
    Ok(path)
}

/// Opens a log for a child to write its output to.
pub(crate) fn append(log: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(log)
}

/// The last lines of a log, for the message of a failure.
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 40;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    format!("{}:\n{}", log.display(), last.join("\n"))
}

/// A directory for one broker's data, which its [guard](crate::guard::Guard) removes.
pub(crate) fn data_directory(what: &str) -> io::Result<PathBuf> {
    let prefix = format!("talon-{what}-");
    Ok(tempfile::Builder::new().prefix(&prefix).tempdir()?.keep())
}
