//! What is written, in the order of the schema's fields.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::dto;

type Str<'a> = Option<Cow<'a, str>>;
type Extra = BTreeMap<String, String>;

#[derive(Serialize)]
pub(super) struct Call<'a> {
    id: i64,
    number: Str<'a>,
    status: Str<'a>,
    owner_id: Option<i64>,
    critical: Option<bool>,
    created_at: Option<i64>,
    committed_at: Option<i64>,
    finished_at: Option<i64>,
    resolution_due_at: Option<i64>,
    arrival_due_at: Option<i64>,
    client_name: Str<'a>,
    contact_person_name: Str<'a>,
    contact_person_email: Str<'a>,
    contact_person_phone: Str<'a>,
    service_object_name: Str<'a>,
    service_object_type: Str<'a>,
    service_object_address: Str<'a>,
    service_object_latitude: Option<f64>,
    service_object_longitude: Option<f64>,
    comments: Str<'a>,
    description_html: Str<'a>,
    description_for_field_employee: Str<'a>,
    tasks: Vec<Task<'a>>,
    jeopardies: Vec<Jeopardy<'a>>,
    available_expenditure_items: Vec<ExpenditureItem<'a>>,
    extra: Extra,
    mark: Option<i64>,
}

#[derive(Serialize)]
struct Task<'a> {
    id: i64,
    title: Str<'a>,
    status: Str<'a>,
    attachments: Vec<Attachment<'a>>,
    extra: Extra,
}

#[derive(Serialize)]
struct Attachment<'a> {
    id: Option<i64>,
    name: Str<'a>,
    blob_service_file_name: Str<'a>,
    r#type: Str<'a>,
    uploaded_at: Option<i64>,
    extra: Extra,
}

#[derive(Serialize)]
struct Jeopardy<'a> {
    id: i64,
    call_id: Option<i64>,
    raised_at: Option<i64>,
    comment: Str<'a>,
    answered_at: Option<i64>,
    answer_comment: Str<'a>,
    extra: Extra,
    mark: Option<i64>,
}

#[derive(Serialize)]
struct ExpenditureItem<'a> {
    id: Option<i64>,
    name: Str<'a>,
    extra: Extra,
}

fn text(text: dto::Maybe<'_>) -> Str<'_> {
    text.map(|text| text.0)
}

fn instant(text: dto::Maybe<'_>) -> Option<i64> {
    Some(text?.0.parse::<Timestamp>().ok()?.as_microsecond())
}

impl<'a> From<dto::Call<'a>> for Call<'a> {
    fn from(dto: dto::Call<'a>) -> Call<'a> {
        Call {
            id: dto.id,
            number: text(dto.number),
            status: text(dto.status),
            owner_id: dto.user_id,
            critical: dto.critical,
            created_at: instant(dto.created),
            committed_at: instant(dto.commited),
            finished_at: instant(dto.finished),
            resolution_due_at: instant(dto.ttf),
            arrival_due_at: instant(dto.tto),
            client_name: text(dto.client_name),
            contact_person_name: text(dto.contact_person_name),
            contact_person_email: text(dto.contact_person_email),
            contact_person_phone: text(dto.contact_person_phone),
            service_object_name: text(dto.service_object_name),
            service_object_type: text(dto.service_object_type),
            service_object_address: text(dto.service_object_address),
            service_object_latitude: dto.service_object_latitude,
            service_object_longitude: dto.service_object_longitude,
            comments: text(dto.comments),
            description_html: text(dto.description_html_text),
            description_for_field_employee: text(dto.description_text_for_field_employee),
            tasks: dto.tasks.into_iter().map(Task::from).collect(),
            jeopardies: dto.jeopardies.into_iter().map(Jeopardy::from).collect(),
            available_expenditure_items: dto
                .available_expenditure_items
                .into_iter()
                .map(|item| ExpenditureItem {
                    id: item.id,
                    name: text(item.name),
                    extra: Extra::new(),
                })
                .collect(),
            extra: Extra::new(),
            mark: dto.timestamp,
        }
    }
}

impl<'a> From<dto::Task<'a>> for Task<'a> {
    fn from(dto: dto::Task<'a>) -> Task<'a> {
        let files = dto.result.map(|result| result.attachments).unwrap_or_default();
        Task {
            id: dto.id,
            title: text(dto.title),
            status: text(dto.status),
            attachments: files.into_iter().map(Attachment::from).collect(),
            extra: Extra::new(),
        }
    }
}

impl<'a> From<dto::Attachment<'a>> for Attachment<'a> {
    fn from(dto: dto::Attachment<'a>) -> Attachment<'a> {
        Attachment {
            id: dto.id,
            name: text(dto.name),
            blob_service_file_name: text(dto.blob_service_file_name),
            r#type: text(dto.kind),
            uploaded_at: instant(dto.downloaded),
            extra: Extra::new(),
        }
    }
}

impl<'a> From<dto::Jeopardy<'a>> for Jeopardy<'a> {
    fn from(dto: dto::Jeopardy<'a>) -> Jeopardy<'a> {
        Jeopardy {
            id: dto.id,
            call_id: dto.call_id,
            raised_at: instant(dto.date),
            comment: text(dto.comment),
            answered_at: instant(dto.answer_date),
            answer_comment: text(dto.answer_comment),
            extra: Extra::new(),
            mark: dto.timestamp,
        }
    }
}
