//! What a reply says of its branch.

use talon_sdk::entity::Record;
use talon_sdk::record::{Extra, Text};

/// What stands before the tickets of a reply.
#[derive(Record)]
pub(crate) struct Head<'a> {
    #[from("Department")]
    department: Option<Department<'a>>,
    extra: Extra<'a>,
}

/// The branch of a reply with history.
#[derive(Record)]
pub(super) struct Department<'a> {
    #[from("Name")]
    pub(super) name: Option<Text<'a>>,
    #[from("ClientId")]
    pub(super) client_id: Option<Text<'a>>,
    #[from("IntegrationId")]
    pub(super) integration_id: Option<Text<'a>>,
    #[from("IsConnected")]
    pub(super) is_connected: Option<bool>,
    #[from("TimeZone")]
    pub(super) time_zone: Option<ToldZone<'a>>,
    pub(super) extra: Extra<'a>,
}

/// The zone of a branch; only in the document's sample.
#[derive(Record)]
pub(crate) struct ToldZone<'a> {
    #[from("Id")]
    pub(crate) id: Option<Text<'a>>,
    #[from("Name")]
    pub(super) name: Option<Text<'a>>,
    #[from("UtcOffset")]
    pub(crate) utc_offset: Option<Text<'a>>,
    pub(super) extra: Extra<'a>,
}

impl<'a> Head<'a> {
    /// The zone that the reply tells.
    pub(crate) fn zone(&self) -> Option<&ToldZone<'a>> {
        self.department.as_ref()?.time_zone.as_ref()
    }
}
