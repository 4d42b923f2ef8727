//! What to read next from an upstream that is asked for windows of time.
//!
//! In this order:
//!
//! 1. What happened lately: at each poll interval from `overlap` before the last read up to `lag` before
//!    now. Never up to now, for what happens in the same second could be missed.
//! 2. Once a day the last days again, for what changed late. A change that comes later than that is not
//!    seen.
//! 3. What was never read: the past from `backfill_from` on, and what was missed while nothing ran, newest
//!    first.
//!
//! A window touches at most [`Settings::most_days`] days of the upstream's calendar.
//!
//! What is done is a few numbers in the cursor ([`Position`]). A window counts as done when its reply was
//! whole, so a process that dies reads at most one window again.
//!
//! Whether the bounds of a request belong to its window is seldom said, so a request begins a second before
//! its window, and the windows of the past meet without a gap. In an hour that clocks repeat, a bound means
//! both; `overlap` is at least as long.
//!
//! Does no I/O and reads no clock. All times are milliseconds since 1970 UTC.

mod plan;
mod settings;

pub use plan::{Lane, Position, Settings, Window};
pub use settings::{keys, read};
