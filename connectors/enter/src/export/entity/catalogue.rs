use talon_sdk::entity::{Code, Record};
use talon_sdk::record::{Extra, Text};

use super::states::SourceType;

/// A branch (филиал) of the central server. Upstream: GET /api/1/config/servers.
#[derive(Record)]
#[record(namespace = "talon.enter")]
pub(crate) struct Branch<'a> {
    /// Key. A Guid.
    #[from("Id")]
    pub(crate) id: Text<'a>,
    /// Short name in the configuration.
    #[from("Name")]
    name: Option<Text<'a>>,
    /// Whether the branch is connected to the central server now; while it is not, its tickets may be stale.
    #[from("IsConnected")]
    is_connected: Option<bool>,
    /// Whether it is connected with a wrong number of the protocol: its tickets are not read. Upstream: WrongProtocol.
    #[from("WrongProtocol")]
    has_wrong_protocol: Option<bool>,
    #[from("OrganizationName")]
    organization_name: Option<Text<'a>>,
    #[from("OrganizationFullName")]
    organization_full_name: Option<Text<'a>>,
    #[from("OrganizationAddress")]
    organization_address: Option<Text<'a>>,
    #[from("OrganizationPhone")]
    organization_phone: Option<Text<'a>>,
    #[from("OrganizationFax")]
    organization_fax: Option<Text<'a>>,
    #[from("OrganizationEmail")]
    organization_email: Option<Text<'a>>,
    /// Free text; the upstream leaves it out where there is none.
    #[from("IntegrationId")]
    integration_id: Option<Text<'a>>,
    extra: Extra<'a>,
}

/// What can create tickets: a terminal, an API. Upstream: GET /api/1/config/ticketSources.
#[derive(Record)]
#[record(name = "TicketSource", namespace = "talon.enter")]
pub(crate) struct Source<'a> {
    /// Key. A Guid.
    #[from("Id")]
    pub(crate) id: Text<'a>,
    /// Not unique, and differs in case.
    #[from("Name")]
    name: Option<Text<'a>>,
    /// TicketSourceType.
    #[from("Type")]
    r#type: Code<SourceType>,
    /// The system that created the ticket through an API; several sources may share it.
    #[from("ExternalSystemId")]
    external_system_id: Option<Text<'a>>,
    #[from("AdministratorId")]
    administrator_id: Option<Text<'a>>,
    extra: Extra<'a>,
}
