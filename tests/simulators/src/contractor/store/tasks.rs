use bytes::Bytes;

use super::Store;
use crate::contractor::inputs::NewTaskStatus;
use crate::contractor::log::Kind;
use crate::contractor::model::{CallStatus, CallTaskDto, CallTaskResultDto, TaskStatus};
use crate::contractor::reply::{Refusal, Reply, text};

impl Store {
    /// `GET /calltask`: all tasks, by id.
    pub(in crate::contractor) fn all_tasks(&self) -> Vec<Bytes> {
        self.tasks.values().cloned().collect()
    }

    /// `GET /calltask/{id}`
    pub(in crate::contractor) fn read_task(&self, id: i64) -> Result<Reply, Refusal> {
        let task = self.tasks.get(&id).ok_or(Refusal::error(404, 1))?;
        Ok(Reply::read(task.clone()))
    }

    /// `GET /calltask/{id}/result`: 404 as well while the task has none.
    pub(in crate::contractor) fn task_result(&self, id: i64, user: i64) -> Result<Reply, Refusal> {
        let absent = Refusal::error(404, 1);
        let call = self.call_with_task(id, absent)?;
        self.own_call(call, user, absent)?;
        self.result_of(call, id, absent)
    }

    /// `POST /calltask/{id}/status`: New → Done or Canceled, while the call is committed.
    pub(in crate::contractor) fn set_task_status(
        &mut self,
        id: i64,
        user: i64,
        input: &NewTaskStatus,
    ) -> Result<Reply, Refusal> {
        let absent = Refusal::empty(404);
        let call = self.call_with_task(id, absent)?;
        let status = self.own_call(call, user, absent)?.dto.status;
        let task = self.task(call, id, absent)?;
        if status != CallStatus::Committed || !can_become(task.status, input.status) {
            return Err(Refusal::empty(409));
        }
        self.change_task(call, id, input.status);
        self.touch_parent(call, self.settings.children_bump_call);
        Ok(Reply::done(id))
    }

    pub(super) fn result_of(&self, call: i64, id: i64, absent: Refusal) -> Result<Reply, Refusal> {
        let result = &self.task(call, id, absent)?.result;
        let result = result.as_ref().ok_or(absent)?;
        Ok(Reply::read(text(result)))
    }

    pub(super) fn call_with_task(&self, id: i64, absent: Refusal) -> Result<i64, Refusal> {
        self.call_of_task.get(&id).copied().ok_or(absent)
    }

    pub(super) fn task(
        &self,
        call: i64,
        id: i64,
        absent: Refusal,
    ) -> Result<&CallTaskDto, Refusal> {
        let tasks = &self.call(call, absent)?.dto.tasks;
        tasks.iter().find(|task| task.id == id).ok_or(absent)
    }

    pub(super) fn task_mut(&mut self, call: i64, id: i64) -> Option<&mut CallTaskDto> {
        let mut tasks = self.call_mut(call).dto.tasks.iter_mut();
        tasks.find(|task| task.id == id)
    }

    /// Sets the status; a done task has a result from then on. The caller publishes the call.
    pub(super) fn change_task(&mut self, call: i64, id: i64, status: TaskStatus) {
        if let Some(task) = self.task_mut(call, id) {
            task.status = status;
            if status == TaskStatus::Done {
                task.result = Some(CallTaskResultDto::default());
            }
        }
        self.publish_task(call, id);
    }

    pub(super) fn publish_task(&mut self, call: i64, id: i64) {
        let Some(json) = self.task_mut(call, id).map(|task| text(task)) else {
            return;
        };
        self.log.record(Kind::Tasks, id, None, &json);
        self.tasks.insert(id, json);
    }
}

pub(super) fn can_become(from: TaskStatus, to: TaskStatus) -> bool {
    from == TaskStatus::New && to != TaskStatus::New
}
