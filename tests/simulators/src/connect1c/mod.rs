//! 1C-Connect's PartnerWebAPI2 (`1c-connect-soap.txt`): SOAP over HTTP with Basic auth.
//!
//! Two operations: the history of closed treatments and the list of open ones.
//! Treatments are made when they are asked for: a treatment's whole life follows from the seed and its number, and what a reply shows of it is what has happened by the simulator's clock.
//! So nothing is stored, a rating comes days after the closing by itself, replies of a million rows are streamed, and a test knows the truth of any moment by asking [`Simulator::closed`] and [`Simulator::open`].
//!
//! Calls are counted per account and operation, in one of the [`Counting`] ways, and the journal keeps each of them: a test can say that the quota was never exceeded ([`Journal::most_in_an_hour`]).
//!
//! What no document says is made up and can be set otherwise: which hours are the day's, whether refused calls count, and the codes of refusals other than `OUT_OF_LIMIT`.
//!
//! Besides `/cus/ws/PartnerWebAPI2` the server answers under `/_sim` (see `control`), without authorization.

mod call;
mod control;
mod faults;
mod journal;
mod life;
mod limits;
mod reply;
mod routes;
mod settings;
mod shared;
mod simulator;
mod spelling;
mod table;

pub use call::Operation;
pub use faults::{Fault, FaultKind, Faults, Requests};
pub use journal::{Call, Journal, Outcome};
pub use life::{Treatment, by_document};
pub use settings::{Counting, Settings, SoapVersion};
pub use simulator::Simulator;
