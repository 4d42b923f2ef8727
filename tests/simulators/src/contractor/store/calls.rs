use bytes::Bytes;
use serde_json::json;

use super::{Call, Store};
use crate::contractor::inputs::{CallInput, NewCallStatus, PatchCall};
use crate::contractor::model::{CallDto, CallStatus, CallTaskDto, ExpenditureItemDto, TaskStatus};
use crate::contractor::reply::{Form, Refusal, Reply, text};

impl Store {
    /// `GET /call/{id}`: the published state.
    pub(in crate::contractor) fn read_call(&mut self, id: i64) -> Result<Reply, Refusal> {
        self.reveal_due();
        let row = self.call_feed.get(id).ok_or(Refusal::error(404, 1))?;
        Ok(Reply::read(row))
    }

    /// `POST /call`: `PostCallOutputDTO`.
    pub(in crate::contractor) fn create_call(
        &mut self,
        input: CallInput,
    ) -> Result<Reply, Refusal> {
        if self.settings.unknown_clients.contains(&input.client_name) {
            return Err(Refusal::listed(404, 1));
        }
        if self.settings.unknown_objects.contains(&input.service_object_name) {
            return Err(Refusal::listed(404, 2));
        }
        if !self.users.exists(input.owner_id) {
            return Err(Refusal::listed(404, 3));
        }
        let dto = self.new_call(input);
        let id = dto.id;
        let output = json!({
            "id": id,
            "number": dto.number,
            "created": dto.created,
            "tasks": dto.tasks.iter().map(|task| json!({ "id": task.id })).collect::<Vec<_>>(),
        });
        let tasks: Vec<_> = dto.tasks.iter().map(|task| task.id).collect();
        let owner = dto.user_id;
        self.calls.insert(id, Call { dto, cost: None, finished: None, link: None });
        self.open.push(id);
        for task in tasks {
            self.call_of_task.insert(task, id);
            self.publish_task(id, task);
        }
        self.notify(owner);
        self.touch_call(id);
        Ok(Reply::wrote(id, &output))
    }

    /// `PATCH /call/{id}`: the id. An absent or `null` field stays as it is.
    pub(in crate::contractor) fn patch_call(
        &mut self,
        id: i64,
        input: PatchCall,
    ) -> Result<Reply, Refusal> {
        self.call(id, Refusal::error(404, 1))?;
        let dto = &mut self.call_mut(id).dto;
        dto.ttf = input.ttf.or(dto.ttf.take());
        dto.tto = input.tto.or(dto.tto.take());
        self.touch_call(id);
        Ok(Reply::wrote(id, &id))
    }

    /// `POST /call/{id}/close`: only a done call can be closed.
    pub(in crate::contractor) fn close_call(&mut self, id: i64) -> Result<Reply, Refusal> {
        let call = self.call(id, Refusal::empty(404))?;
        if call.dto.status != CallStatus::Done {
            return Err(Refusal::empty(409));
        }
        self.call_mut(id).dto.status = CallStatus::Closed;
        self.touch_call(id);
        Ok(Reply::done(id))
    }

    /// `POST /call/{id}/status`: New → Committed → Done, the latter with a comment.
    pub(in crate::contractor) fn set_call_status(
        &mut self,
        id: i64,
        user: i64,
        input: NewCallStatus,
    ) -> Result<Reply, Refusal> {
        let call = self.own_call(id, user, Refusal::empty(404))?;
        let comments = input.comments.filter(|comments| !comments.trim().is_empty());
        match (call.dto.status, input.status) {
            (CallStatus::New, CallStatus::Committed) => self.commit_call(id, comments),
            (CallStatus::Committed, CallStatus::Done) => {
                let comments = comments.ok_or(Refusal::listed(400, 6))?;
                self.finish_call(id, comments);
            }
            _ => return Err(Refusal::empty(409)),
        }
        self.touch_call(id);
        let dto = &self.call_mut(id).dto;
        let output = json!({ "commited": dto.commited, "finished": dto.finished });
        Ok(Reply::wrote(id, &output))
    }

    /// `POST /call/{callId}/templink`: the token of the link, the same until the call is done.
    pub(in crate::contractor) fn link_call(
        &mut self,
        id: i64,
        user: i64,
    ) -> Result<Reply, Refusal> {
        let call = self.own_call(id, user, Refusal::error(404, 1))?;
        if call.dto.status != CallStatus::Committed {
            return Err(Refusal::empty(409));
        }
        let (link, effect) = match &call.link {
            Some(link) => (link.clone(), None),
            None => (self.users.new_uuid(), Some(id)),
        };
        self.call_of_link.insert(link.clone(), id);
        self.call_mut(id).link = Some(link.clone());
        Ok(Reply { form: Form::String(link), effect })
    }

    /// The published text of a call, or its true one while it is not published.
    pub(super) fn call_text(&mut self, id: i64) -> Bytes {
        let published = self.call_feed.get(id);
        published.unwrap_or_else(|| text(&self.call_mut(id).dto))
    }

    pub(super) fn finish_call(&mut self, id: i64, comments: String) {
        let (date, now) = (self.date(), self.now);
        let call = self.call_mut(id);
        call.dto.status = CallStatus::Done;
        call.dto.finished = Some(date);
        call.dto.comments = Some(comments);
        call.finished = Some(now);
    }

    fn commit_call(&mut self, id: i64, comments: Option<String>) {
        let date = self.date();
        let dto = &mut self.call_mut(id).dto;
        dto.status = CallStatus::Committed;
        dto.commited = Some(date);
        dto.comments = comments.or(dto.comments.take());
    }

    fn new_call(&mut self, input: CallInput) -> CallDto {
        let id = self.new_id("call");
        let titles = input.tasks.into_iter();
        let tasks = titles
            .map(|task| CallTaskDto {
                id: self.new_id("task"),
                title: task.title,
                status: TaskStatus::New,
                result: None,
            })
            .collect();
        let items = input.available_expenditure_items.into_iter();
        let items = items
            .map(|item| ExpenditureItemDto { id: self.new_id("item"), name: item.name })
            .collect();
        CallDto {
            id,
            number: format!("ОБР-{id:07}"),
            status: CallStatus::New,
            created: input.created,
            commited: None,
            finished: None,
            ttf: input.ttf,
            tto: input.tto,
            timestamp: 0,
            user_id: input.owner_id,
            client_name: input.client_name,
            contact_person_name: input.contact_person_name,
            contact_person_email: input.contact_person_email,
            contact_person_phone: input.contact_person_phone,
            critical: input.critical.unwrap_or_default(),
            comments: None,
            description_html_text: input.description_html_text,
            description_text_for_field_employee: input.description_text_for_field_employee,
            service_object_name: input.service_object_name,
            service_object_address: input.service_object_address,
            service_object_type: input.service_object_type,
            service_object_latitude: input.service_object_latitude,
            service_object_longitude: input.service_object_longitude,
            tasks,
            jeopardies: Vec::new(),
            available_expenditure_items: items,
        }
    }
}
