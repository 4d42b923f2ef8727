//! Names of topics, streams, groups and containers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A name no other test uses, on brokers that outlive the test process too: `name`, the time, the process and a count.
///
/// Only adds ASCII letters, digits and `-`, so what starts as a topic, a stream or a group name stays one.
pub fn unique(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    format!("{name}-{millis:x}-{:x}-{count:x}", std::process::id())
}

#[cfg(test)]
mod tests {
    #[test]
    fn unique_names_differ_and_keep_their_beginning() {
        let (first, second) = (super::unique("orders"), super::unique("orders"));
        assert_ne!(first, second);
        assert!(first.starts_with("orders-"), "{first}");
    }
}
