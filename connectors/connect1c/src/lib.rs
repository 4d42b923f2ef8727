//! 1C-Connect: treatments of its support lines, from the SOAP interface PartnerWebAPI2
//! (`1c-connect-soap.txt`).
//!
//! The traps of this upstream, and where each is dealt with:
//!
//! - **The quota is the upstream.** Ten calls an hour by day, of each account and operation, counted in a
//!   way that nobody knows, and shared with other programs: [`talon_sdk::quota`].
//! - **What is read when.** The past in windows, newest first, then what was closed lately, and once a
//!   night what may have been rated late: [`talon_sdk::feeds::windows`].
//! - **Rows are told by position**, in an order that each reply says anew, and a reply can be a million
//!   rows: [`talon_http::soap`].
//! - **A document that is cut short is no error to the XML library**: the same.
//! - **Errors come with status 200**: [`talon_http::soap::ReplyFault`].
//! - **Times have no zone, and "none" has stand-ins**: `entity`.
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod config;
pub mod contracts;
mod entity;
mod feeds;
pub mod soap;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use talon_sdk::config::{Key, Settings};
use talon_sdk::{Class, Connector, Context, Cursor, Fault, Feed, FeedPlan, FeedSpec};

use crate::config::Config;

/// The class `connect1c`.
pub struct Connect1C;

impl Class for Connect1C {
    fn name(&self) -> &'static str {
        "connect1c"
    }

    fn doc(&self) -> &'static str {
        "1C-Connect: open and closed treatments of support lines (SOAP, a quota of calls an hour)."
    }

    fn feeds(&self) -> Vec<FeedSpec> {
        feeds::specs::all()
    }

    fn keys(&self) -> Vec<Key> {
        config::keys()
    }

    fn configure(
        &self,
        settings: &mut Settings<'_>,
        context: Context,
    ) -> Option<Arc<dyn Connector>> {
        let config = config::read(settings);
        if !settings.problems().is_empty() {
            return None;
        }
        for warning in config.http.warnings() {
            tracing::warn!(connector = context.name, "{warning}");
        }
        Some(Arc::new(Instance { config, context, http: OnceLock::new() }))
    }
}

struct Instance {
    config: Config,
    context: Context,
    http: OnceLock<talon_http::Client>,
}

impl Instance {
    /// One client for both feeds. Made on first use, because it reads certificate files.
    fn http(&self) -> Result<talon_http::Client, Fault> {
        if let Some(http) = self.http.get() {
            return Ok(http.clone());
        }
        let made = talon_http::Client::new(self.config.http.clone(), &self.context)?;
        Ok(self.http.get_or_init(|| made).clone())
    }
}

#[async_trait]
impl Connector for Instance {
    fn feeds(&self) -> Vec<FeedPlan> {
        let configured = self.config.feeds.iter().map(|(spec, interval)| {
            let codec = feeds::codec(&spec.name, &self.config);
            FeedPlan { spec: spec.clone(), interval: *interval, codec }
        });
        configured.collect()
    }

    fn open(&self, feed: &str) -> Result<Box<dyn Feed>, Fault> {
        feeds::open(feed, &self.config, self.http()?, &self.context)
    }

    fn request_timeout(&self) -> Duration {
        self.config.http.request_timeout
    }

    fn offset_problem(&self, feed: &str, offset: &Cursor) -> Option<String> {
        let is_sound = feeds::can_go_on(feed, offset);
        (!is_sound).then(|| "expected it as `talon offsets list` prints it".to_owned())
    }

    async fn probe(&self) -> Result<String, Fault> {
        // The description stands behind the same credentials, and no quota counts it.
        let request = talon_http::Request::get("GET ?wsdl", [] as [&str; 0])
            .query_name("wsdl")
            .credentials(self.config.credentials.as_ref());
        let reply = self.http()?.send(request).await?;
        match talon_http::fault_of("GET ?wsdl", &reply, Some("auth.password")) {
            Some(fault) => Err(fault),
            None => {
                Ok("answers, and takes the credentials; no call of the quota was made".to_owned())
            }
        }
    }
}
