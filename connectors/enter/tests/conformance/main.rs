//! The connectors keep what connectors promise: `talon_sdk::conformance` against the simulators.
#![allow(clippy::unwrap_used)]

mod commands;
mod export;
mod rest;
// What the scenarios compare topics with.
#[path = "../../../../tests/scenarios/enter/rest/truth.rs"]
#[allow(dead_code)]
mod truth;

use export::Export;
use rest::Rest;
use talon_enter::{EnterExport, EnterRest};
use talon_sdk::conformance::check;
use talon_simulators::enter_rest::Kind;

#[tokio::test]
async fn the_export_conforms() {
    let report = check(&EnterExport, async || Export::start(false).await).await;
    report.assert();
}

#[tokio::test]
async fn the_export_conforms_where_vanished_tickets_are_deleted() {
    let report = check(&EnterExport, async || Export::start(true).await).await;
    report.assert();
}

#[tokio::test]
async fn the_services_of_a_branch_conform() {
    let report = check(&EnterRest, async || Rest::start(Kind::Branch).await).await;
    report.assert();
}

#[tokio::test]
async fn the_services_of_a_central_server_conform() {
    let report = check(&EnterRest, async || Rest::start(Kind::Central).await).await;
    report.assert();
}
