//! What tickets and operations are made of.

use talon_sdk::entity::{Code, Described, Description, Field, How, Item, Place, Record};
use talon_sdk::privacy::Policy;
use talon_sdk::record::{Extra, Text};

use super::states::SourceType;

/// Upstream: TicketSourceInfo.
#[derive(Record)]
#[record(name = "TicketSourceInfo")]
pub(super) struct SourceInfo<'a> {
    #[from("Id")]
    id: Option<Text<'a>>,
    #[from("Name")]
    name: Option<Text<'a>>,
    /// TicketSourceType.
    #[from("Type")]
    r#type: Code<SourceType>,
    extra: Extra<'a>,
}

impl<'a> SourceInfo<'a> {
    /// From the old method, which says only its id.
    pub(super) fn of(id: Text<'a>) -> SourceInfo<'a> {
        SourceInfo { id: Some(id), name: None, r#type: Code::default(), extra: Extra::default() }
    }
}

/// Upstream: WorkplaceInfo.
#[derive(Record)]
pub(super) struct Workplace<'a> {
    #[from("Id")]
    id: Option<Text<'a>>,
    #[from("Name")]
    name: Option<Text<'a>>,
    #[from("ClientId")]
    client_id: Option<Text<'a>>,
    #[from("IntegrationId")]
    integration_id: Option<Text<'a>>,
    extra: Extra<'a>,
}

/// Upstream: UserInfo.
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
    #[from("IntegrationId")]
    integration_id: Option<Text<'a>>,
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
    pub(super) field_type_id: Option<Text<'a>>,
    #[from("Name")]
    name: Option<Text<'a>>,
    #[from("Value")]
    #[record(pii)]
    pub(super) value: ByType<'a>,
    pub(super) extra: Extra<'a>,
}

/// A text whose policy is that of the type of its data field; see [`Personal`](super::Personal).
pub(super) struct ByType<'a>(pub(super) Option<Text<'a>>);

impl<'a> Field<'a> for ByType<'a> {
    type Wire = Option<Text<'a>>;

    fn read(wire: Option<Option<Text<'a>>>) -> Option<ByType<'a>> {
        Some(ByType(wire.flatten()))
    }

    fn settle(&mut self, _: &Place<'_>, _: &mut Extra<'a>) {}

    fn describe(of: &Described<'_>, record: &mut Description<'_>) {
        <Option<Text<'_>> as Field<'_>>::describe(of, record);
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn strictest(_: &How<'_>) -> Policy {
        Policy::Keep
    }
}
