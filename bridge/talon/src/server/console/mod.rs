//! The console: what an engineer opens at night.
//!
//! Complete without JavaScript; the script only takes a page anew. Every page is made by one file here; [`layout`] is
//! what they have around them. What is not a literal of these files is escaped by the macro that makes the pages, and
//! [`layout::clean`] takes out what turns the direction of text.
//!
//! Pages link to each other relatively, so the console can stand under any path of a proxy: the overview is `/`, all
//! others are one step below, `/console/…`.

mod actions;
mod assets;
mod caller;
mod command;
mod commands;
mod connector;
mod entity;
mod feeds;
mod fields;
mod layout;
mod letters;
mod matters;
mod overview;
mod relays;
mod results;
mod runbook;
mod seen;
mod state;
#[cfg(test)]
mod tests;
mod text;
mod topics;

use axum::Router;
use axum::routing::{get, post};

pub(super) use caller::Caller;
pub(super) use overview::overview;
pub(super) use state::Console;

/// Nothing is loaded but what this process serves, and nothing runs or is styled in place.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// All paths but the overview's, which is that of REST too.
pub(super) fn routes(console: Console) -> Router {
    Router::new()
        .route("/console/connector", get(connector::page))
        .route("/console/change", post(actions::change))
        .route("/console/commands", get(commands::page))
        .route("/console/command", get(command::page))
        .route("/console/entity", get(entity::page))
        .route("/console/letters", get(letters::page))
        .route("/console/settle", post(letters::settle))
        .route("/console/runbook", get(runbook::page))
        .route("/console/console.css", get(assets::style))
        .route("/console/console.js", get(assets::script))
        .route("/console/icon.svg", get(assets::icon))
        .with_state(console)
}
