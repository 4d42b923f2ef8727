//! ContractorPersonalArea: the gateway between a dispatcher system and contractors with field
//! employees (`contractor-personal-area.txt`).
//!
//! All endpoints of the document are served with its codes, its three authentication schemes and
//! its forms of bodies. Where the document is silent the choice is named in the documentation of
//! the [`Settings`] field that switches it.
//!
//! One request goes through `gate` (counting, faults, authorization), a route in `routes`, an
//! operation of `store`, and back through `gate` (journal, faults on the answer).
//! The `store` holds the truth; `store::feed` holds what is published of it.
//!
//! Besides the document's paths the server answers under `/_sim` (see `control`), without
//! authorization.

mod auth;
mod clock;
mod control;
mod dates;
mod door;
mod faults;
mod gate;
mod history;
mod inputs;
mod journal;
mod life;
mod log;
mod misbehave;
mod model;
mod password;
mod reply;
mod routes;
mod scheme;
mod server;
mod settings;
mod shared;
mod simulator;
mod store;

pub use faults::{Fault, FaultKind, Faults, Requests};
pub use history::History;
pub use journal::{Effect, Journal};
pub use log::{Kind, PastState};
pub use password::hashed_password;
pub use scheme::Scheme;
pub use settings::{MarkBound, PlainSuccess, Settings, UserSeed};
pub use shared::Marks;
pub use simulator::Simulator;
