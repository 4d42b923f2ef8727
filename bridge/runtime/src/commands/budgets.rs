//! How long commands have been tried, also over failures of the lane: a lane that is opened anew again and
//! again must not give each command its time anew.
//!
//! The memory is the process's. Where a command goes to another process, its time begins anew there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::bus::Position;

/// The budgets of a lane's commands. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Budgets(Arc<Mutex<HashMap<Position, Budget>>>);

/// Until when a command is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// It is sent again where it was surely not applied.
    pub(crate) send_until: Instant,
    /// It is read back where that is not known.
    pub(crate) probe_until: Instant,
}

impl Budgets {
    /// That of a command, which begins now if it is new.
    pub(crate) fn of(&self, position: Position, budget: Duration) -> Budget {
        let until = Instant::now() + budget;
        let new = Budget { send_until: until, probe_until: until };
        *self.lock().entry(position).or_insert(new)
    }

    /// To read back gets time of its own: to give up means not to know.
    pub(crate) fn probe(&self, position: Position, budget: Duration) -> Instant {
        let until = Instant::now() + budget;
        if let Some(known) = self.lock().get_mut(&position) {
            known.probe_until = until;
        }
        until
    }

    /// A command is settled.
    pub(crate) fn forget(&self, position: Position) {
        self.lock().remove(&position);
    }

    /// The lane goes to another process.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Position, Budget>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_comes_again_has_what_is_left_of_its_time() {
        let (budgets, at) = (Budgets::default(), Position { partition: 0, offset: 3 });
        let first = budgets.of(at, Duration::from_secs(5));
        assert_eq!(budgets.of(at, Duration::from_secs(500)).send_until, first.send_until);
        let probe = budgets.probe(at, Duration::from_secs(500));
        assert_eq!(budgets.of(at, Duration::ZERO).probe_until, probe);
        assert!(probe > first.probe_until);
        budgets.forget(at);
        assert!(budgets.of(at, Duration::from_secs(500)).send_until > first.send_until);
    }
}
