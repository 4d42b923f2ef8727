//! A clock that a test steps through a file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Between two looks at the file.
const GLANCE: Duration = Duration::from_millis(20);

/// Reads what is added to the clock once, and then again and again until the process ends. What
/// cannot be read changes nothing.
pub(crate) fn follow(file: PathBuf, by_ms: Arc<AtomicI64>) {
    let read = move || {
        let text = std::fs::read_to_string(&file);
        if let Ok(Ok(ms)) = text.map(|text| text.trim().parse()) {
            by_ms.store(ms, Ordering::Relaxed);
        }
    };
    read();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(GLANCE);
            read();
        }
    });
}
