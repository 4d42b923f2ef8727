//! What a page is made of.

use std::collections::BTreeMap;

use maud::{Markup, html};
use talon_runtime::engine::{Glance, UpstreamRow};

use crate::instances::{Info, Shown};

/// What this process sees, at one moment.
pub(super) struct Seen<'a> {
    pub(super) glance: &'a Glance,
    /// All connectors of the group.
    pub(super) connectors: &'a [(String, Info, Shown)],
    /// Why they are not known yet.
    pub(super) trouble: Option<&'a str>,
    /// What this process is called.
    pub(super) worker: &'a str,
    pub(super) upstreams: &'a BTreeMap<String, UpstreamRow>,
    /// The last events, oldest first.
    pub(super) recent: &'a [String],
}

/// Whether this process runs a connector, and who does.
pub(super) fn who(shown: &Shown, worker: &str) -> (bool, Markup) {
    match shown.connector.as_str() {
        "UNASSIGNED" | "STOPPED" => (false, html! { "nobody" }),
        _ if shown.worker == worker => (true, html! { "this process" }),
        _ => (false, html! { code { (shown.worker) } }),
    }
}
