//! What the upstream sends, as far as the schema knows it.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

/// A text that is borrowed where it has no escapes, which serde does not do inside an option.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

pub(super) type Maybe<'a> = Option<Text<'a>>;

/// `null` is an empty list.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(json: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(json)?.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Call<'a> {
    pub(super) id: i64,
    #[serde(borrow)]
    pub(super) number: Maybe<'a>,
    #[serde(borrow)]
    pub(super) status: Maybe<'a>,
    pub(super) user_id: Option<i64>,
    pub(super) critical: Option<bool>,
    #[serde(borrow)]
    pub(super) created: Maybe<'a>,
    #[serde(borrow)]
    pub(super) commited: Maybe<'a>,
    #[serde(borrow)]
    pub(super) finished: Maybe<'a>,
    #[serde(borrow)]
    pub(super) ttf: Maybe<'a>,
    #[serde(borrow)]
    pub(super) tto: Maybe<'a>,
    #[serde(borrow)]
    pub(super) client_name: Maybe<'a>,
    #[serde(borrow)]
    pub(super) contact_person_name: Maybe<'a>,
    #[serde(borrow)]
    pub(super) contact_person_email: Maybe<'a>,
    #[serde(borrow)]
    pub(super) contact_person_phone: Maybe<'a>,
    #[serde(borrow)]
    pub(super) service_object_name: Maybe<'a>,
    #[serde(borrow)]
    pub(super) service_object_type: Maybe<'a>,
    #[serde(borrow)]
    pub(super) service_object_address: Maybe<'a>,
    pub(super) service_object_latitude: Option<f64>,
    pub(super) service_object_longitude: Option<f64>,
    #[serde(borrow)]
    pub(super) comments: Maybe<'a>,
    #[serde(borrow)]
    pub(super) description_html_text: Maybe<'a>,
    #[serde(borrow)]
    pub(super) description_text_for_field_employee: Maybe<'a>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) tasks: Vec<Task<'a>>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) jeopardies: Vec<Jeopardy<'a>>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) available_expenditure_items: Vec<ExpenditureItem<'a>>,
    pub(super) timestamp: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct Task<'a> {
    pub(super) id: i64,
    #[serde(borrow)]
    pub(super) title: Maybe<'a>,
    #[serde(borrow)]
    pub(super) status: Maybe<'a>,
    #[serde(borrow)]
    pub(super) result: Option<TaskResult<'a>>,
}

#[derive(Deserialize)]
pub(super) struct TaskResult<'a> {
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) attachments: Vec<Attachment<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attachment<'a> {
    pub(super) id: Option<i64>,
    #[serde(borrow)]
    pub(super) name: Maybe<'a>,
    #[serde(borrow)]
    pub(super) blob_service_file_name: Maybe<'a>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Maybe<'a>,
    #[serde(borrow)]
    pub(super) downloaded: Maybe<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Jeopardy<'a> {
    pub(super) id: i64,
    pub(super) call_id: Option<i64>,
    #[serde(borrow)]
    pub(super) date: Maybe<'a>,
    #[serde(borrow)]
    pub(super) comment: Maybe<'a>,
    #[serde(borrow)]
    pub(super) answer_date: Maybe<'a>,
    #[serde(borrow)]
    pub(super) answer_comment: Maybe<'a>,
    pub(super) timestamp: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct ExpenditureItem<'a> {
    pub(super) id: Option<i64>,
    #[serde(borrow)]
    pub(super) name: Maybe<'a>,
}
