//! Entities as their schemas have them (`schemas/enter/*.avsc`): fields in the schemas' order.

use std::borrow::Cow;

use serde::Serialize;
use talon_sdk::record::Extra;

type Str<'a> = Option<Cow<'a, str>>;

#[derive(Serialize)]
pub(crate) struct Branch<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) name: Str<'a>,
    pub(crate) is_connected: Option<bool>,
    pub(crate) has_wrong_protocol: Option<bool>,
    pub(crate) organization_name: Str<'a>,
    pub(crate) organization_full_name: Str<'a>,
    pub(crate) organization_address: Str<'a>,
    pub(crate) organization_phone: Str<'a>,
    pub(crate) organization_fax: Str<'a>,
    pub(crate) organization_email: Str<'a>,
    pub(crate) integration_id: Str<'a>,
    pub(crate) extra: Extra<'a>,
}

#[derive(Serialize)]
pub(crate) struct Source<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) name: Str<'a>,
    pub(crate) type_code: Option<i64>,
    pub(crate) r#type: Str<'a>,
    pub(crate) external_system_id: Str<'a>,
    pub(crate) administrator_id: Str<'a>,
    pub(crate) extra: Extra<'a>,
}

#[derive(Serialize)]
pub(crate) struct Ticket<'a> {
    pub(crate) branch_id: &'a str,
    pub(crate) id: Cow<'a, str>,
    pub(crate) day: String,
    pub(crate) time_zone: &'a str,
    pub(crate) time_zone_origin: &'a str,
    pub(crate) is_open: bool,
    pub(crate) operations: Vec<Cow<'a, str>>,
    pub(crate) number: Str<'a>,
    pub(crate) state_code: Option<i64>,
    pub(crate) state: Str<'a>,
    pub(crate) created_at: Option<i64>,
    pub(crate) created_local: Str<'a>,
    pub(crate) source: Option<SourceInfo<'a>>,
    pub(crate) activated_at: Option<i64>,
    pub(crate) activated_local: Str<'a>,
    pub(crate) activation_source: Option<SourceInfo<'a>>,
    pub(crate) products: Vec<Product<'a>>,
    pub(crate) extra: Extra<'a>,
    pub(crate) branch_name: Str<'a>,
    pub(crate) branch_client_id: Str<'a>,
    pub(crate) branch_integration_id: Str<'a>,
    pub(crate) branch_is_connected: Option<bool>,
    pub(crate) branch_extra: Extra<'a>,
    /// The last thing that is known to have happened; no field of the schema.
    #[serde(skip)]
    pub(crate) changed_at: Option<i64>,
}

#[derive(Serialize)]
pub(crate) struct SourceInfo<'a> {
    pub(crate) id: Str<'a>,
    pub(crate) name: Str<'a>,
    pub(crate) type_code: Option<i64>,
    pub(crate) r#type: Str<'a>,
    pub(crate) extra: Extra<'a>,
}

#[derive(Serialize)]
pub(crate) struct Product<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) product_id: Str<'a>,
    pub(crate) product_integration_id: Str<'a>,
    pub(crate) name: Str<'a>,
    pub(crate) state_code: Option<i64>,
    pub(crate) state: Str<'a>,
    pub(crate) is_booked: Option<bool>,
    pub(crate) created_at: Option<i64>,
    pub(crate) created_local: Str<'a>,
    pub(crate) starts_at: Option<i64>,
    pub(crate) starts_local: Str<'a>,
    pub(crate) queued_at: Option<i64>,
    pub(crate) queued_local: Str<'a>,
    pub(crate) first_invited_at: Option<i64>,
    pub(crate) first_invited_local: Str<'a>,
    pub(crate) first_operated_at: Option<i64>,
    pub(crate) first_operated_local: Str<'a>,
    pub(crate) ended_at: Option<i64>,
    pub(crate) ended_local: Str<'a>,
    pub(crate) awaiting_seconds: Option<f64>,
    pub(crate) operating_seconds: Option<f64>,
    pub(crate) workplace: Option<Workplace<'a>>,
    pub(crate) operator: Option<Operator<'a>>,
    pub(crate) fields: Vec<DataField<'a>>,
    pub(crate) extra: Extra<'a>,
}

#[derive(Serialize)]
pub(crate) struct Workplace<'a> {
    pub(crate) id: Str<'a>,
    pub(crate) name: Str<'a>,
    pub(crate) client_id: Str<'a>,
    pub(crate) integration_id: Str<'a>,
    pub(crate) extra: Extra<'a>,
}

#[derive(Serialize)]
pub(crate) struct Operator<'a> {
    pub(crate) id: Str<'a>,
    pub(crate) login: Str<'a>,
    pub(crate) given_name: Str<'a>,
    pub(crate) surname: Str<'a>,
    pub(crate) integration_id: Str<'a>,
    pub(crate) extra: Extra<'a>,
}

#[derive(Serialize)]
pub(crate) struct DataField<'a> {
    pub(crate) id: Str<'a>,
    pub(crate) field_type_id: Str<'a>,
    pub(crate) name: Str<'a>,
    pub(crate) value: Str<'a>,
    pub(crate) extra: Extra<'a>,
}

#[derive(Serialize)]
pub(crate) struct Operation<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) branch_id: &'a str,
    pub(crate) ticket_id: &'a str,
    pub(crate) ticket_number: Str<'a>,
    pub(crate) ticket_product_id: Str<'a>,
    pub(crate) product_id: Str<'a>,
    pub(crate) product_name: Str<'a>,
    pub(crate) state_code: Option<i64>,
    pub(crate) state: Str<'a>,
    pub(crate) operated_at: Option<i64>,
    pub(crate) operated_local: Str<'a>,
    pub(crate) time_zone: &'a str,
    pub(crate) workplace: Option<Workplace<'a>>,
    pub(crate) operator: Option<Operator<'a>>,
    pub(crate) extra: Extra<'a>,
}
