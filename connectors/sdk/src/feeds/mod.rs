//! Feeds of the usual kinds, so that a plain one is its declaration and its path.
//!
//! | Kind | What it reads |
//! | --- | --- |
//! | [`ListFeed`] | a whole list each time: what is not in it is absent |
//! | [`ScopedListFeed`] | the whole lists of several scopes, one after another |
//! | [`MarkedFeed`] | what was modified since a mark, with an overlap and looks from the beginning |
//! | [`MeteredFeed`] | what one operation gives that the upstream allows so many calls an hour of |
//!
//! [`windows`] says what to read next where an upstream is asked for windows of time.
//!
//! ```
//! use bytes::Bytes;
//! use talon_sdk::feeds::ListFeed;
//! use talon_sdk::{Clock, Feed, Received};
//!
//! let feed = ListFeed::new(Clock::System, || async {
//!     // `client.read_json(Request::get("GET /tasks", ["tasks"])).await?`
//!     Ok(Received::new("GET /tasks", Bytes::from_static(b"[]")).rows()?)
//! });
//! let feed: Box<dyn Feed> = Box::new(feed);
//! # drop(feed);
//! ```

mod leap;
mod list;
mod marked;
mod marks;
mod metered;
mod scoped;
mod whole;
pub mod windows;

pub use leap::{Believed, FEW, Leap, believed};
pub use list::{List, ListFeed};
pub use marked::{Marked, MarkedFeed};
pub use marks::{MarkedRows, Marks};
pub use metered::{Answer, MeteredFeed, NoAnswer, Operation, Piece, is_cursor};
pub use scoped::{ScopedListFeed, ScopedLists};
