//! What the upstream sends (`enter-central-export.txt`): the records of its four methods.

use std::borrow::Cow;

use talon_sdk::record::Text;
use talon_sdk::upstream_record;

upstream_record! {
    /// A branch, of `GET /api/1/config/servers`.
    pub struct BranchDto<'a> {
        id: Guid<'a> = "Id",
        name: Option<Text<'a>> = "Name",
        is_connected: Option<bool> = "IsConnected",
        wrong_protocol: Option<bool> = "WrongProtocol",
        organization_name: Option<Text<'a>> = "OrganizationName",
        organization_full_name: Option<Text<'a>> = "OrganizationFullName",
        organization_address: Option<Text<'a>> = "OrganizationAddress",
        organization_phone: Option<Text<'a>> = "OrganizationPhone",
        organization_fax: Option<Text<'a>> = "OrganizationFax",
        organization_email: Option<Text<'a>> = "OrganizationEmail",
        integration_id: Option<Text<'a>> = "IntegrationId",
    }
}

upstream_record! {
    /// A ticket source, of `GET /api/1/config/ticketSources`.
    pub struct SourceDto<'a> {
        id: Guid<'a> = "Id",
        name: Option<Text<'a>> = "Name",
        kind: Option<i64> = "Type",
        external_system_id: Option<Text<'a>> = "ExternalSystemId",
        administrator_id: Option<Text<'a>> = "AdministratorId",
    }
}

upstream_record! {
    /// A row as [`slice`](super::slice) makes it: a ticket, and what the reply says of its branch.
    /// `Department` is of the method with the history, the rest is of the old one.
    pub struct RowDto<'a> {
        ticket: TicketDto<'a> = "Ticket",
        department: Option<DepartmentDto<'a>> = "Department",
        integration_id: Option<Text<'a>> = "IntegrationId",
    }
}

upstream_record! {
    /// What stands before the tickets of a reply.
    pub struct HeadDto<'a> {
        department: Option<DepartmentDto<'a>> = "Department",
    }
}

upstream_record! {
    /// The branch of a reply with history.
    pub struct DepartmentDto<'a> {
        name: Option<Text<'a>> = "Name",
        client_id: Option<Text<'a>> = "ClientId",
        integration_id: Option<Text<'a>> = "IntegrationId",
        is_connected: Option<bool> = "IsConnected",
        time_zone: Option<TimeZoneDto<'a>> = "TimeZone",
    }
}

upstream_record! {
    /// The zone of a branch; only in the document's sample.
    pub struct TimeZoneDto<'a> {
        id: Option<Text<'a>> = "Id",
        name: Option<Text<'a>> = "Name",
        utc_offset: Option<Text<'a>> = "UtcOffset",
    }
}

upstream_record! {
    /// A ticket, in the shapes of both methods.
    pub struct TicketDto<'a> {
        id: Guid<'a> = "Id",
        number: Option<Text<'a>> = "Number",
        state: Option<i64> = "State",
        created: Option<Text<'a>> = "Created",
        created_time: Option<Text<'a>> = "CreatedTime",
        source_id: Option<Text<'a>> = "SourceId",
        source: Option<SourceInfoDto<'a>> = "Source",
        activation: Option<ActivationDto<'a>> = "Activation",
        products: Vec<ProductDto<'a>> = "Products",
    }
}

upstream_record! {
    /// TicketSourceInfo.
    pub struct SourceInfoDto<'a> {
        id: Option<Text<'a>> = "Id",
        name: Option<Text<'a>> = "Name",
        kind: Option<i64> = "Type",
    }
}

upstream_record! {
    /// When and where a booked ticket was activated.
    pub struct ActivationDto<'a> {
        activation_time: Option<Text<'a>> = "ActivationTime",
        source: Option<SourceInfoDto<'a>> = "Source",
    }
}

upstream_record! {
    /// A service within a ticket, in the shapes of both methods.
    pub struct ProductDto<'a> {
        id: Guid<'a> = "Id",
        is_pending: Option<bool> = "IsPending",
        product: Option<ServiceDto<'a>> = "Product",
        product_id: Option<Text<'a>> = "ProductId",
        product_integration_id: Option<Text<'a>> = "ProductIntegrationId",
        name: Option<Text<'a>> = "Name",
        state: Option<i64> = "State",
        created: Option<Text<'a>> = "Created",
        created_time: Option<Text<'a>> = "CreatedTime",
        start_time: Option<Text<'a>> = "StartTime",
        in_queue_start_time: Option<Text<'a>> = "InQueueStartTime",
        invited_start_time: Option<Text<'a>> = "InvitedStartTime",
        operating_start_time: Option<Text<'a>> = "OperatingStartTime",
        end_time: Option<Text<'a>> = "EndTime",
        awaiting_duration: Option<f64> = "AwaitingDuration",
        operating_duration: Option<f64> = "OperatingDuration",
        workplace: Option<WorkplaceDto<'a>> = "Workplace",
        user: Option<UserDto<'a>> = "User",
        history: Vec<OperationDto<'a>> = "History",
        fields: Vec<FieldDto<'a>> = "Fields",
    }
}

