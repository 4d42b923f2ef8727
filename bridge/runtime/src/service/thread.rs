//! Threads that may block.

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::bus::BusFault;

/// Runs what blocks on a thread of its own, inside the runtime of the caller.
///
/// Not on the runtime's pool: what serves a connector blocks for as long as the connector runs, and a
/// pool of a fixed size would be full of them when something else needs a thread.
///
/// # Errors
/// Those of `work`; [`BusFault::Aborted`] where it panics, or no thread can be had.
pub(crate) async fn run<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T, BusFault> + Send + 'static,
) -> Result<T, BusFault> {
    let (done, ended) = oneshot::channel();
    let runtime = Handle::current();
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _inside = runtime.enter();
        // Who waited may be gone.
        done.send(work()).ok();
    });
    if let Err(error) = spawned {
        return Err(BusFault::Unavailable(format!("no thread for a connector: {error}")));
    }
    ended.await.unwrap_or_else(|_| {
        // It was dropped by a panic: what the thread had is gone, and is opened anew.
        Err(BusFault::Aborted("a defect of Talon ended a thread of the connector".to_owned()))
    })
}
