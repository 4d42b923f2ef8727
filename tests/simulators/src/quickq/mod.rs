//! QuickQ: a queue hall with workplaces, visitors, reference books and a WebSocket protocol
//! (`quickq-websocket.txt`).
//!
//! All commands of the document are served, and the few of newer builds that are known in public.
//! Where the document is silent, or builds differ, the choice is a field of [`Settings`].
//!
//! One request goes through `socket` (faults, quirks of the answer), `commands` (session, dispatch)
//! and an operation of `store`; what an operation touched is pushed to the subscribed sockets before
//! another request is looked at.
//!
//! Besides the WebSocket at `/logic` the server answers under `/_sim` (see `control`), without
//! authorization.

mod book;
mod commands;
mod control;
mod faults;
mod history;
mod journal;
mod life;
mod log;
mod peers;
mod reply;
mod server;
mod settings;
mod shared;
mod simulator;
mod socket;
mod store;

pub use book::Book;
pub use faults::{Fault, FaultKind, Faults, Messages};
pub use history::History;
pub use journal::{Effect, Journal};
pub use log::Kind;
pub use settings::{DateName, ErrorPlace, Settings, TokenPlace};
pub use simulator::{Counts, Simulator};
