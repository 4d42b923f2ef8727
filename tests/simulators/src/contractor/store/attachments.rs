use super::{Store, Upload};
use crate::contractor::model::{AttachmentDto, CallStatus, TaskStatus};
use crate::contractor::reply::{Form, Refusal, Reply};

/// File name extension, `type` of the attachment, media type.
const TYPES: [(&str, &str, &str); 11] = [
    ("jpg", "JPEG", "image/jpeg"),
    ("jpeg", "JPEG", "image/jpeg"),
    ("png", "PNG", "image/png"),
    ("tif", "TIFF", "image/tiff"),
    ("tiff", "TIFF", "image/tiff"),
    ("doc", "DOC", "application/msword"),
    ("docx", "DOCX", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "XLS", "application/vnd.ms-excel"),
    ("xlsx", "XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("pdf", "PDF", "application/pdf"),
    ("zip", "ZIP", "application/zip"),
];

impl Store {
    /// `POST /calltask/{id}/attachment`
    pub(in crate::contractor) fn attach(
        &mut self,
        task: i64,
        user: i64,
        file: Upload,
    ) -> Result<Reply, Refusal> {
        let absent = Refusal::empty(404);
        let call = self.call_with_task(task, absent)?;
        let status = self.own_call(call, user, absent)?.dto.status;
        let task_status = self.task(call, task, absent)?.status;
        let fits = matches!(status, CallStatus::Committed | CallStatus::Done);
        if !fits || task_status != TaskStatus::Done {
            return Err(Refusal::empty(409));
        }
        self.store_file(call, task, file)
    }

    /// `GET /calltask/{id}/attachment/{attachmentId}`
    pub(in crate::contractor) fn file(&self, task: i64, id: i64) -> Result<Reply, Refusal> {
        let call = self.call_with_task(task, Refusal::error(404, 1))?;
        self.file_of(call, task, id)
    }

    /// `GET /calltask/{id}/attachment/{attachmentId}/download`
    pub(in crate::contractor) fn own_file(
        &self,
        task: i64,
        id: i64,
        user: i64,
    ) -> Result<Reply, Refusal> {
        let absent = Refusal::error(404, 1);
        let call = self.call_with_task(task, absent)?;
        self.own_call(call, user, absent)?;
        self.file_of(call, task, id)
    }

    pub(super) fn file_of(&self, call: i64, task: i64, id: i64) -> Result<Reply, Refusal> {
        let absent = Refusal::error(404, 2);
        let result = self.task(call, task, Refusal::error(404, 1))?.result.as_ref();
        let attachments = &result.ok_or(absent)?.attachments;
        let found = attachments.iter().find(|attachment| attachment.id == id);
        let attachment = found.ok_or(absent)?;
        let bytes = self.files.get(&id).ok_or(absent)?.clone();
        let media = TYPES.iter().find(|(_, kind, _)| *kind == attachment.kind);
        let form = Form::File {
            name: attachment.name.clone(),
            kind: media.map_or("application/octet-stream", |(_, _, media)| media),
            bytes,
        };
        Ok(Reply { form, effect: None })
    }

    /// Keeps the file with a task that is done.
    pub(super) fn store_file(
        &mut self,
        call: i64,
        task: i64,
        file: Upload,
    ) -> Result<Reply, Refusal> {
        let kind = self.kind_of(&file)?;
        let id = self.new_id("attachment");
        let attachment = AttachmentDto {
            id,
            blob_service_file_name: format!("{}.{}", self.users.new_uuid(), kind.to_lowercase()),
            name: file.name,
            kind,
            downloaded: self.date(),
        };
        let reply = Reply::wrote(id, &attachment);
        self.files.insert(id, file.bytes);
        if let Some(result) = self.task_mut(call, task).and_then(|task| task.result.as_mut()) {
            result.attachments.push(attachment);
        }
        self.publish_task(call, task);
        self.touch_parent(call, self.settings.children_bump_call);
        Ok(reply)
    }

    /// The `type` by the name, or 422: an unknown one, a JPEG without its head, an unfit size.
    fn kind_of(&self, file: &Upload) -> Result<&'static str, Refusal> {
        let unfit = Refusal::empty(422);
        let extension = file.name.rsplit_once('.').map(|(_, end)| end.to_lowercase());
        let extension = extension.unwrap_or_default();
        let known = TYPES.iter().find(|(end, _, _)| *end == extension);
        let (_, kind, _) = known.ok_or(unfit)?;
        let is_readable = *kind != "JPEG" || file.bytes.starts_with(&[0xFF, 0xD8, 0xFF]);
        let fits = (1..=self.settings.attachment_bytes).contains(&file.bytes.len());
        if is_readable && fits { Ok(kind) } else { Err(unfit) }
    }
}
