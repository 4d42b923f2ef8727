//! Checks that a connector keeps what it promises, against a simulator of its upstream.
//!
//! A connector's test implements [`Simulation`] and calls [`check`]:
//!
//! ```ignore
//! #[tokio::test]
//! async fn the_connector_conforms() {
//!     let report = conformance::check(&DeskClass, Desk::start).await;
//!     report.assert();
//! }
//! ```
//!
//! Every check begins with a simulation of its own, and reads as the runtime would: it keeps what was
//! published, opens feeds anew, and takes what a full list lacks for deleted.
//! What is checked is listed at [`Property`]. All breaches are reported together.
//!
//! What becomes of a breach is decided by content alone; no clock is asserted. A connector that does what
//! it should is never waited for longer than it takes; one that does not is given up after
//! [`Simulation::patience`].
//!
//! The feature `conformance` switches the module on. It is for tests: connectors name it in their
//! `dev-dependencies`.

mod absence;
mod cancel;
mod command;
mod discreet;
mod discretion;
mod odd;
mod params;
mod probe;
mod reader;
mod report;
mod respell;
mod resume;
mod rows;
mod simulation;
mod spelling;
mod trial;
mod view;

pub use report::{Breach, Property, Report};
pub use simulation::{Ailment, Loss, Simulation};

use crate::Class;
use trial::Trials;

/// Checks a class. `start` begins a simulation with some entities in each feed; it is called often.
///
/// To be awaited on a runtime of one thread, which `#[tokio::test]` makes: the log is watched on the
/// thread that polls.
pub async fn check<S: Simulation>(class: &dyn Class, start: impl AsyncFn() -> S) -> Report {
    let log = discreet::watch();
    let mut trials = Trials::new(class, &start);
    absence::check(&mut trials).await;
    resume::check(&mut trials).await;
    cancel::check(&mut trials).await;
    spelling::check(&mut trials).await;
    rows::check(&mut trials).await;
    params::check(&mut trials).await;
    probe::check(&mut trials).await;
    discretion::check(&mut trials).await;
    let mut report = trials.report;
    log.judge(&mut report);
    report
}
