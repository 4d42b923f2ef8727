//! The connector `enter-rest` against a simulated branch and a simulated central server.

mod both;
// What the conformance of the connector prepares for each command.
#[path = "../../../../connectors/enter/tests/conformance/commands.rs"]
#[allow(dead_code)]
mod commands;
mod crowd;
mod discreet;
mod forms;
mod hall;
mod history;
mod large;
mod midnight;
mod moments;
mod order;
mod replaced;
mod table;
mod topics;
mod truth;
