//! What is wrong with a connection.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::BusFault;

/// The last trouble with a connection, as its client tells it, until it is over. Shared with the
/// client's own threads.
#[derive(Debug, Default)]
pub struct Trouble(Mutex<Option<BusFault>>);

impl Trouble {
    /// The client tells of trouble. A refusal, such as that of a password, says more than the lost
    /// connection that follows it, and stays.
    pub fn told(&self, fault: BusFault) {
        let mut last = self.last_mut();
        let is_refused = matches!(*last, Some(BusFault::Misconfigured(_)));
        if !is_refused || matches!(fault, BusFault::Misconfigured(_)) {
            *last = Some(fault);
        }
    }

    /// The connection is lost, which says less than anything that is known.
    pub fn lost(&self, reason: &str) {
        self.last_mut().get_or_insert_with(|| BusFault::Unavailable(reason.to_owned()));
    }

    /// It is over: the bus has answered.
    pub fn over(&self) {
        *self.last_mut() = None;
    }

    /// What was told last, and is not over.
    pub fn last(&self) -> Option<BusFault> {
        self.last_mut().clone()
    }

    /// A time-out says little; the trouble behind it says more.
    pub fn explain(&self, fault: BusFault) -> BusFault {
        match fault {
            BusFault::Unavailable(_) => self.last().unwrap_or(fault),
            other => other,
        }
    }

    fn last_mut(&self) -> MutexGuard<'_, Option<BusFault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_explains_a_time_out_until_the_bus_answers() {
        let trouble = Trouble::default();
        let refused = || BusFault::Misconfigured("the password is refused".to_owned());
        let timed_out = || BusFault::Unavailable("timed out".to_owned());
        assert_eq!(trouble.explain(timed_out()), timed_out());
        trouble.lost("the connection is lost");
        trouble.told(refused());
        trouble.told(timed_out());
        trouble.lost("the connection is lost");
        assert_eq!(trouble.explain(timed_out()), refused());
        assert_eq!(trouble.explain(BusFault::Revoked), BusFault::Revoked);
        trouble.over();
        assert_eq!((trouble.last(), trouble.explain(timed_out())), (None, timed_out()));
    }
}
