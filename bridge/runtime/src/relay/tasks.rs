//! Into how many tasks a relay is cut, and who says so.
//!
//! A part belongs to a task by the number of tasks, so it would belong to two while some processes have one number
//! and some another, as in a rolling upgrade. The fence of a task would not keep them apart. So the number stands on
//! the target, beside the positions, and a task works only where it is its own.
//!
//! A process that starts with another number changes it, once in its life, and fences all tasks of the number before.
//! From then on processes with that number refuse, until they are started anew. So the one that was started last
//! decides, and an upgrade ends by itself when all have been replaced.
//!
//! # Why no two tasks carry one part
//!
//! 1. The new number is written, as one whose tasks may not work yet.
//! 2. All tasks of the number before are fenced.
//! 3. The new number is written as one that counts.
//!
//! A task takes its own fence first, and reads the number then. One of the old number that took its fence before 2 is
//! fenced; one that takes it after that reads what 1 wrote. One of the new number works only when 3 is written. Where a
//! process dies between two steps, the next one that starts a task goes on with 2.
//!
//! What writes the number is fenced itself, so of two that change it at the same time one fails.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::bus::BusFault;

/// Into how many tasks a relay is cut, as the process is configured. Clones are one.
#[derive(Debug, Clone)]
pub struct Tasks {
    count: u32,
    settled: Arc<Mutex<Settled>>,
}

/// What this process has done for it.
#[derive(Debug, Default)]
struct Settled {
    /// Whether it has brought the target in line.
    is_done: bool,
    /// When it has changed the number, where it has.
    changed: Option<Instant>,
}

/// The number of tasks, as the target says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    /// How many.
    pub tasks: u32,
    /// False while tasks of another number may be at work.
    pub counts: bool,
    /// How many tasks are to be fenced before it counts.
    pub before: u32,
    /// Whether there was another number before: then a part without a position is new, whichever task finds it.
    pub changed: bool,
}

impl Tasks {
    /// So many.
    pub fn new(count: u32) -> Tasks {
        Tasks { count, settled: Arc::default() }
    }

    /// How many.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Brings the target in line, once in the life of the process: it may be that another number stands there. `settle`
    /// says whether it has changed it. Gives whether a fence that was taken at `taken` is lost by that.
    ///
    /// # Errors
    /// Those of `settle`, which is called again at the next opening then.
    pub fn settle(
        &self,
        taken: Instant,
        settle: impl FnOnce() -> Result<bool, BusFault>,
    ) -> Result<bool, BusFault> {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        if !settled.is_done {
            if settle()? {
                settled.changed = Some(Instant::now());
            }
            settled.is_done = true;
        }
        Ok(settled.changed.is_some_and(|changed| changed >= taken))
    }

    /// What is to be written before tasks of this number may work; none where nothing is to be changed. Where it does
    /// not [count](Agreed::counts), tasks are to be fenced before it is [made to](Agreed::complete).
    pub fn change(&self, found: Option<Agreed>) -> Option<Agreed> {
        let tasks = self.count;
        match found {
            None => Some(Agreed { tasks, counts: true, before: tasks, changed: false }),
            Some(found) if found.tasks == tasks && found.counts => None,
            Some(found) => {
                let before = found.before.max(found.tasks);
                Some(Agreed { tasks, counts: false, before, changed: true })
            }
        }
    }

    /// Whether a task of this number may work. Asked after the task's own fence was taken.
    ///
    /// # Errors
    /// Another number counts.
    pub fn check(&self, relay: &str, found: Option<Agreed>) -> Result<(), BusFault> {
        let tasks = self.count;
        match found {
            Some(found) if found.tasks == tasks && found.counts => Ok(()),
            Some(found) if found.tasks == tasks => Err(BusFault::Aborted(format!(
                "the number of tasks of the relay `{relay}` is being changed to {tasks}"
            ))),
            Some(found) => Err(BusFault::Misconfigured(format!(
                "the relay `{relay}` has {} tasks in a process that was started later, and {tasks} here: give all processes the same `tasks`, and start this one anew",
                found.tasks
            ))),
            // It was emptied or made anew since this process looked.
            None => {
                self.settled.lock().unwrap_or_else(PoisonError::into_inner).is_done = false;
                Err(BusFault::Aborted(format!(
                    "the target does not say how many tasks the relay `{relay}` has"
                )))
            }
        }
    }
}

impl Agreed {
    /// The same, when all tasks of the number before are fenced.
    pub fn complete(self) -> Agreed {
        Agreed { counts: true, before: self.tasks, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_counts_only_after_the_tasks_of_the_one_before_were_fenced() {
        let (four, six) = (Tasks::new(4), Tasks::new(6));
        let first = four.change(None).unwrap();
        assert!(first.counts && !first.changed);
        assert_eq!(four.change(Some(first)), None);
        four.check("r", Some(first)).unwrap();
        let begun = six.change(Some(first)).unwrap();
        assert_eq!((begun.counts, begun.before, begun.changed), (false, 4, true));
        assert!(matches!(six.check("r", Some(begun)), Err(BusFault::Aborted(_))));
        assert!(matches!(four.check("r", Some(begun)), Err(BusFault::Misconfigured(_))));
        // It died there, and one with a third number goes on: all that may be at work are fenced.
        let third = Tasks::new(2).change(Some(begun)).unwrap();
        assert_eq!((third.counts, third.before), (false, 6));
        let done = third.complete();
        Tasks::new(2).check("r", Some(done)).unwrap();
        assert_eq!(done.before, 2);
    }

    #[test]
    fn a_process_changes_the_number_once_in_its_life() {
        let tasks = Tasks::new(4);
        let before = Instant::now();
        let mut calls = 0;
        assert!(tasks.settle(before, || Err(BusFault::Revoked)).is_err());
        for _ in 0..3 {
            let is_lost = tasks.clone().settle(before, || {
                calls += 1;
                Ok(true)
            });
            assert!(is_lost.unwrap());
        }
        assert!(!tasks.settle(Instant::now(), || Ok(true)).unwrap());
        assert_eq!(calls, 1);
    }
}
