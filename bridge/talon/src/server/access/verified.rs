//! Passwords that were verified lately, so that not each request of a session costs a hash.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// For so long a password that was verified counts.
const KEPT: Duration = Duration::from_secs(300);

/// So many are kept.
const MANY: usize = 1024;

/// What stands for a password and the hash that it was verified by: a hash with a key that this process alone has,
/// which is another one after each start.
pub(super) type Key = [u8; 32];

/// Passwords that were verified lately.
pub(super) struct Verified {
    key: [u8; 32],
    until: Mutex<HashMap<Key, Instant>>,
}

impl Default for Verified {
    fn default() -> Verified {
        Verified { key: rand::random(), until: Mutex::default() }
    }
}

impl Verified {
    /// Where the hash in the file is another one, nothing is known of it.
    pub(super) fn key(&self, hash: &str, password: &str) -> Key {
        let mut digest = Sha256::new();
        digest.update(self.key);
        // A hash has no line feed, so the two parts cannot be cut otherwise.
        digest.update(hash);
        digest.update("\n");
        digest.update(password);
        digest.finalize().into()
    }

    pub(super) fn has(&self, key: &Key, now: Instant) -> bool {
        let all = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).is_some_and(|until| now < *until)
    }

    pub(super) fn keep(&self, key: Key, now: Instant) {
        let mut all = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MANY {
            all.retain(|_, until| now < *until);
        }
        if all.len() >= MANY {
            all.clear();
        }
        all.insert(key, now + KEPT);
    }

    /// Whether two texts are the same. The time it takes tells nothing of either: what is compared are hashes with a
    /// key that nobody knows.
    pub(super) fn are_same(&self, one: &str, other: &str) -> bool {
        self.key("", one) == self.key("", other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_for_a_while_and_only_with_its_hash() {
        let (verified, now) = (Verified::default(), Instant::now());
        let key = verified.key("hash", "password");
        assert!(!verified.has(&key, now));
        verified.keep(key, now);
        assert!(verified.has(&verified.key("hash", "password"), now));
        assert!(!verified.has(&key, now + KEPT));
        for (hash, password) in [("other", "password"), ("hash", "other"), ("hash\n", "password")] {
            assert!(!verified.has(&verified.key(hash, password), now), "{hash}");
        }
        for number in 0..2 * MANY {
            verified.keep(verified.key("hash", &number.to_string()), now);
        }
        assert!(verified.until.lock().unwrap().len() <= MANY);
        assert!(verified.are_same("a", "a") && !verified.are_same("a", "b"));
    }
}
