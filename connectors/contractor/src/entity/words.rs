//! Enumerations of the document.

use talon_sdk::entity::Words;

/// Status of a call.
pub(crate) const CALL_STATUS: &[&str] = &["New", "Committed", "Done", "Closed"];
/// Status of a task.
pub(crate) const TASK_STATUS: &[&str] = &["New", "Done", "Canceled"];
/// Status of a cost estimate.
pub(crate) const COST_STATUS: &[&str] = &["Draft", "InProgress", "Processed"];
/// Status of an expense or a material.
pub(crate) const ITEM_STATUS: &[&str] = &["New", "Approved", "ApprovedWithCorrection", "Rejected"];
/// Who owns a material.
pub(crate) const MATERIAL_OWNER: &[&str] = &["Unknown", "Contractor", "ContractHolders"];
/// Type of an attachment.
pub(crate) const ATTACHMENT: &[&str] =
    &["JPEG", "PNG", "TIFF", "DOC", "DOCX", "XLS", "XLSX", "PDF", "ZIP"];

macro_rules! enumerations {
    ($($name:ident = $words:ident),* $(,)?) => {$(
        #[derive(Debug)]
        pub(super) struct $name;

        impl Words for $name {
            const KNOWN: &'static [&'static str] = $words;
        }
    )*};
}

enumerations! {
    CallStatus = CALL_STATUS,
    TaskStatus = TASK_STATUS,
    CostStatus = COST_STATUS,
    ItemStatus = ITEM_STATUS,
    MaterialOwner = MATERIAL_OWNER,
    AttachmentType = ATTACHMENT,
}
