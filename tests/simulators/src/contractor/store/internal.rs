//! The internal models that `POST /call/{id}/message` lets out, with what is no client's business:
//! hashes of passwords, the last salt, the temporary link.

use serde_json::{Value, json};

use super::Store;

impl Store {
    /// The model `Call`: other names than in `CallDTO`, and everything nested.
    pub(super) fn internal_call(&mut self, id: i64) -> Value {
        let call = self.call_mut(id);
        let dto = &call.dto;
        let is_jeopardy = dto.jeopardies.iter().any(|risk| risk.answer_date.is_none());
        let jeopardies: Vec<_> = dto
            .jeopardies
            .iter()
            .map(|risk| {
                json!({
                    "id": risk.id,
                    "comment": risk.comment,
                    "date": risk.date,
                    "answerComment": risk.answer_comment,
                    "answerDate": risk.answer_date,
                    "timestamp": risk.timestamp,
                })
            })
            .collect();
        let mut internal = json!({
            "id": dto.id,
            "number": dto.number,
            "status": dto.status,
            "created": dto.created,
            "commited": dto.commited,
            "finished": dto.finished,
            "timeToFix": dto.ttf,
            "timeToObject": dto.tto,
            "timestamp": dto.timestamp,
            "clientName": dto.client_name,
            "contactPersonName": dto.contact_person_name,
            "contactPersonEmail": dto.contact_person_email,
            "contactPersonPhone": dto.contact_person_phone,
            "critical": dto.critical,
            "comments": dto.comments,
            "descriptionHtmlText": dto.description_html_text,
            "descriptionTextForFieldEmployee": dto.description_text_for_field_employee,
            "serviceObjectName": dto.service_object_name,
            "serviceObjectAddress": dto.service_object_address,
            "serviceObjectType": dto.service_object_type,
            "serviceObjectLatitude": dto.service_object_latitude,
            "serviceObjectLongitude": dto.service_object_longitude,
            "availableExpenditureItems": dto.available_expenditure_items,
            "isExpired": false,
            "isJeopardy": is_jeopardy,
            "jeopardies": jeopardies,
            "messages": null,
            "tasks": dto.tasks,
            "callCost": call.cost,
            "tempLinkId": call.link,
        });
        let owner = dto.user_id;
        internal["owner"] = self.users.internal(owner);
        internal
    }
}
