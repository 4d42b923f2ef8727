use serde_json::json;

use super::Store;
use crate::contractor::inputs::{DispatcherMessage, UserMessage};
use crate::contractor::model::{CallMessageDto, CallStatus, UserDto};
use crate::contractor::reply::{Refusal, Reply, text};

impl Store {
    /// `POST /call/{id}/dispatcher/message`: the date is the client's.
    pub(in crate::contractor) fn dispatcher_message(
        &mut self,
        call: i64,
        input: DispatcherMessage,
    ) -> Result<Reply, Refusal> {
        let owner = self.call(call, Refusal::empty(404))?.dto.user_id;
        self.check_not_closed(call)?;
        let message = self.new_message(call, input.date, input.message, None);
        self.notify(owner);
        Ok(Reply::wrote(message.id, &json!({ "id": message.id })))
    }

    /// `POST /call/{id}/message`: the internal `CallMessage`, with its call and its owner, password
    /// hash included.
    pub(in crate::contractor) fn user_message(
        &mut self,
        call: i64,
        user: i64,
        input: UserMessage,
    ) -> Result<Reply, Refusal> {
        let message = self.say(call, user, input)?;
        let internal = json!({
            "id": message.id,
            "call": self.internal_call(call),
            "date": message.date,
            "message": message.message,
            "owner": self.users.internal(user),
            "timestamp": message.timestamp,
        });
        Ok(Reply::wrote(message.id, &internal))
    }

    /// The message of a user, without the costly answer.
    pub(in crate::contractor) fn say(
        &mut self,
        call: i64,
        user: i64,
        input: UserMessage,
    ) -> Result<CallMessageDto, Refusal> {
        self.own_call(call, user, Refusal::empty(404))?;
        self.check_not_closed(call)?;
        let (date, owner) = (self.date(), self.users.dto(user));
        Ok(self.new_message(call, date, input.message, owner))
    }

    fn check_not_closed(&mut self, call: i64) -> Result<(), Refusal> {
        match self.call_mut(call).dto.status {
            CallStatus::Closed => Err(Refusal::empty(409)),
            _ => Ok(()),
        }
    }

    fn new_message(
        &mut self,
        call_id: i64,
        date: String,
        message: String,
        owner: Option<UserDto>,
    ) -> CallMessageDto {
        let dto = CallMessageDto {
            id: self.new_id("message"),
            call_id,
            date,
            message,
            owner,
            timestamp: self.message_feed.draw(self.settings.marks_shared_by, 0),
        };
        let due = self.due();
        self.message_feed.publish(dto.id, dto.timestamp, text(&dto), due, &mut self.log);
        if self.settings.messages_bump_call {
            self.touch_call(call_id);
        }
        dto
    }
}
