//! What services in tickets are made of.

use talon_sdk::entity::{How, Item, Record};
use talon_sdk::privacy::Policy;
use talon_sdk::record::{Extra, Text};

/// A workplace, as services name it.
#[derive(Record)]
#[record(name = "WorkplaceInfo")]
pub(super) struct WorkplaceInfo<'a> {
    #[from("Id")]
    id: Option<Text<'a>>,
    #[from("Name")]
    name: Option<Text<'a>>,
    #[from("ClientId")]
    client_id: Option<Text<'a>>,
    extra: Extra<'a>,
}

/// An operator. Upstream: User.
#[derive(Record)]
#[record(finish = Operator::guard)]
pub(super) struct Operator<'a> {
    #[from("Id")]
    id: Option<Text<'a>>,
    #[from("Login")]
    #[record(pii)]
    login: Option<Text<'a>>,
    /// Upstream: Name.
    #[from("Name")]
    #[record(pii)]
    given_name: Option<Text<'a>>,
    /// Upstream: SurName.
    #[from("SurName")]
    #[record(pii)]
    surname: Option<Text<'a>>,
    extra: Extra<'a>,
}

impl Operator<'_> {
    /// Whatever else is known of a person is personal too.
    fn guard(&mut self, how: &How<'_>) {
        if Operator::strictest(how) != Policy::Keep {
            self.extra = Extra::default();
        }
    }
}

/// A value that somebody typed in. Its id is not unique on its own.
#[derive(Record)]
#[record(order(field_type_id, id))]
pub(super) struct DataField<'a> {
    #[from("Id")]
    id: Option<Text<'a>>,
    #[from("FieldTypeId")]
    field_type_id: Option<Text<'a>>,
    #[from("Name")]
    name: Option<Text<'a>>,
    #[from("Value")]
    #[record(pii)]
    value: Option<Text<'a>>,
    extra: Extra<'a>,
}

/// A service of the catalogue, where it is an object inside.
#[derive(Record)]
pub(super) struct ServiceInfo<'a> {
    #[from("Id")]
    pub(super) id: Option<Text<'a>>,
    #[from("Name")]
    pub(super) name: Option<Text<'a>>,
    #[from("IntegrationId")]
    pub(super) integration_id: Option<Text<'a>>,
    pub(super) extra: Extra<'a>,
}
