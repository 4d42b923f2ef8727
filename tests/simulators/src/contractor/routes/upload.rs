//! Files that are sent.

use axum::extract::Multipart;

use crate::contractor::reply::Refusal;
use crate::contractor::store::Upload;

/// The field `Attachment`; 400 without it.
pub(super) async fn upload(mut form: Multipart) -> Result<Upload, Refusal> {
    let invalid = Refusal::empty(400);
    while let Some(field) = form.next_field().await.map_err(|_| invalid)? {
        if field.name() == Some("Attachment") {
            let name = field.file_name().unwrap_or_default().to_owned();
            let bytes = field.bytes().await.map_err(|_| invalid)?;
            return Ok(Upload { name, bytes });
        }
    }
    Err(invalid)
}
