//! Under which configuration rows are read.

use jiff::tz::TimeZone;

use crate::privacy::{Policy, Privacy};
use crate::record::Extra;

/// Under which configuration rows are read.
#[derive(Debug, Clone, Copy)]
pub struct How<'h> {
    /// The zone of instants that say none.
    pub zone: &'h TimeZone,
    /// The zones of instants under these upstream names, where they are others.
    pub zones: &'h [(String, TimeZone)],
    /// What happens to personal data.
    pub privacy: &'h Privacy,
}

impl How<'_> {
    /// The policy of a personal field.
    pub fn policy(&self, field: &str) -> Policy {
        if self.privacy.keeps_all() { Policy::Keep } else { self.privacy.field(field) }
    }

    /// Whether personal data may stand in these fields that did not fit.
    pub fn guards(&self, extra: &Extra<'_>) -> bool {
        !extra.0.is_empty() && !self.privacy.keeps_all()
    }
}

/// Where a field settles.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    /// The upstream's name of the field.
    pub from: &'static str,
    /// What happens to it.
    pub policy: Policy,
    /// Under which configuration.
    pub how: &'p How<'p>,
}

impl Place<'_> {
    /// The zone of an instant here that says none.
    pub fn zone(&self) -> &TimeZone {
        let own = self.how.zones.iter().find(|(name, _)| name == self.from);
        own.map_or(self.how.zone, |(_, zone)| zone)
    }
}
