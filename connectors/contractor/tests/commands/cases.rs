//! Every command, in a state of the upstream in which it can be done.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use talon_simulators::contractor::Kind;

use crate::world::{World, new_call};

/// How far a call has come before the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    New,
    Committed,
    /// With an open jeopardy.
    AtRisk,
    /// With its first task done.
    TaskDone,
    /// With an estimate of one expense and one material.
    Estimated,
    Submitted,
    Done,
    /// With a temporary link.
    Linked,
}

/// What the command may be about.
pub(crate) struct Ids {
    pub(crate) call: i64,
    pub(crate) task: i64,
    pub(crate) item: i64,
    pub(crate) expense: i64,
    pub(crate) material: i64,
    pub(crate) token: String,
}

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) stage: Stage,
    pub(crate) params: fn(&Ids) -> Value,
}

const fn case(name: &'static str, stage: Stage, params: fn(&Ids) -> Value) -> Case {
    Case { name, stage, params }
}

#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    case("CreateCall", Stage::New, |_| new_call()),
    case("PatchCall", Stage::New, |ids| json!({"call_id": ids.call, "arrival_due_at": "2026-02-01T10:00:00.5Z"})),
    case("CloseCall", Stage::Done, |ids| json!({"call_id": ids.call})),
    case("SendDispatcherMessage", Stage::New, |ids| json!({"call_id": ids.call, "written_at": "2026-01-20T10:00:00.123456Z", "message": "перезвоните кенар"})),
    case("AnswerJeopardy", Stage::AtRisk, |ids| json!({"call_id": ids.call, "answer_comment": "ответ кенар"})),
    case("ChangeCostApproval", Stage::Submitted, |ids| json!({"call_id": ids.call, "expenses": {ids.expense.to_string(): "Approved"}, "materials": {ids.material.to_string(): "Rejected"}})),
    case("SetCallStatus", Stage::Committed, |ids| json!({"call_id": ids.call, "status": "Done", "comments": "готово кенар"})),
    case("SendMessage", Stage::Committed, |ids| json!({"call_id": ids.call, "message": "выехал кенар"})),
    case("RaiseJeopardy", Stage::Committed, |ids| json!({"call_id": ids.call, "comment": "риск кенар"})),
    case("CreateTempLink", Stage::Committed, |ids| json!({"call_id": ids.call})),
    case("CreateCost", Stage::Committed, |ids| json!({"call_id": ids.call})),
    case("AddExpense", Stage::Estimated, |ids| json!({"call_id": ids.call, "expenditure_item_id": ids.item, "count": 2.5})),
    case("PatchExpense", Stage::Estimated, |ids| json!({"call_id": ids.call, "expense_id": ids.expense, "count": 7})),
    case("DeleteExpense", Stage::Estimated, |ids| json!({"call_id": ids.call, "expense_id": ids.expense})),
    case("AddMaterial", Stage::Estimated, |ids| json!({"call_id": ids.call, "name": "ремень кенар", "serial_number": "", "owner_type": "Contractor", "count": 1, "price": 99.9})),
    case("PatchMaterial", Stage::Estimated, |ids| json!({"call_id": ids.call, "material_id": ids.material, "price": 12.34})),
    case("DeleteMaterial", Stage::Estimated, |ids| json!({"call_id": ids.call, "material_id": ids.material})),
    case("SubmitCost", Stage::Estimated, |ids| json!({"call_id": ids.call})),
    case("SetTaskStatus", Stage::Committed, |ids| json!({"task_id": ids.task, "status": "Done"})),
    case("AddTaskAttachment", Stage::TaskDone, |ids| json!({"task_id": ids.task, "name": "Акт кенар.pdf", "content": BASE64_STANDARD.encode("%PDF кенар")})),
    case("ReadNotification", Stage::New, |_| json!({"notification_id": 1001})),
    case("ReadAllNotifications", Stage::New, |_| json!({})),
    case("SetCostDeadlineDay", Stage::New, |_| json!({"day": 15})),
    case("RegisterUser", Stage::New, |_| json!({"user_name": "новый кенар", "password": "пароль кенар"})),
    case("ChangePassword", Stage::New, |_| json!({"user_id": 2, "password": "другой кенар"})),
    case("LockUser", Stage::New, |_| json!({"user_id": 2})),
    case("CompleteSharedCall", Stage::Linked, |ids| json!({"token": ids.token, "comments": "сделано кенар",
        "task_results": [{"task_id": ids.task, "status": "Done"}],
        "expenses": [{"expenditure_item_id": ids.item, "count": 1}],
        "materials": [{"name": "ремень", "serial_number": "s", "owner_type": "Unknown", "count": 1, "price": 2}]})),
];

pub(crate) fn case_of(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.name == name).unwrap()
}

/// Brings a new call to a stage, by commands.
pub(crate) async fn bring(world: &World, stage: Stage) -> Ids {
    let made = world.run("CreateCall", new_call()).await;
    let call = made["id"].as_i64().unwrap();
    let item = world.current(Kind::Calls, call)["availableExpenditureItems"][0]["id"].clone();
    let mut ids = Ids {
        call,
        task: made["tasks"][0]["id"].as_i64().unwrap(),
        item: item.as_i64().unwrap(),
        expense: 0,
        material: 0,
        token: String::new(),
    };
    if stage == Stage::New {
        return ids;
    }
    world.run("SetCallStatus", json!({"call_id": call, "status": "Committed"})).await;
    let id = |made: Value| made["id"].as_i64().unwrap();
    match stage {
        Stage::New | Stage::Committed => {}
        Stage::AtRisk => {
            world.run("RaiseJeopardy", json!({"call_id": call, "comment": "риск"})).await;
        }
        Stage::TaskDone => {
            world.run("SetTaskStatus", json!({"task_id": ids.task, "status": "Done"})).await;
        }
        Stage::Estimated | Stage::Submitted => {
            world.run("CreateCost", json!({"call_id": call})).await;
            let expense = json!({"call_id": call, "expenditure_item_id": ids.item, "count": 1});
            ids.expense = id(world.run("AddExpense", expense).await);
            let material = json!({"call_id": call, "name": "фильтр", "serial_number": "s-1",
                                  "owner_type": "Contractor", "count": 1, "price": 10});
            ids.material = id(world.run("AddMaterial", material).await);
            if stage == Stage::Submitted {
                world.run("SubmitCost", json!({"call_id": call})).await;
            }
        }
        Stage::Done => {
            let done = json!({"call_id": call, "status": "Done", "comments": "готово"});
            world.run("SetCallStatus", done).await;
        }
        Stage::Linked => {
            let link = world.run("CreateTempLink", json!({"call_id": call})).await;
            ids.token = link["link"].as_str().unwrap().to_owned();
        }
    }
    ids
}
