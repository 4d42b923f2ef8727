//! The ticket export of a central server of СУО Enter (`enter-central-export.txt`).
//!
//! The four methods of the document, for branches in several zones and for years of tickets, which
//! are made when they are asked for: a ticket's whole life follows from the seed, its branch, its day
//! and its place in the day, and what a reply shows of it is what has happened by the simulator's
//! clock. So nothing is stored, a booked ticket changes months later by itself, and a test knows the
//! truth of any moment by asking [`Simulator::day`].
//!
//! Besides the document's paths the server answers under `/_sim` (see `control`), without
//! authorization.

mod control;
mod faults;
mod life;
mod routes;
mod settings;
mod shared;
mod simulator;
mod words;
mod world;
mod write;

pub use faults::{Fault, FaultKind, Faults, Requests};
pub use settings::Settings;
pub use shared::Asked;
pub use simulator::Simulator;
