//! What the holder of a temporary link can do, without any login.

use super::tasks::can_become;
use super::{Store, Upload};
use crate::contractor::inputs::{CallResult, SystemSettings};
use crate::contractor::model::{CallStatus, CostStatus};
use crate::contractor::reply::{Form, Refusal, Reply};

impl Store {
    /// `GET /shared/call`
    pub(in crate::contractor) fn shared_call(&mut self, token: &str) -> Result<Reply, Refusal> {
        let call = self.linked(token, Refusal::error(404, 1))?;
        Ok(Reply::read(self.call_text(call)))
    }

    /// `POST /shared/call/done`: the outcome of tasks, the costs and the status in one.
    pub(in crate::contractor) fn finish_shared(
        &mut self,
        token: &str,
        input: CallResult,
    ) -> Result<Reply, Refusal> {
        let call = self.linked(token, Refusal::error(404, 1))?;
        let outcomes = input.call_task_results.unwrap_or_default();
        for outcome in &outcomes {
            let status = self.task(call, outcome.task_id, Refusal::error(404, 1))?.status;
            if status != outcome.new_status && !can_become(status, outcome.new_status) {
                return Err(Refusal::error(409, 3));
            }
        }
        let expenses = input.expenses.unwrap_or_default();
        for expense in &expenses {
            let item = expense.expenditure_item_id;
            self.check_item(call, item).map_err(|_| Refusal::error(400, 0))?;
        }
        if self.call_mut(call).dto.status != CallStatus::Committed {
            return Err(Refusal::error(409, 7));
        }
        let materials = input.materials.unwrap_or_default();
        let has_costs = !expenses.is_empty() || !materials.is_empty();
        let cost = self.call_mut(call).cost.as_ref();
        if has_costs && cost.is_some_and(|cost| cost.status != CostStatus::Draft) {
            return Err(Refusal::error(409, 7));
        }
        for outcome in &outcomes {
            let status = self.task(call, outcome.task_id, Refusal::error(404, 1))?.status;
            if status != outcome.new_status {
                self.change_task(call, outcome.task_id, outcome.new_status);
            }
        }
        if has_costs {
            if self.call_mut(call).cost.is_none() {
                self.new_cost(call);
            }
            for expense in &expenses {
                self.push_expense(call, expense);
            }
            for material in materials {
                self.push_material(call, material);
            }
            self.publish_cost(call);
        }
        self.finish_call(call, input.comments);
        self.touch_call(call);
        let body = self.call_text(call);
        Ok(Reply { form: Form::Plain(Some(body)), effect: Some(call) })
    }

    /// `POST /shared/callTask/{id}/attachment`: once the call is done.
    pub(in crate::contractor) fn attach_shared(
        &mut self,
        token: &str,
        task: i64,
        file: Upload,
    ) -> Result<Reply, Refusal> {
        let absent = Refusal::empty(404);
        let call = self.linked(token, absent)?;
        let has_result = self.task(call, task, absent)?.result.is_some();
        if self.call_mut(call).dto.status != CallStatus::Done || !has_result {
            return Err(Refusal::empty(409));
        }
        self.store_file(call, task, file)
    }

    /// `GET /shared/callTask/{id}/attachment/{attachmentId}/download`: 403 when the task belongs to
    /// another call than the link.
    pub(in crate::contractor) fn shared_file(
        &self,
        token: &str,
        task: i64,
        id: i64,
    ) -> Result<Reply, Refusal> {
        let call = self.call_with_task(task, Refusal::error(404, 1))?;
        if self.linked(token, Refusal::error(403, 0))? != call {
            return Err(Refusal::error(403, 0));
        }
        self.file_of(call, task, id)
    }

    /// `GET /shared/callTask/{id}/result`
    pub(in crate::contractor) fn shared_result(
        &self,
        token: &str,
        task: i64,
    ) -> Result<Reply, Refusal> {
        let absent = Refusal::error(404, 1);
        let call = self.linked(token, absent)?;
        self.result_of(call, task, absent)
    }

    /// `PATCH /systemSettings`: the day; `null` changes nothing.
    pub(in crate::contractor) fn set_deadline_day(&mut self, input: &SystemSettings) -> Reply {
        let day = input.call_cost_deadline_day_of_month;
        self.cost_deadline_day = day.unwrap_or(self.cost_deadline_day);
        let body = self.cost_deadline_day.to_string().into();
        Reply { form: Form::Plain(Some(body)), effect: day.map(i64::from) }
    }

    fn linked(&self, token: &str, absent: Refusal) -> Result<i64, Refusal> {
        self.call_of_link.get(token).copied().ok_or(absent)
    }
}
