//! The connector `enter-rest` against a simulated branch and a simulated central server.

mod discreet;
mod forms;
mod hall;
mod midnight;
mod replaced;
mod table;
mod topics;
mod truth;
