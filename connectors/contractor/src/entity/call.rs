use talon_sdk::entity::{How, Instant, Record, Word};
use talon_sdk::record::{Extra, Text};

use super::words::{AttachmentType, CallStatus, TaskStatus};

/// A call (обращение): what a customer asked for, who does it, and how far it is. Upstream: CallDTO.
#[derive(Record)]
#[record(namespace = "talon.contractor")]
pub(crate) struct Call<'a> {
    /// Key.
    #[from("id")]
    pub(crate) id: i64,
    /// Number shown to people.
    #[from("number")]
    number: Option<Text<'a>>,
    #[from("status")]
    status: Option<Word<'a, CallStatus>>,
    /// User who owns the call. Upstream: userId.
    #[from("userId")]
    owner_id: Option<i64>,
    #[from("critical")]
    critical: Option<bool>,
    /// Creation time, received from 1C.
    #[from("created")]
    created_at: Option<Instant<'a>>,
    /// When the contractor accepted it. Upstream: commited.
    #[from("commited")]
    committed_at: Option<Instant<'a>>,
    #[from("finished")]
    finished_at: Option<Instant<'a>>,
    /// Deadline for restoring the service. Upstream: ttf.
    #[from("ttf")]
    resolution_due_at: Option<Instant<'a>>,
    /// Deadline for being at the object. Upstream: tto.
    #[from("tto")]
    arrival_due_at: Option<Instant<'a>>,
    #[from("clientName")]
    client_name: Option<Text<'a>>,
    #[from("contactPersonName")]
    #[record(pii)]
    contact_person_name: Option<Text<'a>>,
    #[from("contactPersonEmail")]
    #[record(pii)]
    contact_person_email: Option<Text<'a>>,
    #[from("contactPersonPhone")]
    #[record(pii)]
    contact_person_phone: Option<Text<'a>>,
    #[from("serviceObjectName")]
    service_object_name: Option<Text<'a>>,
    #[from("serviceObjectType")]
    service_object_type: Option<Text<'a>>,
    #[from("serviceObjectAddress")]
    #[record(pii)]
    service_object_address: Option<Text<'a>>,
    /// Degrees.
    #[from("serviceObjectLatitude")]
    #[record(pii)]
    service_object_latitude: Option<f64>,
    /// Degrees.
    #[from("serviceObjectLongitude")]
    #[record(pii)]
    service_object_longitude: Option<f64>,
    #[from("comments")]
    #[record(pii)]
    comments: Option<Text<'a>>,
    /// Can be large; never render it unescaped. Upstream: descriptionHtmlText.
    #[from("descriptionHtmlText")]
    #[record(pii)]
    description_html: Option<Text<'a>>,
    /// Upstream: descriptionTextForFieldEmployee.
    #[from("descriptionTextForFieldEmployee")]
    #[record(pii)]
    description_for_field_employee: Option<Text<'a>>,
    /// In the order of their ids.
    #[from("tasks")]
    tasks: Vec<Task<'a>>,
    /// In the order of their ids.
    #[from("jeopardies")]
    jeopardies: Vec<Jeopardy<'a>>,
    /// Kinds of extra expense that may be claimed, in the order of their ids.
    #[from("availableExpenditureItems")]
    available_expenditure_items: Vec<ExpenditureItem<'a>>,
    extra: Extra<'a>,
    /// Opaque mark of data actuality; a new mark alone is no change. Upstream: timestamp.
    #[from("timestamp")]
    #[record(volatile)]
    mark: Option<i64>,
}

/// A task of a call. Upstream: CallTasktOutputDTO.
#[derive(Record)]
#[record(name = "CallTask", namespace = "talon.contractor", order(id), finish = Task::take_result)]
pub(crate) struct Task<'a> {
    /// Key.
    #[from("id")]
    pub(crate) id: i64,
    #[from("title")]
    title: Option<Text<'a>>,
    #[from("status")]
    status: Option<Word<'a, TaskStatus>>,
    #[from("result")]
    #[record(hidden)]
    result: Option<TaskResult<'a>>,
    /// Files of the result, in the order of their ids; empty until the task is Done.
    #[record(made)]
    attachments: Vec<Attachment<'a>>,
    extra: Extra<'a>,
}

impl Task<'_> {
    fn take_result(&mut self, _: &How<'_>) {
        if let Some(result) = self.result.take() {
            self.attachments = result.attachments;
            self.extra.take_beside("result", result.extra);
        }
    }
}

/// CallTaskResultDTO.
#[derive(Record)]
struct TaskResult<'a> {
    #[from("attachments")]
    attachments: Vec<Attachment<'a>>,
    extra: Extra<'a>,
}

/// Upstream: CallTaskAttachmentDTO.
#[derive(Record)]
#[record(name = "CallTaskAttachment", order(id))]
struct Attachment<'a> {
    #[from("id")]
    id: Option<i64>,
    #[from("name")]
    name: Option<Text<'a>>,
    /// Name in the file store.
    #[from("blobServiceFileName")]
    blob_service_file_name: Option<Text<'a>>,
    #[from("type")]
    r#type: Option<Word<'a, AttachmentType>>,
    /// Upstream: downloaded (дата загрузки).
    #[from("downloaded")]
    uploaded_at: Option<Instant<'a>>,
    extra: Extra<'a>,
}

/// A risk that the call will not be done in time. Upstream: CallJeopardyDTO.
#[derive(Record)]
#[record(name = "CallJeopardy", namespace = "talon.contractor", order(id))]
pub(crate) struct Jeopardy<'a> {
    /// Key.
    #[from("id")]
    pub(crate) id: i64,
    #[from("callId")]
    call_id: Option<i64>,
    /// Upstream: date.
    #[from("date")]
    pub(crate) raised_at: Option<Instant<'a>>,
    #[from("comment")]
    #[record(pii)]
    comment: Option<Text<'a>>,
    /// Upstream: answerDate; null while the risk is open.
    #[from("answerDate")]
    pub(crate) answered_at: Option<Instant<'a>>,
    #[from("answerComment")]
    #[record(pii)]
    answer_comment: Option<Text<'a>>,
    extra: Extra<'a>,
    /// Opaque mark of data actuality; a new mark alone is no change. Upstream: timestamp.
    #[from("timestamp")]
    #[record(volatile)]
    mark: Option<i64>,
}

#[derive(Record)]
#[record(order(id))]
struct ExpenditureItem<'a> {
    #[from("id")]
    id: Option<i64>,
    #[from("name")]
    name: Option<Text<'a>>,
    extra: Extra<'a>,
}
