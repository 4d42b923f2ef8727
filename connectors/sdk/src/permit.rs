use std::sync::Arc;

use crate::{ApplyFault, Fault};

/// Leave to change the upstream, which can end at any time: when another process takes over.
///
/// The runtime makes one for each [`Applier::apply`]. The connector hands it on to whatever writes the
/// request that changes something, and that asks [`Permit::check`] right before the first byte leaves:
/// after every wait, for the rate budget, a session, a connection or a place in a queue. Requests that
/// only read need no permit. Cheap to clone.
///
/// [`Applier::apply`]: crate::Applier::apply
#[derive(Clone)]
pub struct Permit(Arc<dyn Fn() -> bool + Send + Sync>);

impl Permit {
    /// A permit that holds while `may_act` is true. It is asked often and from any thread, so it must
    /// neither block nor wait.
    pub fn new(may_act: impl Fn() -> bool + Send + Sync + 'static) -> Permit {
        Permit(Arc::new(may_act))
    }

    /// A permit that never ends, for tests and tools.
    pub fn always() -> Permit {
        Permit::new(|| true)
    }

    /// Whether the upstream may be changed now. The answer is good for this moment only.
    ///
    /// # Errors
    /// [`ApplyFault::NotApplied`] with [`Fault::Unavailable`] where the permit has ended: then nothing
    /// may be sent.
    pub fn check(&self) -> Result<(), ApplyFault> {
        if (self.0)() {
            return Ok(());
        }
        let reason = "this process may no longer act for the connector";
        Err(ApplyFault::NotApplied(Fault::unavailable(reason)))
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if (self.0)() { "Permit(holds)" } else { "Permit(ended)" })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_permit_is_asked_anew_each_time_and_clones_end_together() {
        let may_act = Arc::new(AtomicBool::new(true));
        let seen = may_act.clone();
        let permit = Permit::new(move || seen.load(Ordering::Relaxed));
        let clone = permit.clone();
        assert_eq!((permit.check(), clone.check()), (Ok(()), Ok(())));
        may_act.store(false, Ordering::Relaxed);
        for permit in [permit, clone] {
            let Err(ApplyFault::NotApplied(fault)) = permit.check() else { panic!("{permit:?}") };
            assert_eq!(fault.kind(), "unavailable");
            assert_eq!(fault.to_string(), "this process may no longer act for the connector");
        }
        assert_eq!(Permit::always().check(), Ok(()));
    }
}
