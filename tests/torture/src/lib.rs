//! A conformance suite that breaks Talon on purpose.
//!
//! A run is some connectors ([`cast`]) with an upstream each ([`subject`]), a real broker, some `talon run`
//! processes with a line of its own between each of them and everything else ([`proxy`]), and a seeded
//! history of what goes wrong ([`scenario`]), all in a [`world`]. A [`driver`] edits the upstream and issues commands. When all is
//! over and settled, the [`recorder`] reads what any consumer would, and [`check`] holds it against the
//! upstream's own history and journal ([`facts`]). A history that fails is cut ([`shrink`]); what came
//! of all runs is a table ([`report`]). Apart from all that, [`relay`] does the same to relays, which have no upstream,
//! and [`fuzz`] feeds the readers with anything.
#![forbid(unsafe_code)]

pub mod broker;
pub mod cast;
pub mod check;
pub mod disk;
pub mod driver;
pub mod facts;
pub mod fuzz;
pub mod operator;
pub mod process;
pub mod proxy;
pub mod recorder;
pub mod registry;
pub mod relay;
pub mod report;
pub mod said;
pub mod scenario;
pub mod shrink;
pub mod subject;
pub mod world;
