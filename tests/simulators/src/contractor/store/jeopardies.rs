use serde_json::json;

use super::Store;
use crate::contractor::inputs;
use crate::contractor::model::{CallJeopardyDto, CallStatus};
use crate::contractor::reply::{Refusal, Reply, text};

impl Store {
    /// `POST /call/{id}/jeopardy`: one open jeopardy a call, and none once it is done.
    pub(in crate::contractor) fn raise_jeopardy(
        &mut self,
        call: i64,
        user: i64,
        input: inputs::Jeopardy,
    ) -> Result<Reply, Refusal> {
        let dto = &self.own_call(call, user, Refusal::empty(404))?.dto;
        let is_open = dto.jeopardies.iter().any(|risk| risk.answer_date.is_none());
        if is_open || matches!(dto.status, CallStatus::Done | CallStatus::Closed) {
            return Err(Refusal::empty(409));
        }
        let jeopardy = CallJeopardyDto {
            id: self.new_id("jeopardy"),
            call_id: call,
            comment: input.comment,
            date: self.date(),
            answer_comment: None,
            answer_date: None,
            timestamp: self.jeopardy_feed.draw(self.settings.marks_shared_by, 0),
        };
        let (id, date) = (jeopardy.id, jeopardy.date.clone());
        self.publish_jeopardy(&jeopardy);
        self.call_mut(call).dto.jeopardies.push(jeopardy);
        self.touch_parent(call, self.settings.children_bump_call);
        Ok(Reply::wrote(id, &json!({ "id": id, "date": date })))
    }

    /// `POST /call/{id}/unjeopardy`: answers the open jeopardy.
    pub(in crate::contractor) fn answer_jeopardy(
        &mut self,
        call: i64,
        input: inputs::JeopardyAnswer,
    ) -> Result<Reply, Refusal> {
        let dto = &self.call(call, Refusal::empty(404))?.dto;
        let mut risks = dto.jeopardies.iter();
        let open = risks.position(|risk| risk.answer_date.is_none());
        let open = open.ok_or(Refusal::empty(409))?;
        let (date, shared_by) = (self.date(), self.settings.marks_shared_by);
        let owner = dto.user_id;
        let previous = dto.jeopardies[open].timestamp;
        let mark = self.jeopardy_feed.draw(shared_by, previous);
        let risk = &mut self.call_mut(call).dto.jeopardies[open];
        risk.answer_comment = Some(input.answer_comment);
        risk.answer_date = Some(date.clone());
        risk.timestamp = mark;
        let risk = risk.clone();
        self.publish_jeopardy(&risk);
        self.notify(owner);
        self.touch_parent(call, self.settings.children_bump_call);
        Ok(Reply::wrote(risk.id, &json!({ "answerDate": date })))
    }

    fn publish_jeopardy(&mut self, dto: &CallJeopardyDto) {
        let due = self.due();
        self.jeopardy_feed.publish(dto.id, dto.timestamp, text(dto), due, &mut self.log);
    }
}
