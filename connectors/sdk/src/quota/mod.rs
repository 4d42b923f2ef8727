//! How many calls may be made, and when the next one.
//!
//! For upstreams that allow so many calls an hour, by night maybe more. How they count is seldom said: in
//! any sixty minutes, by the hours of the clock, or in hours that begin with a first call; refused calls may
//! count too. What holds for any sixty minutes holds for each of these, so that is the rule here, and every
//! call counts, whatever became of it.
//!
//! # A call is known before it is made
//!
//! [`Quota`] is a part of the feed's cursor. A call that is made and not written down is made again after a
//! kill, so a feed writes it down first:
//!
//! 1. [`Quota::next_at`] says when a call may be made. Then [`Quota::begin`] takes it in, and the feed
//!    gives an observation without rows whose cursor has it (`Coverage::Incomplete`).
//! 2. When that cursor is *committed*, the feed is called again and makes the call, if
//!    [`Quota::may_send`] still says so.
//! 3. [`Quota::end`] goes into the cursor of the rows that came. A fault carries no cursor, so where the
//!    upstream says that it was one too many, the feed gives an observation without rows whose cursor has
//!    [`Quota::refused`], and the fault with the call after that.
//!
//! A kill between 1 and 3 leaves a call that has no end. It counts as if it had been made as late as it
//! could have been. While half of the hour's calls are left, the next one goes at once; after that it waits
//! for its share of an hour, so that a process that dies again and again, or a feed whose calls fail and that
//! is opened anew from its cursor each time, has calls left for what comes later in the hour.
//!
//! [`MeteredFeed`](crate::feeds::MeteredFeed) does so. The runtime calls a feed again after a commit where
//! the feed says so (`Feed::waits_for_commit`).
//!
//! Two other ways were looked at. A call that is only *announced* for a later time in the cursor of the
//! call before needs the same certainty, for that cursor may not be committed either. To count from the
//! process's start what a predecessor could have done burns most of an hour at each restart.
//!
//! # A beginning of which nothing is known
//!
//! Without a cursor nothing has been read, or what was known is lost. A predecessor may have used all that
//! the reserve leaves, so in the first hour the reserve is all there is ([`Quota::unknown`]).
//!
//! # Clocks
//!
//! Only differences of this machine's clock are used. One that was set back leaves calls in the future;
//! they count as made now ([`Quota::settle`]), which delays the next call by an hour at the most. One that
//! was set forward makes calls look older than they are, and cannot be seen.

mod calls;
mod settings;
mod shown;

pub use calls::{Limits, Quota};
pub use settings::{keys, read, read_interval};
pub use shown::{Left, Quotas, ShownQuota};
