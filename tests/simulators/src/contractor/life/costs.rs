use rand::RngExt;
use rand::seq::IndexedRandom;

use super::{Life, words};
use crate::contractor::inputs::{Approval, NewExpense, NewMaterial, PatchExpense};
use crate::contractor::model::{CallCostDto, CostStatus, ItemStatus, OwnerType};
use crate::contractor::reply::{Refusal, Reply};
use crate::contractor::store::Store;

impl Life {
    /// The next step of a call's estimate.
    pub(super) fn cost(
        &mut self,
        store: &mut Store,
        call: i64,
        owner: i64,
    ) -> Result<Reply, Refusal> {
        let known = store.calls.get(&call).ok_or(Refusal::empty(404))?;
        match &known.cost {
            None => store.create_cost(call, owner),
            Some(cost) if cost.status == CostStatus::InProgress => {
                let approval = self.approval(cost);
                store.approve(call, &approval)
            }
            Some(cost) => {
                let lines = cost.expenses.len() + cost.materials.len();
                let expense = cost.expenses.first().map(|line| line.id);
                let items = &known.dto.available_expenditure_items;
                let item = items.choose(&mut self.random).map(|item| item.id);
                let count = f64::from(self.random.random_range(1..40)) / 4.0;
                match (self.random.random_range(0..4), item, expense) {
                    (0, ..) if lines > 0 => store.send_cost(call, owner),
                    (1, Some(item), _) => {
                        let input = NewExpense { count, expenditure_item_id: item };
                        store.add_expense(call, owner, &input)
                    }
                    (2, _, Some(line)) => {
                        let input = PatchExpense { count: Some(count), expenditure_item_id: None };
                        store.patch_expense((call, line), owner, &input)
                    }
                    _ => {
                        let input = self.material(count);
                        store.add_material(call, owner, input)
                    }
                }
            }
        }
    }

    fn material(&mut self, count: f64) -> NewMaterial {
        let owners = [OwnerType::Unknown, OwnerType::Contractor, OwnerType::ContractHolders];
        let price = self.random.random_range(10_000..5_000_000);
        NewMaterial {
            count,
            name: words::material(&mut self.random),
            owner_type: owners[self.random.random_range(0..owners.len())],
            price: f64::from(price) / 100.0,
            serial_number: format!("SN-{:08X}", self.random.random::<u32>()),
        }
    }

    /// A verdict on every line, now and then on a part only.
    fn approval(&mut self, cost: &CallCostDto) -> Approval {
        let mut verdict = |id: i64| {
            let status = match self.random.random_range(0..10) {
                0 => ItemStatus::Rejected,
                1 => ItemStatus::ApprovedWithCorrection,
                2 => ItemStatus::New,
                _ => ItemStatus::Approved,
            };
            (id, status)
        };
        Approval {
            expenses: Some(cost.expenses.iter().map(|line| verdict(line.id)).collect()),
            materials: Some(cost.materials.iter().map(|line| verdict(line.id)).collect()),
        }
    }
}
