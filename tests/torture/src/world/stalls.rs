//! A machine that is so busy that this program stands still: the processes may have stood still too, and
//! what they say of that is no fault of theirs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::clock::now_ms;
use crate::facts::Disturbance;

/// Between two looks at the clock.
const LOOK: Duration = Duration::from_millis(50);
/// A look that comes so much later is a stall. A process is found missing after two seconds.
const STALL: Duration = Duration::from_millis(500);

/// Watches until dropped.
pub(super) struct Stalls {
    is_over: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
}

/// Notes each stall from now on as a disturbance of all processes.
pub(super) fn watch(disturbances: Arc<Mutex<Vec<Disturbance>>>) -> Stalls {
    let stalls = Stalls { is_over: Arc::default(), count: Arc::default() };
    let (is_over, count) = (stalls.is_over.clone(), stalls.count.clone());
    std::thread::spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            let (since, from_ms) = (Instant::now(), now_ms());
            std::thread::sleep(LOOK);
            if since.elapsed() > LOOK + STALL {
                count.fetch_add(1, Ordering::Relaxed);
                let all = Disturbance { process: None, from_ms, until_ms: now_ms() };
                disturbances.lock().unwrap_or_else(PoisonError::into_inner).push(all);
            }
        }
    });
    stalls
}

impl Stalls {
    /// How many there were so far.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
