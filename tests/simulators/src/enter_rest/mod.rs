//! A branch or the central server of СУО Enter, as its REST services show it (`enter-rest.txt`).
//!
//! It leads a seeded life by a clock that tests set: visitors come, wait, are called, served, redirected,
//! held, or do not come; operators work by themselves while commands come; bookings are made, confirmed,
//! activated, and expire; at midnight the list of tickets begins anew.
//! The document is a bare table, so what it does not say is a setting here ([`Settings`]).
//!
//! Every request of the table is there, those that change something with their effect, and the
//! [`Effect`]s are in a journal.

mod control;
mod faults;
mod forms;
mod journal;
mod routes;
mod settings;
mod shared;
mod show;
mod simulator;
mod store;
mod world;

pub use faults::{Fault, FaultKind, Faults, Requests};
pub use journal::Effect;
pub use routes::TABLE;
pub use settings::{Dates, ErrorForm, Groups, Kind, Names, Settings};
pub use simulator::Simulator;
