//! What still works in an engine, to be waited for at its end.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};

/// The tasks of an engine. Cheap to clone.
#[derive(Clone)]
pub(super) struct Alive {
    tasks: Arc<watch::Sender<usize>>,
    handles: Arc<Mutex<Vec<AbortHandle>>>,
    /// Whoever asks for a change may be on another runtime, as the server is.
    runtime: Handle,
}

/// One task; it counts until this is dropped, also where the task panics.
struct Counted(Arc<watch::Sender<usize>>);

impl Alive {
    /// Must be called inside a Tokio runtime.
    pub(super) fn new() -> Alive {
        let tasks = Arc::new(watch::Sender::new(0));
        Alive { tasks, handles: Arc::default(), runtime: Handle::current() }
    }

    /// Runs a task that the end of the engine waits for.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.tasks.send_modify(|tasks| *tasks += 1);
        let counted = Counted(self.tasks.clone());
        let task = self.runtime.spawn(async move {
            let _counted = counted;
            task.await;
        });
        let mut handles = self.handles();
        if handles.len() > 2 * *self.tasks.borrow() {
            handles.retain(|handle| !handle.is_finished());
        }
        handles.push(task.abort_handle());
        task
    }

    /// Ends all of them where they stand.
    pub(super) fn abort(&self) {
        self.handles().iter().for_each(AbortHandle::abort);
    }

    fn handles(&self) -> MutexGuard<'_, Vec<AbortHandle>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until none is left.
    pub(super) async fn ended(&self) {
        // The sender lives in `self`, so the channel does not close while this waits.
        self.tasks.subscribe().wait_for(|tasks| *tasks == 0).await.ok();
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|tasks| *tasks -= 1);
    }
}
