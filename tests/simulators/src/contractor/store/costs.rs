use serde_json::json;

use super::Store;
use crate::contractor::dates;
use crate::contractor::inputs::{Approval, NewExpense, NewMaterial, PatchExpense, PatchMaterial};
use crate::contractor::log::Kind;
use crate::contractor::model::{
    CallCostDto, CallStatus, CostStatus, ExpenseDto, ItemStatus, MaterialDto,
};
use crate::contractor::reply::{Refusal, Reply, text};

const NO_CALL: Refusal = Refusal::listed(404, 1);
const NO_COST: Refusal = Refusal::listed(404, 2);
const NO_EXPENSE: Refusal = Refusal::listed(404, 3);
const NO_MATERIAL: Refusal = Refusal::listed(404, 4);
const CONFLICT: Refusal = Refusal::empty(409);

impl Store {
    /// `GET /callCost/call/{callId}`: 404 as well while the call has no estimate.
    pub(in crate::contractor) fn read_cost(&self, call: i64) -> Result<Reply, Refusal> {
        self.call(call, Refusal::error(404, 1))?;
        let cost = self.costs.get(&call).ok_or(Refusal::error(404, 2))?;
        Ok(Reply::read(cost.clone()))
    }

    /// `POST /callCost/call/{callId}`: once a call, from Committed on.
    pub(in crate::contractor) fn create_cost(
        &mut self,
        call: i64,
        user: i64,
    ) -> Result<Reply, Refusal> {
        let found = self.own_call(call, user, Refusal::empty(404))?;
        if found.cost.is_some() || !self.takes_costs(call) {
            return Err(CONFLICT);
        }
        self.new_cost(call);
        self.publish_cost(call);
        Ok(Reply::plain(call))
    }

    /// `POST /callCost/status/call/{callId}`: Draft → InProgress.
    pub(in crate::contractor) fn send_cost(
        &mut self,
        call: i64,
        user: i64,
    ) -> Result<Reply, Refusal> {
        self.own_call(call, user, Refusal::empty(404))?;
        self.draft(call, Refusal::empty(404))?.status = CostStatus::InProgress;
        self.publish_cost(call);
        Ok(Reply::plain(call))
    }

    /// `PATCH /callCost/call/{callId}/changeApprovalStatus`: while InProgress; the estimate is
    /// Processed once no line is New.
    pub(in crate::contractor) fn approve(
        &mut self,
        call: i64,
        input: &Approval,
    ) -> Result<Reply, Refusal> {
        self.call(call, NO_CALL)?;
        let cost = self.call_mut(call).cost.as_mut().ok_or(NO_COST)?;
        if cost.status != CostStatus::InProgress {
            return Err(CONFLICT);
        }
        let mut expenses = input.expenses.iter().flatten();
        if !expenses.all(|(id, _)| cost.expenses.iter().any(|line| line.id == *id)) {
            return Err(NO_EXPENSE);
        }
        let mut materials = input.materials.iter().flatten();
        if !materials.all(|(id, _)| cost.materials.iter().any(|line| line.id == *id)) {
            return Err(NO_MATERIAL);
        }
        for line in &mut cost.expenses {
            let status = input.expenses.as_ref().and_then(|map| map.get(&line.id));
            line.status = status.copied().unwrap_or(line.status);
        }
        for line in &mut cost.materials {
            let status = input.materials.as_ref().and_then(|map| map.get(&line.id));
            line.status = status.copied().unwrap_or(line.status);
        }
        let is_open = cost.expenses.iter().any(|line| line.status == ItemStatus::New)
            || cost.materials.iter().any(|line| line.status == ItemStatus::New);
        if !is_open {
            cost.status = CostStatus::Processed;
        }
        self.publish_cost(call);
        Ok(Reply::done(call))
    }

    pub(in crate::contractor) fn add_expense(
        &mut self,
        call: i64,
        user: i64,
        input: &NewExpense,
    ) -> Result<Reply, Refusal> {
        self.own_call(call, user, NO_CALL)?;
        self.check_item(call, input.expenditure_item_id)?;
        self.draft(call, NO_COST)?;
        let id = self.push_expense(call, input);
        self.publish_cost(call);
        Ok(Reply::wrote(id, &json!({ "id": id })))
    }

    pub(in crate::contractor) fn patch_expense(
        &mut self,
        (call, id): (i64, i64),
        user: i64,
        input: &PatchExpense,
    ) -> Result<Reply, Refusal> {
        self.own_call(call, user, NO_CALL)?;
        if let Some(item) = input.expenditure_item_id {
            self.check_item(call, item)?;
        }
        let mut lines = self.draft(call, NO_COST)?.expenses.iter_mut();
        let line = lines.find(|line| line.id == id).ok_or(NO_EXPENSE)?;
        line.count = input.count.unwrap_or(line.count);
        line.expenditure_item_id = input.expenditure_item_id.unwrap_or(line.expenditure_item_id);
        self.publish_cost(call);
        Ok(Reply::plain(id))
    }

