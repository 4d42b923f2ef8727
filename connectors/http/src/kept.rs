//! The connections that are kept, for what only reads.
//!
//! Over HTTP/2 a request that is given up ends its stream and not its connection. Where the other side has
//! gone without a word, every later request would go the same way. The library has no means to give one
//! connection up, so the whole pool is retired: requests under way finish over the connections that they
//! have, the next ones connect anew, and the old pool ends with its last request.

use std::sync::{Mutex, PoisonError};

/// Makes an HTTP client, with a pool of its own.
type Make = Box<dyn Fn() -> reqwest::Result<reqwest::Client> + Send + Sync>;

/// The pool of connections that is used now.
pub(crate) struct Kept {
    make: Make,
    current: Mutex<Pool>,
}

/// A pool of connections.
#[derive(Clone)]
pub(crate) struct Pool {
    number: u64,
    pub(crate) http: reqwest::Client,
}

impl Kept {
    pub(crate) fn new(make: Make) -> reqwest::Result<Kept> {
        let current = Mutex::new(Pool { number: 0, http: make()? });
        Ok(Kept { make, current })
    }

    /// The pool for the next request.
    pub(crate) fn current(&self) -> Pool {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses the pool for no further request. Of several that failed over one pool, the first retires it.
    pub(crate) fn retire(&self, pool: &Pool) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number != pool.number {
            return;
        }
        // It was made in the same way before.
        if let Ok(http) = (self.make)() {
            *current = Pool { number: pool.number + 1, http };
        }
    }
}
