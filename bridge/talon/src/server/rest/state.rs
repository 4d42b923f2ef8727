//! What the REST answers from.

use axum::http::StatusCode;

use super::errors::Error;
use crate::instances::Instances;

/// What the REST answers from.
#[derive(Clone)]
pub(in crate::server) struct Rest {
    pub(in crate::server) instances: Instances,
    /// Names the group of processes.
    pub(in crate::server) cluster: String,
}

/// The connectors, once all of them are known.
pub(super) fn ready(rest: &Rest) -> Result<&Instances, Error> {
    match rest.instances.ready() {
        Ok(()) => Ok(&rest.instances),
        Err(why) => {
            let message = format!("the connectors are not known yet: {why}");
            Err(Error::new(StatusCode::SERVICE_UNAVAILABLE, message))
        }
    }
}
