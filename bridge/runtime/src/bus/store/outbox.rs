//! What was put and is not on the bus yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Handle;

use super::super::fault::BusFault;

/// Pause before entries are tried again.
const RETRY: Duration = Duration::from_secs(1);

/// An entry to be written, or to be removed where there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Option<Bytes>,
    /// No other has it, of any process. The same when it is tried again.
    pub id: String,
}

/// An id that no other write has, of any process.
pub fn write_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// What was put and is not on the bus yet: of each key the newest. A thread, which the first one starts, writes all
/// that waits at a time. For buses.
///
/// What was given to the bus is tried until it is answered, before anything newer is: else what comes late could
/// stand over what is newer.
pub struct Outbox {
    shared: Arc<Shared>,
    runtime: Handle,
    started: Once,
}

struct Shared {
    name: String,
    write: Box<Write>,
    state: Mutex<State>,
    changed: Condvar,
}

type Write = dyn Fn(&[Put]) -> Result<(), BusFault> + Send + Sync;

#[derive(Default)]
struct State {
    waiting: BTreeMap<String, Option<Bytes>>,
    /// Some are on their way.
    busy: bool,
    closed: bool,
}

impl Outbox {
    /// `write` writes entries to the store of this name. It is called by one thread, which may block, inside the
    /// runtime that this is called in; after a fault with the same entries again. One that can never be written it
    /// leaves out.
    pub fn new(
        name: &str,
        write: impl Fn(&[Put]) -> Result<(), BusFault> + Send + Sync + 'static,
    ) -> Outbox {
        let shared = Shared {
            name: name.to_owned(),
            write: Box::new(write),
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        Outbox { shared: Arc::new(shared), runtime: Handle::current(), started: Once::new() }
    }

    /// See [`Store::put`](super::Store::put).
    pub fn put(&self, key: &str, value: Option<&[u8]>) {
        let value = value.map(Bytes::copy_from_slice);
        self.shared.state().waiting.insert(key.to_owned(), value);
        self.shared.changed.notify_all();
        self.started.call_once(|| {
            let (shared, runtime) = (self.shared.clone(), self.runtime.clone());
            thread::spawn(move || {
                let _inside = runtime.enter();
                shared.run();
            });
        });
    }

    /// See [`Store::flush`](super::Store::flush).
    pub fn flush(&self, at_most: Duration) -> bool {
        let since = Instant::now();
        let mut state = self.shared.state();
        loop {
            if state.waiting.is_empty() && !state.busy {
                return true;
            }
            let Some(left) = at_most.checked_sub(since.elapsed()) else { return false };
            state = self.shared.wait(state, left);
        }
    }
}

impl Drop for Outbox {
    /// What is not written by now stays unwritten; the thread ends at the next answer of the bus.
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn run(&self) {
        while let Some(puts) = self.take() {
            let mut told = None;
            while let Err(fault) = (self.write)(&puts) {
                let tells = fault.to_string();
                if told.as_ref() != Some(&tells) {
                    tracing::warn!(
                        store = self.name,
                        entries = puts.len(),
                        "not written yet: {tells}"
                    );
                    told = Some(tells);
                }
                if self.is_closed_within(RETRY) {
                    return;
                }
            }
            if told.is_some() {
                tracing::info!(store = self.name, "written");
            }
            self.state().busy = false;
            self.changed.notify_all();
        }
    }

    /// All that waits, as soon as something does; none when there will be nothing more.
    fn take(&self) -> Option<Vec<Put>> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if !state.waiting.is_empty() {
                state.busy = true;
                let waiting = std::mem::take(&mut state.waiting).into_iter();
                return Some(
                    waiting.map(|(key, value)| Put { key, value, id: write_id() }).collect(),
                );
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_closed_within(&self, at_most: Duration) -> bool {
        let since = Instant::now();
        let mut state = self.state();
        while !state.closed {
            let Some(left) = at_most.checked_sub(since.elapsed()) else { return false };
            state = self.wait(state, left);
        }
        true
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>, at_most: Duration) -> MutexGuard<'s, State> {
        self.changed.wait_timeout(state, at_most).unwrap_or_else(PoisonError::into_inner).0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn of_what_is_put_while_the_bus_is_slow_the_newest_of_each_key_is_written() {
        let (batches, written) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<Result<(), BusFault>>();
        let may_go = Mutex::new(may_go);
        let outbox = Outbox::new("status", move |puts| {
            batches.send(puts.to_vec()).unwrap();
            may_go.lock().unwrap().recv().unwrap_or(Ok(()))
        });
        let values = |puts: &[Put]| -> Vec<(String, Option<Bytes>)> {
            puts.iter().map(|put| (put.key.clone(), put.value.clone())).collect()
        };
        let pair =
            |key: &str, value: Option<&'static str>| (key.to_owned(), value.map(Bytes::from));
        outbox.put("a", Some(b"1"));
        let first = written.recv().unwrap();
        assert_eq!(values(&first), [pair("a", Some("1"))]);
        for value in [b"2", b"3"] {
            outbox.put("a", Some(value));
        }
        outbox.put("b", None);
        assert!(!outbox.flush(Duration::ZERO));
        // What was given to the bus comes first, also when it has to be tried again.
        go.send(Err(BusFault::Unavailable("away".to_owned()))).unwrap();
        assert_eq!(written.recv().unwrap(), first);
        go.send(Ok(())).unwrap();
        assert_eq!(values(&written.recv().unwrap()), [pair("a", Some("3")), pair("b", None)]);
        go.send(Ok(())).unwrap();
        assert!(outbox.flush(Duration::from_secs(30)));
        drop(outbox);
        assert!(written.recv().is_err(), "its thread has ended");
    }
}
