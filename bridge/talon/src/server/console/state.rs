//! What the console answers from.

use std::sync::Arc;

use talon_runtime::engine::View;

use crate::instances::Instances;
use crate::server::about::About;

/// What the console shows.
#[derive(Clone)]
pub(in crate::server) struct Console {
    pub(in crate::server) view: View,
    pub(in crate::server) about: Arc<About>,
    pub(in crate::server) instances: Instances,
}
