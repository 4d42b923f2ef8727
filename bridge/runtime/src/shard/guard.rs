//! The mass-delete guard: when the absence of entities is not believed.

pub use crate::service::options::Guard;

/// Why absent entities were not deleted. What is in the observation is published all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// A row could not be read, and might be any of the absent ones.
    UnreadableRow,
    /// The list is empty, and is the first one after a fault or a start.
    EmptyAfterFault,
    /// More vanished than is plausible.
    TooMany,
}

impl Withheld {
    /// For people.
    pub fn reason(self) -> &'static str {
        match self {
            Withheld::UnreadableRow => "a row of the list cannot be read and may be one of them",
            Withheld::EmptyAfterFault => "the list is empty and the first after a fault or a start",
            Withheld::TooMany => {
                "more vanished than `deletes.guard.ratio` allows; if they are really gone, raise it"
            }
        }
    }
}

/// What an observation with full coverage looks like beside what is known.
#[derive(Debug, Clone, Copy)]
pub struct Absence {
    /// Entities of the scope that were known before.
    pub known: usize,
    /// Those that the observation did not contain.
    pub absent: usize,
    /// Rows that the observation contained.
    pub rows: usize,
    /// Whether a row could not be read, and its key is not known, or it may hold other rows.
    pub unreadable: bool,
    /// Whether it is the first observation after a fault or a start.
    pub after_fault: bool,
}

impl Guard {
    /// Whether the absent entities may be deleted.
    pub fn check(&self, absence: Absence) -> Result<(), Withheld> {
        let Absence { known, absent, rows, unreadable, after_fault } = absence;
        if absent == 0 {
            Ok(())
        } else if unreadable {
            Err(Withheld::UnreadableRow)
        } else if rows == 0 && after_fault {
            Err(Withheld::EmptyAfterFault)
        } else if absent > self.entities && absent as f64 > self.ratio * known as f64 {
            Err(Withheld::TooMany)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARD: Guard = Guard { ratio: 0.3, entities: 5 };

    fn check(known: usize, absent: usize, after_fault: bool) -> Result<(), Withheld> {
        let rows = known - absent;
        GUARD.check(Absence { known, absent, rows, unreadable: false, after_fault })
    }

    #[test]
    fn plausible_absence_is_believed() {
        assert_eq!(check(100, 30, false), Ok(()));
        assert_eq!(check(100, 30, true), Ok(()));
        assert_eq!(check(5, 5, false), Ok(()), "a small list may become empty");
        assert_eq!(check(0, 0, true), Ok(()));
    }

    #[test]
    fn a_short_list_deletes_nothing() {
        assert_eq!(check(100, 31, false), Err(Withheld::TooMany));
        assert_eq!(check(1_000_000, 1_000_000, false), Err(Withheld::TooMany));
    }

    #[test]
    fn an_empty_list_after_a_fault_deletes_nothing() {
        assert_eq!(check(3, 3, true), Err(Withheld::EmptyAfterFault));
    }

    #[test]
    fn a_list_with_an_unreadable_row_deletes_nothing() {
        let absence =
            Absence { known: 9, absent: 1, rows: 9, unreadable: true, after_fault: false };
        assert_eq!(GUARD.check(absence), Err(Withheld::UnreadableRow));
    }
}