    pub(in crate::contractor) fn delete_expense(
        &mut self,
        (call, id): (i64, i64),
        user: i64,
    ) -> Result<Reply, Refusal> {
        self.own_call(call, user, NO_CALL)?;
        let lines = &mut self.draft(call, NO_COST)?.expenses;
        let at = lines.iter().position(|line| line.id == id).ok_or(NO_EXPENSE)?;
        lines.remove(at);
        self.publish_cost(call);
        Ok(Reply::plain(id))
    }

    pub(in crate::contractor) fn add_material(
        &mut self,
        call: i64,
        user: i64,
        input: NewMaterial,
    ) -> Result<Reply, Refusal> {
        self.own_call(call, user, NO_CALL)?;
        self.draft(call, NO_COST)?;
        let id = self.push_material(call, input);
        self.publish_cost(call);
        Ok(Reply::wrote(id, &json!({ "id": id })))
    }

    pub(in crate::contractor) fn patch_material(
        &mut self,
        (call, id): (i64, i64),
        user: i64,
        input: PatchMaterial,
    ) -> Result<Reply, Refusal> {
        self.own_call(call, user, NO_CALL)?;
        let mut lines = self.draft(call, NO_COST)?.materials.iter_mut();
        let line = lines.find(|line| line.id == id).ok_or(NO_MATERIAL)?;
        line.count = input.count.unwrap_or(line.count);
        line.price = input.price.unwrap_or(line.price);
        line.owner_type = input.owner_type.unwrap_or(line.owner_type);
        line.name = input.name.unwrap_or_else(|| std::mem::take(&mut line.name));
        line.serial_number =
            input.serial_number.unwrap_or_else(|| std::mem::take(&mut line.serial_number));
        self.publish_cost(call);
        Ok(Reply::plain(id))
    }

    pub(in crate::contractor) fn delete_material(
        &mut self,
        (call, id): (i64, i64),
        user: i64,
    ) -> Result<Reply, Refusal> {
        self.own_call(call, user, NO_CALL)?;
        let lines = &mut self.draft(call, NO_COST)?.materials;
        let at = lines.iter().position(|line| line.id == id).ok_or(NO_MATERIAL)?;
        lines.remove(at);
        self.publish_cost(call);
        Ok(Reply::plain(id))
    }

    /// Whether the call's estimate can be made, edited and sent: the call is committed, or done and
    /// within the deadline of `PATCH /systemSettings`.
    pub(super) fn takes_costs(&mut self, call: i64) -> bool {
        let (now, day) = (self.now, self.cost_deadline_day);
        let call = self.call_mut(call);
        match call.dto.status {
            CallStatus::New | CallStatus::Closed => false,
            CallStatus::Committed => true,
            CallStatus::Done => call
                .finished
                .and_then(|finished| dates::cost_deadline(finished, day))
                .is_none_or(|deadline| now < deadline),
        }
    }

    pub(super) fn new_cost(&mut self, call: i64) {
        self.call_mut(call).cost = Some(CallCostDto {
            status: CostStatus::Draft,
            expenses: Vec::new(),
            materials: Vec::new(),
        });
    }

    /// The expenditure item is one of the call's, or 404 with code 3.
    pub(super) fn check_item(&self, call: i64, item: i64) -> Result<(), Refusal> {
        let items = &self.call(call, NO_CALL)?.dto.available_expenditure_items;
        let is_known = items.iter().any(|one| one.id == item);
        if is_known { Ok(()) } else { Err(NO_EXPENSE) }
    }

    pub(super) fn push_expense(&mut self, call: i64, input: &NewExpense) -> i64 {
        let id = self.new_id("expense");
        if let Some(cost) = &mut self.call_mut(call).cost {
            cost.expenses.push(ExpenseDto {
                id,
                expenditure_item_id: input.expenditure_item_id,
                count: input.count,
                status: ItemStatus::New,
            });
        }
        id
    }

    pub(super) fn push_material(&mut self, call: i64, input: NewMaterial) -> i64 {
        let id = self.new_id("material");
        if let Some(cost) = &mut self.call_mut(call).cost {
            cost.materials.push(MaterialDto {
                id,
                name: input.name,
                serial_number: input.serial_number,
                owner_type: input.owner_type,
                count: input.count,
                price: input.price,
                status: ItemStatus::New,
            });
        }
        id
    }

    pub(super) fn publish_cost(&mut self, call: i64) {
        let Some(json) = self.call_mut(call).cost.as_ref().map(text) else {
            return;
        };
        self.log.record(Kind::Costs, call, None, &json);
        self.costs.insert(call, json);
        if self.settings.cost_bumps_call {
            self.touch_call(call);
        }
    }

    /// The estimate, if it is a draft that can still be edited.
    fn draft(&mut self, call: i64, absent: Refusal) -> Result<&mut CallCostDto, Refusal> {
        let is_editable = self.takes_costs(call);
        let cost = self.call_mut(call).cost.as_mut().ok_or(absent)?;
        if is_editable && cost.status == CostStatus::Draft { Ok(cost) } else { Err(CONFLICT) }
    }
}