upstream_record! {
    /// A service of the catalogue.
    pub struct ServiceDto<'a> {
        id: Option<Text<'a>> = "Id",
        name: Option<Text<'a>> = "Name",
        integration_id: Option<Text<'a>> = "IntegrationId",
    }
}

upstream_record! {
    /// A record of `History`.
    pub struct OperationDto<'a> {
        id: Option<Text<'a>> = "Id",
        state: Option<i64> = "State",
        operation_time: Option<Text<'a>> = "OperationTime",
        workplace: Option<WorkplaceDto<'a>> = "Workplace",
        user: Option<UserDto<'a>> = "User",
    }
}

upstream_record! {
    /// WorkplaceInfo.
    pub struct WorkplaceDto<'a> {
        id: Option<Text<'a>> = "Id",
        name: Option<Text<'a>> = "Name",
        client_id: Option<Text<'a>> = "ClientId",
        integration_id: Option<Text<'a>> = "IntegrationId",
    }
}

upstream_record! {
    /// UserInfo.
    pub struct UserDto<'a> {
        id: Option<Text<'a>> = "Id",
        login: Option<Text<'a>> = "Login",
        name: Option<Text<'a>> = "Name",
        surname: Option<Text<'a>> = "SurName",
        integration_id: Option<Text<'a>> = "IntegrationId",
    }
}

upstream_record! {
    /// A data field.
    pub struct FieldDto<'a> {
        id: Option<Text<'a>> = "Id",
        field_type_id: Option<Text<'a>> = "FieldTypeId",
        name: Option<Text<'a>> = "Name",
        value: Option<Text<'a>> = "Value",
    }
}

/// An identifier without which there is no entity.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Guid<'a>(#[serde(borrow)] pub(crate) Text<'a>);

impl<'de: 'a, 'a> talon_sdk::record::Field<'de> for Guid<'a> {
    type Wire = Guid<'a>;

    fn of(wire: Option<Guid<'a>>) -> Option<Guid<'a>> {
        wire
    }
}

/// Without it there is no row.
impl<'de: 'a, 'a> talon_sdk::record::Field<'de> for TicketDto<'a> {
    type Wire = TicketDto<'a>;

    fn of(wire: Option<TicketDto<'a>>) -> Option<TicketDto<'a>> {
        wire
    }
}

/// An enumeration of the document: a name for each number.
pub(crate) struct Codes(&'static [(i64, &'static str)]);

impl Codes {
    /// The name of a number; one that the document does not list says so.
    pub(crate) fn name(&self, code: i64) -> Cow<'static, str> {
        let known = self.0.iter().find(|(known, _)| *known == code);
        known.map_or_else(|| format!("unknown({code})").into(), |(_, name)| (*name).into())
    }
}

/// TicketSourceType.
pub(crate) const SOURCE_TYPES: Codes = Codes(&[
    (0, "terminal"),
    (1, "public_booking_api"),
    (2, "hall_administrator_api"),
    (3, "ticket_import_api"),
    (4, "state_services_portal"),
    (5, "federal_tax_service"),
]);

/// TicketState.
pub(crate) const TICKET_STATES: Codes = Codes(&[
    (0, "new"),
    (1, "waiting"),
    (2, "being_served"),
    (3, "not_waiting"),
    (4, "held_by_operator"),
]);

/// TicketProductState; 11 is not listed.
pub(crate) const PRODUCT_STATES: Codes = Codes(&[
    (0, "reserved"),
    (1, "reservation_cancelled"),
    (2, "booked"),
    (3, "in_queue"),
    (4, "invited"),
    (5, "being_served"),
    (6, "in_personal_queue"),
    (7, "no_show"),
    (8, "redirected"),
    (9, "served"),
    (10, "cancelled"),
    (12, "no_show_to_be_called_again"),
    (13, "booked_not_activated"),
    (14, "cancelled_not_activated"),
    (15, "not_yet_available"),
    (16, "confirmed"),
    (17, "not_rendered"),
]);

/// Whether a service can still change. Which states are final is not documented; these are the ones
/// of which nothing suggests otherwise.
pub(crate) fn is_open(product_state: Option<i64>) -> bool {
    !matches!(product_state, Some(1 | 7 | 8 | 9 | 10 | 14 | 17))
}
