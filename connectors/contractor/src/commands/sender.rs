//! What sending needs: the upstream, the users' sessions, and what the configuration says.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use talon_sdk::Context;

use super::attachments::Attachments;
use super::config::{CommandConfig, Marker};
use crate::client::Upstream;
use crate::session::Session;

/// Sends the commands of one instance.
pub(crate) struct Sender {
    pub(super) upstream: Upstream,
    pub(super) users: Users,
    pub(super) zone: TimeZone,
    pub(super) marker: Marker,
    pub(super) publish_link: bool,
    pub(super) attachments: Attachments,
}

/// The sessions of the configured users.
pub(super) struct Users {
    main: Option<Session>,
    named: BTreeMap<String, Session>,
}

impl Users {
    pub(super) fn find(&self, name: Option<&str>) -> Option<&Session> {
        match name {
            None => self.main.as_ref(),
            Some(name) => self.named.get(name),
        }
    }
}

impl Sender {
    /// Asks the upstream nothing. Time limits and TLS of attachments are those of `http`.
    pub(crate) fn new(
        upstream: Upstream,
        config: &CommandConfig,
        http: &talon_http::Config,
        zone: TimeZone,
        context: &Context,
    ) -> Sender {
        let CommandConfig { accounts, form, marker, publish_link, limits } = config;
        let upstream = upstream.for_commands();
        let session =
            |account: &_| Session::new(upstream.http.clone(), Clone::clone(account), form.clone());
        let named = accounts.named.iter();
        Sender {
            users: Users {
                main: accounts.main.as_ref().map(session),
                named: named.map(|(name, account)| (name.clone(), session(account))).collect(),
            },
            zone,
            marker: *marker,
            publish_link: *publish_link,
            attachments: Attachments {
                limits: limits.clone(),
                http: http.clone(),
                context: context.clone(),
            },
            upstream,
        }
    }
}
