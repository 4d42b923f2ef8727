//! Entities as their schemas have them (`schemas/contractor/*.avsc`): fields in the schemas' order.

use std::borrow::Cow;

use serde::Serialize;
use talon_sdk::record::Extra;

type Str<'a> = Option<Cow<'a, str>>;

/// Call.
#[derive(Serialize)]
pub(crate) struct Call<'a> {
    pub(crate) id: i64,
    pub(crate) number: Str<'a>,
    pub(crate) status: Str<'a>,
    pub(crate) owner_id: Option<i64>,
    pub(crate) critical: Option<bool>,
    pub(crate) created_at: Option<i64>,
    pub(crate) committed_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
    pub(crate) resolution_due_at: Option<i64>,
    pub(crate) arrival_due_at: Option<i64>,
    pub(crate) client_name: Str<'a>,
    pub(crate) contact_person_name: Str<'a>,
    pub(crate) contact_person_email: Str<'a>,
    pub(crate) contact_person_phone: Str<'a>,
    pub(crate) service_object_name: Str<'a>,
    pub(crate) service_object_type: Str<'a>,
    pub(crate) service_object_address: Str<'a>,
    pub(crate) service_object_latitude: Option<f64>,
    pub(crate) service_object_longitude: Option<f64>,
    pub(crate) comments: Str<'a>,
    pub(crate) description_html: Str<'a>,
    pub(crate) description_for_field_employee: Str<'a>,
    pub(crate) tasks: Vec<Task<'a>>,
    pub(crate) jeopardies: Vec<Jeopardy<'a>>,
    pub(crate) available_expenditure_items: Vec<ExpenditureItem<'a>>,
    pub(crate) extra: Extra<'a>,
    pub(crate) mark: Option<i64>,
}

/// CallTask.
#[derive(Serialize)]
pub(crate) struct Task<'a> {
    pub(crate) id: i64,
    pub(crate) title: Str<'a>,
    pub(crate) status: Str<'a>,
    pub(crate) attachments: Vec<Attachment<'a>>,
    pub(crate) extra: Extra<'a>,
}

/// CallTaskAttachment.
#[derive(Serialize)]
pub(crate) struct Attachment<'a> {
    pub(crate) id: Option<i64>,
    pub(crate) name: Str<'a>,
    pub(crate) blob_service_file_name: Str<'a>,
    pub(crate) r#type: Str<'a>,
    pub(crate) uploaded_at: Option<i64>,
    pub(crate) extra: Extra<'a>,
}

/// CallJeopardy.
#[derive(Serialize)]
pub(crate) struct Jeopardy<'a> {
    pub(crate) id: i64,
    pub(crate) call_id: Option<i64>,
    pub(crate) raised_at: Option<i64>,
    pub(crate) comment: Str<'a>,
    pub(crate) answered_at: Option<i64>,
    pub(crate) answer_comment: Str<'a>,
    pub(crate) extra: Extra<'a>,
    pub(crate) mark: Option<i64>,
}

/// ExpenditureItem.
#[derive(Serialize)]
pub(crate) struct ExpenditureItem<'a> {
    pub(crate) id: Option<i64>,
    pub(crate) name: Str<'a>,
    pub(crate) extra: Extra<'a>,
}

/// CallMessage.
#[derive(Serialize)]
pub(crate) struct Message<'a> {
    pub(crate) id: i64,
    pub(crate) call_id: Option<i64>,
    pub(crate) written_at: Option<i64>,
    pub(crate) message: Str<'a>,
    pub(crate) owner_id: Option<i64>,
    pub(crate) extra: Extra<'a>,
    pub(crate) owner_name: Str<'a>,
    pub(crate) mark: Option<i64>,
}

/// CallCost.
#[derive(Serialize)]
pub(crate) struct Cost<'a> {
    pub(crate) call_id: i64,
    pub(crate) status: Str<'a>,
    pub(crate) expenses: Vec<Expense<'a>>,
    pub(crate) materials: Vec<Material<'a>>,
    pub(crate) extra: Extra<'a>,
}

/// Expense.
#[derive(Serialize)]
pub(crate) struct Expense<'a> {
    pub(crate) id: Option<i64>,
    pub(crate) expenditure_item_id: Option<i64>,
    pub(crate) count: Option<f64>,
    pub(crate) status: Str<'a>,
    pub(crate) extra: Extra<'a>,
}

/// Material.
#[derive(Serialize)]
pub(crate) struct Material<'a> {
    pub(crate) id: Option<i64>,
    pub(crate) name: Str<'a>,
    pub(crate) serial_number: Str<'a>,
    pub(crate) owner_type: Str<'a>,
    pub(crate) count: Option<f64>,
    pub(crate) price: Option<f64>,
    pub(crate) status: Str<'a>,
    pub(crate) extra: Extra<'a>,
}
