//! What the upstream sends: the data types of `contractor-personal-area.txt`, section Definitions.

use talon_sdk::record::Text;
use talon_sdk::upstream_record;

upstream_record! {
    /// CallDTO. All fields are optional in the document; without its id a call is no entity.
    pub struct CallDto<'a> {
        id: i64 = "id",
        number: Option<Text<'a>> = "number",
        status: Option<Text<'a>> = "status",
        user_id: Option<i64> = "userId",
        critical: Option<bool> = "critical",
        created: Option<Text<'a>> = "created",
        commited: Option<Text<'a>> = "commited",
        finished: Option<Text<'a>> = "finished",
        ttf: Option<Text<'a>> = "ttf",
        tto: Option<Text<'a>> = "tto",
        client_name: Option<Text<'a>> = "clientName",
        contact_person_name: Option<Text<'a>> = "contactPersonName",
        contact_person_email: Option<Text<'a>> = "contactPersonEmail",
        contact_person_phone: Option<Text<'a>> = "contactPersonPhone",
        service_object_name: Option<Text<'a>> = "serviceObjectName",
        service_object_type: Option<Text<'a>> = "serviceObjectType",
        service_object_address: Option<Text<'a>> = "serviceObjectAddress",
        service_object_latitude: Option<f64> = "serviceObjectLatitude",
        service_object_longitude: Option<f64> = "serviceObjectLongitude",
        comments: Option<Text<'a>> = "comments",
        description_html: Option<Text<'a>> = "descriptionHtmlText",
        description_for_field_employee: Option<Text<'a>> = "descriptionTextForFieldEmployee",
        tasks: Vec<TaskDto<'a>> = "tasks",
        jeopardies: Vec<JeopardyDto<'a>> = "jeopardies",
        available_expenditure_items: Vec<ExpenditureItemDto<'a>> = "availableExpenditureItems",
        timestamp: Option<i64> = "timestamp",
    }
}

upstream_record! {
    /// CallTasktOutputDTO (sic).
    pub struct TaskDto<'a> {
        id: i64 = "id",
        title: Option<Text<'a>> = "title",
        status: Option<Text<'a>> = "status",
        result: Option<TaskResultDto<'a>> = "result",
    }
}

upstream_record! {
    /// CallTaskResultDTO.
    pub struct TaskResultDto<'a> {
        attachments: Vec<AttachmentDto<'a>> = "attachments",
    }
}

upstream_record! {
    /// CallTaskAttachmentDTO.
    pub struct AttachmentDto<'a> {
        id: Option<i64> = "id",
        name: Option<Text<'a>> = "name",
        blob_service_file_name: Option<Text<'a>> = "blobServiceFileName",
        kind: Option<Text<'a>> = "type",
        downloaded: Option<Text<'a>> = "downloaded",
    }
}

upstream_record! {
    /// CallJeopardyDTO.
    pub struct JeopardyDto<'a> {
        id: i64 = "id",
        call_id: Option<i64> = "callId",
        date: Option<Text<'a>> = "date",
        comment: Option<Text<'a>> = "comment",
        answer_date: Option<Text<'a>> = "answerDate",
        answer_comment: Option<Text<'a>> = "answerComment",
        timestamp: Option<i64> = "timestamp",
    }
}

upstream_record! {
    /// ExpenditureItemDTO.
    pub struct ExpenditureItemDto<'a> {
        id: Option<i64> = "id",
        name: Option<Text<'a>> = "name",
    }
}

upstream_record! {
    /// CallMessageDTO.
    pub struct MessageDto<'a> {
        id: i64 = "id",
        call_id: Option<i64> = "callId",
        date: Option<Text<'a>> = "date",
        message: Option<Text<'a>> = "message",
        owner: Option<UserDto<'a>> = "owner",
        timestamp: Option<i64> = "timestamp",
    }
}

upstream_record! {
    /// UserDTO.
    pub struct UserDto<'a> {
        id: Option<i64> = "id",
        name: Option<Text<'a>> = "name",
    }
}

upstream_record! {
    /// CallCostDTO under the id of its call, which the upstream does not repeat in it; see
    /// [`crate::feeds::call_cost`].
    pub struct CostOfCall<'a> {
        call_id: i64 = "callId",
        cost: Option<CostDto<'a>> = "cost",
    }
}

upstream_record! {
    /// CallCostDTO.
    pub struct CostDto<'a> {
        status: Option<Text<'a>> = "status",
        expenses: Vec<ExpenseDto<'a>> = "expenses",
        materials: Vec<MaterialDto<'a>> = "materials",
    }
}

upstream_record! {
    /// ExpenseDTO.
    pub struct ExpenseDto<'a> {
        id: Option<i64> = "id",
        expenditure_item_id: Option<i64> = "expenditureItemId",
        count: Option<f64> = "count",
        status: Option<Text<'a>> = "status",
    }
}

upstream_record! {
    /// MaterialDTO.
    pub struct MaterialDto<'a> {
        id: Option<i64> = "id",
        name: Option<Text<'a>> = "name",
        serial_number: Option<Text<'a>> = "serialNumber",
        owner_type: Option<Text<'a>> = "ownerType",
        count: Option<f64> = "count",
        price: Option<f64> = "price",
        status: Option<Text<'a>> = "status",
    }
}

/// Enumerations of the document.
pub(crate) mod words {
    /// Status of a call.
    pub(crate) const CALL_STATUS: &[&str] = &["New", "Committed", "Done", "Closed"];
    /// Status of a task.
    pub(crate) const TASK_STATUS: &[&str] = &["New", "Done", "Canceled"];
    /// Status of a cost estimate.
    pub(crate) const COST_STATUS: &[&str] = &["Draft", "InProgress", "Processed"];
    /// Status of an expense or a material.
    pub(crate) const ITEM_STATUS: &[&str] =
        &["New", "Approved", "ApprovedWithCorrection", "Rejected"];
    /// Who owns a material.
    pub(crate) const MATERIAL_OWNER: &[&str] = &["Unknown", "Contractor", "ContractHolders"];
    /// Type of an attachment.
    pub(crate) const ATTACHMENT: &[&str] =
        &["JPEG", "PNG", "TIFF", "DOC", "DOCX", "XLS", "XLSX", "PDF", "ZIP"];
}
