//! What is made of files, and made anew when they change.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use talon_sdk::Fault;
use talon_sdk::config::Stamp;

/// What was made of files. While they do not go together, which they need not between two steps of a
/// rotation, what was made before is used.
pub(crate) struct Following<T> {
    files: Vec<PathBuf>,
    make: Box<dyn Fn() -> Result<T, Fault> + Send + Sync>,
    made: Mutex<Made<T>>,
}

struct Made<T> {
    stamps: Vec<Stamp>,
    made: Arc<T>,
}

impl<T> Following<T> {
    /// Reads the files for the first time.
    pub(crate) fn new(
        files: Vec<PathBuf>,
        make: impl Fn() -> Result<T, Fault> + Send + Sync + 'static,
    ) -> Result<Following<T>, Fault> {
        let stamps = files.iter().map(Stamp::of).collect();
        let made = Mutex::new(Made { stamps, made: Arc::new(make()?) });
        Ok(Following { files, make: Box::new(make), made })
    }

    /// As the files are now. Blocks for a few milliseconds where they have changed.
    pub(crate) fn current(&self) -> Arc<T> {
        let stamps: Vec<Stamp> = self.files.iter().map(Stamp::of).collect();
        let mut last = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if last.stamps != stamps {
            match (self.make)() {
                Ok(anew) => {
                    last.made = Arc::new(anew);
                    tracing::info!(files = ?self.files, "changed certificates are used from now on");
                }
                Err(fault) => {
                    tracing::warn!(files = ?self.files, %fault, "changed certificates cannot be used");
                }
            }
            last.stamps = stamps;
        }
        last.made.clone()
    }
}

impl<T> std::fmt::Debug for Following<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Following").field("files", &self.files).finish_non_exhaustive()
    }
}
