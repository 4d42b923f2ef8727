//! All commands: what they are ordered by, whether they may be sent again, how they are read back.

use talon_sdk::Repeat::{Always, Converges, Never};
use talon_sdk::{CommandSpec, OrderingKey, Repeat};

const CALL: OrderingKey = OrderingKey::Params(&["call_id"]);
const TASK: OrderingKey = OrderingKey::Params(&["task_id"]);
const USER: OrderingKey = OrderingKey::Params(&["user_id"]);

const STATUS: &[&str] = &["status"];
const COST_STATUS: &[&str] = &["cost_status"];

/// Off unless `commands` names them.
pub(super) const DANGEROUS: &[&str] =
    &["RegisterUser", "ChangePassword", "LockUser", "CompleteSharedCall"];

const fn spec(
    name: &'static str,
    key: OrderingKey,
    repeat: Repeat,
    expect: &'static [&'static str],
    call: &'static str,
    probe: &'static str,
) -> CommandSpec {
    CommandSpec { name, key, repeat, expect, call, probe }
}

#[rustfmt::skip]
pub(crate) static SPECS: [CommandSpec; 27] = [
    spec("CreateCall", OrderingKey::Own, Never, &[], "POST /call",
        "the call with the command's marker in the modification feed, from the mark before sending"),
    spec("PatchCall", CALL, Always, STATUS, "PATCH /call/{id}", "not needed"),
    spec("CloseCall", CALL, Converges, STATUS, "POST /call/{id}/close", "the call's status"),
    spec("SendDispatcherMessage", CALL, Never, STATUS, "POST /call/{id}/dispatcher/message",
        "a new message without owner, with the same call, instant and text"),
    spec("AnswerJeopardy", CALL, Never, STATUS, "POST /call/{id}/unjeopardy",
        "the jeopardy that was open, now answered with the same text"),
    spec("ChangeCostApproval", CALL, Converges, COST_STATUS, "PATCH /callCost/call/{callId}/changeApprovalStatus",
        "the status of each line, before and after"),
    spec("SetCallStatus", CALL, Converges, STATUS, "POST /call/{id}/status",
        "the call's status, before and after"),
    spec("SendMessage", CALL, Never, STATUS, "POST /call/{id}/message",
        "a new message of the user with the same call and text"),
    spec("RaiseJeopardy", CALL, Never, STATUS, "POST /call/{id}/jeopardy",
        "a new jeopardy of the call with the same text"),
    spec("CreateTempLink", CALL, Never, STATUS, "POST /call/{callId}/templink",
        "impossible: links cannot be read"),
    spec("CreateCost", CALL, Converges, STATUS, "POST /callCost/call/{callId}", "whether there is an estimate"),
    spec("AddExpense", CALL, Never, COST_STATUS, "POST /callCost/call/{callId}/expense",
        "a new line of the estimate with the same content"),
    spec("PatchExpense", CALL, Converges, COST_STATUS, "PATCH /callCost/call/{callId}/expense/{expenseId}",
        "the line, before and after"),
    spec("DeleteExpense", CALL, Converges, COST_STATUS, "DELETE /callCost/call/{callId}/expense/{expenseId}",
        "whether the line is there"),
    spec("AddMaterial", CALL, Never, COST_STATUS, "POST /callCost/call/{callId}/material",
        "a new line of the estimate with the same content"),
    spec("PatchMaterial", CALL, Converges, COST_STATUS, "PATCH /callCost/call/{callId}/material/{materialId}",
        "the line, before and after"),
    spec("DeleteMaterial", CALL, Converges, COST_STATUS, "DELETE /callCost/call/{callId}/material/{materialId}",
        "whether the line is there"),
    spec("SubmitCost", CALL, Converges, COST_STATUS, "POST /callCost/status/call/{callId}",
        "whether the estimate is past Draft"),
    spec("SetTaskStatus", TASK, Converges, STATUS, "POST /calltask/{id}/status",
        "the task's status, before and after"),
    spec("AddTaskAttachment", TASK, Never, STATUS, "POST /calltask/{id}/attachment",
        "a new file of the task with the same name"),
    spec("ReadNotification", OrderingKey::Fixed("notifications"), Always, &[],
        "POST /notification/{id}/read", "not needed"),
    spec("ReadAllNotifications", OrderingKey::Fixed("notifications"), Always, &[],
        "POST /notification/readAll", "not needed"),
    spec("SetCostDeadlineDay", OrderingKey::Fixed("settings"), Always, &[],
        "PATCH /systemSettings", "not needed"),
    spec("RegisterUser", OrderingKey::Own, Never, &[], "POST /user/register",
        "impossible: users cannot be listed"),
    spec("ChangePassword", USER, Always, &[], "POST /user/{id}/changePassword", "not needed"),
    spec("LockUser", USER, Always, &[], "POST /user/{id}/lock", "not needed"),
    spec("CompleteSharedCall", OrderingKey::Own, Never, &[], "POST /shared/call/done",
        "the call behind the link: its status and comment"),
];

/// The names, in the same order, for the setting `commands`.
#[rustfmt::skip]
pub(super) static NAMES: [&str; 27] = [
    "CreateCall", "PatchCall", "CloseCall", "SendDispatcherMessage", "AnswerJeopardy",
    "ChangeCostApproval", "SetCallStatus", "SendMessage", "RaiseJeopardy", "CreateTempLink",
    "CreateCost", "AddExpense", "PatchExpense", "DeleteExpense", "AddMaterial",
    "PatchMaterial", "DeleteMaterial", "SubmitCost", "SetTaskStatus", "AddTaskAttachment",
    "ReadNotification", "ReadAllNotifications", "SetCostDeadlineDay", "RegisterUser", "ChangePassword",
    "LockUser", "CompleteSharedCall",
];
