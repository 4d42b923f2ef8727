//! `CompleteSharedCall`: what the holder of a temporary link can do.
//!
//! The link's token stands in the query of the request and nowhere else.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use talon_http::order::{Field, Order};
use talon_sdk::action::Unseen;
use talon_sdk::{Answer, ApplyFault, CommandSpec, Finding, OrderingKey, Repeat};

use super::action::Action;
use super::scene::{Scene, Who};

#[derive(Deserialize)]
pub(super) struct CompleteSharedCall {
    token: String,
    comments: String,
    task_results: Vec<TaskResult>,
    expenses: Vec<Expense>,
    materials: Vec<Material>,
}

#[derive(Deserialize)]
struct TaskResult {
    task_id: i64,
    status: String,
}

#[derive(Deserialize)]
struct Expense {
    expenditure_item_id: i64,
    count: f64,
}

#[derive(Deserialize)]
struct Material {
    name: String,
    serial_number: String,
    owner_type: String,
    count: f64,
    price: f64,
}

#[derive(Deserialize)]
pub(super) struct CallRow {
    status: Option<String>,
    comments: Option<String>,
}

/// Whether the call was past being completed before sending.
#[derive(Serialize, Deserialize)]
pub(super) struct CompletionMark {
    was_done: bool,
}

impl CallRow {
    fn is_done(&self) -> bool {
        matches!(self.status.as_deref(), Some("Done" | "Closed"))
    }
}

impl CompleteSharedCall {
    fn is_ours(&self, call: &CallRow) -> bool {
        let comments = call.comments.as_deref().unwrap_or_default();
        call.is_done() && comments.trim() == self.comments.trim()
    }
}

impl Action for CompleteSharedCall {
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /shared/call/done",
        probe: "the call behind the link: its status and comment",
        is_dangerous: true,
        ..CommandSpec::of("CompleteSharedCall", OrderingKey::Own, Repeat::Never)
    };
    const WHO: Who = Who::Nobody;
    const ANSWER: &'static [Field] =
        &[Field::Id("id"), Field::Token("status"), Field::Instant("finished")];
    const CAN_BE_SO: bool = true;
    type Seen = CallRow;
    type Mark = CompletionMark;

    async fn see(&self, scene: &Scene<'_>, _: Option<&CompletionMark>) -> Result<CallRow, Unseen> {
        let order = Order::plain("GET /shared/call").query("token", &self.token);
        scene.read_existing(Who::Nobody, order, "there is no call behind the link").await
    }

    fn mark(&self, _: &Scene<'_>, seen: CallRow) -> CompletionMark {
        CompletionMark { was_done: seen.is_done() }
    }

    fn judge(&self, _: &Scene<'_>, before: &CompletionMark, now: CallRow) -> Finding {
        match now.is_done() {
            false => Finding::Absent,
            true if !before.was_done && self.is_ours(&now) => {
                Finding::Applied(Answer::saying("read back: the call is done, with this comment"))
            }
            true => Finding::Unclear("the call is done, and may be so by others".to_owned()),
        }
    }

    fn is_so(&self, now: &CallRow) -> bool {
        self.is_ours(now)
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let list = |items: Vec<Json>| Json::Array(items);
        let body = json!({
            "comments": self.comments,
            "callTaskResults": list(self.task_results.iter().map(|result| {
                json!({ "taskId": result.task_id, "newStatus": result.status })
            }).collect()),
            "expenses": list(self.expenses.iter().map(|expense| {
                json!({ "expenditureItemId": expense.expenditure_item_id, "count": expense.count })
            }).collect()),
            "materials": list(self.materials.iter().map(|material| {
                json!({
                    "name": material.name,
                    "serialNumber": material.serial_number,
                    "ownerType": material.owner_type,
                    "count": material.count,
                    "price": material.price,
                })
            }).collect()),
        });
        Ok(Order::plain(Self::SPEC.call).query("token", &self.token).json(&body))
    }
}
