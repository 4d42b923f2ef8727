//! How long is waited for brokers.

use std::time::Duration;

/// How long the broker may be silent before it counts as away.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The longest wait for a broker that answers but does not go on. A quota delays acknowledgements by more
/// than ten seconds.
pub(crate) const SLOW: Duration = Duration::from_secs(90);

/// One look at the broker where something does not go on.
pub(crate) const LOOK: Duration = Duration::from_secs(2);
