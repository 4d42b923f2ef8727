//! What the upstream sends, under the names of the document's definitions; fields are in lower
//! camel case and absent values are `null`, as ASP.NET writes them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// `enum (New, Committed, Done, Closed)`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum CallStatus {
    New,
    Committed,
    Done,
    Closed,
}

/// `enum (New, Done, Canceled)`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TaskStatus {
    New,
    Done,
    Canceled,
}

/// `enum (Draft, InProgress, Processed)`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum CostStatus {
    Draft,
    InProgress,
    Processed,
}

/// `enum (New, Approved, ApprovedWithCorrection, Rejected)`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ItemStatus {
    New,
    Approved,
    ApprovedWithCorrection,
    Rejected,
}

/// `enum (Unknown, Contractor, ContractHolders)`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OwnerType {
    Unknown,
    Contractor,
    ContractHolders,
}

/// `CallDTO`: no messages and no cost inside.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallDto {
    pub(super) id: i64,
    pub(super) number: String,
    pub(super) status: CallStatus,
    pub(super) created: String,
    /// Spelt as in the document.
    pub(super) commited: Option<String>,
    pub(super) finished: Option<String>,
    pub(super) ttf: Option<String>,
    pub(super) tto: Option<String>,
    pub(super) timestamp: i64,
    pub(super) user_id: i64,
    pub(super) client_name: String,
    pub(super) contact_person_name: Option<String>,
    pub(super) contact_person_email: Option<String>,
    pub(super) contact_person_phone: Option<String>,
    pub(super) critical: bool,
    pub(super) comments: Option<String>,
    pub(super) description_html_text: Arc<str>,
    pub(super) description_text_for_field_employee: String,
    pub(super) service_object_name: String,
    pub(super) service_object_address: String,
    pub(super) service_object_type: Option<String>,
    pub(super) service_object_latitude: f64,
    pub(super) service_object_longitude: f64,
    pub(super) tasks: Vec<CallTaskDto>,
    pub(super) jeopardies: Vec<CallJeopardyDto>,
    pub(super) available_expenditure_items: Vec<ExpenditureItemDto>,
}

/// `CallTasktOutputDTO`
#[derive(Clone, Debug, Serialize)]
pub(super) struct CallTaskDto {
    pub(super) id: i64,
    pub(super) title: String,
    pub(super) status: TaskStatus,
    /// Present once the task is done.
    pub(super) result: Option<CallTaskResultDto>,
}

/// `CallTaskResultDTO`
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct CallTaskResultDto {
    pub(super) attachments: Vec<AttachmentDto>,
}

/// `CallTaskAttachmentDTO`
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AttachmentDto {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) blob_service_file_name: String,
    /// `enum (JPEG, PNG, TIFF, DOC, DOCX, XLS, XLSX, PDF, ZIP)`
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) downloaded: String,
}

/// `CallJeopardyDTO`
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallJeopardyDto {
    pub(super) id: i64,
    pub(super) call_id: i64,
    pub(super) comment: String,
    pub(super) date: String,
    pub(super) answer_comment: Option<String>,
    pub(super) answer_date: Option<String>,
    pub(super) timestamp: i64,
}

/// `CallMessageDTO`
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallMessageDto {
    pub(super) id: i64,
    pub(super) call_id: i64,
    pub(super) date: String,
    pub(super) message: String,
    /// `null` when the external system wrote it.
    pub(super) owner: Option<UserDto>,
    pub(super) timestamp: i64,
}

/// `UserDTO`
#[derive(Clone, Debug, Serialize)]
pub(super) struct UserDto {
    pub(super) id: i64,
    pub(super) name: String,
}

/// `ExpenditureItemDTO`
#[derive(Clone, Debug, Serialize)]
pub(super) struct ExpenditureItemDto {
    pub(super) id: i64,
    pub(super) name: String,
}

/// `CallCostDTO`
#[derive(Clone, Debug, Serialize)]
pub(super) struct CallCostDto {
    pub(super) status: CostStatus,
    pub(super) expenses: Vec<ExpenseDto>,
    pub(super) materials: Vec<MaterialDto>,
}

/// `ExpenseDTO`
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExpenseDto {
    pub(super) id: i64,
    pub(super) expenditure_item_id: i64,
    pub(super) count: f64,
    pub(super) status: ItemStatus,
}

/// `MaterialDTO`
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MaterialDto {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) serial_number: String,
    pub(super) owner_type: OwnerType,
    pub(super) count: f64,
    pub(super) price: f64,
    pub(super) status: ItemStatus,
}
