use talon_sdk::entity::{Int, RawJson, Record};
use talon_sdk::record::{Extra, Text};

/// Versions of the server. The licence number (hasp) is dropped for good. Upstream: info.
#[derive(Record)]
#[record(namespace = "talon.quickq")]
pub(crate) struct ServerInfo<'a> {
    #[from("common")]
    common: Option<Text<'a>>,
    #[from("core")]
    pub(crate) core: Option<Text<'a>>,
    #[from("database")]
    pub(crate) database: Option<Text<'a>>,
    #[from("jsengine")]
    jsengine: Option<Text<'a>>,
    #[from("wssserver")]
    pub(crate) wssserver: Option<Text<'a>>,
    #[from("db")]
    db: Option<Text<'a>>,
    extra: Extra<'a>,
    /// Open sessions; comes and goes, so that it alone is no change.
    #[from("sessions")]
    #[record(volatile)]
    pub(crate) sessions: Option<Int>,
    /// Blanked already.
    #[from("hasp")]
    #[record(hidden)]
    licence: Option<RawJson<'a>>,
}
