//! The commands: one file for each group, and what they have in common.
//!
//! A command's parameters are a type that implements [`Action`](action::Action): what is read before
//! and after, how the two compare, what is sent. Looking, sending once and reading back follow from
//! that in `action.rs`; `scene.rs` asks the upstream in the right name; `errors.rs` says what its
//! refusals mean; `answer.rs` what of its replies is passed on.

mod action;
mod answer;
mod attachments;
pub(crate) mod config;
mod costs;
mod create;
mod errors;
mod estimate;
mod expect;
mod jeopardies;
mod line;
mod lines;
mod messages;
mod others;
mod scene;
mod sender;
mod shared;
mod specs;
mod statuses;
mod tasks;

use std::marker::PhantomData;

use async_trait::async_trait;
use talon_sdk::config::Settings;
use talon_sdk::{
    Answer, Applier, ApplyFault, Command, CommandSpec, Evidence, Fault, Finding, Permit,
};

use self::action::{Kind, Typed};
use self::line::{Expense, Material};
use self::lines::{Add, Delete, Patch};
use self::scene::Who;
pub(crate) use self::sender::Sender;
pub(crate) use self::specs::SPECS;

/// A type of command by its name.
fn kind(name: &str) -> Option<&'static dyn Kind> {
    macro_rules! typed {
        ($action:ty) => {
            &Typed::<$action>(PhantomData)
        };
    }
    Some(match name {
        "CreateCall" => typed!(create::CreateCall),
        "PatchCall" => typed!(statuses::PatchCall),
        "CloseCall" => typed!(statuses::CloseCall),
        "SendDispatcherMessage" => typed!(messages::SendDispatcherMessage),
        "AnswerJeopardy" => typed!(jeopardies::AnswerJeopardy),
        "ChangeCostApproval" => typed!(costs::ChangeCostApproval),
        "SetCallStatus" => typed!(statuses::SetCallStatus),
        "SendMessage" => typed!(messages::SendMessage),
        "RaiseJeopardy" => typed!(jeopardies::RaiseJeopardy),
        "CreateTempLink" => typed!(statuses::CreateTempLink),
        "CreateCost" => typed!(costs::CreateCost),
        "AddExpense" => typed!(Add<Expense>),
        "PatchExpense" => typed!(Patch<Expense>),
        "DeleteExpense" => typed!(Delete<Expense>),
        "AddMaterial" => typed!(Add<Material>),
        "PatchMaterial" => typed!(Patch<Material>),
        "DeleteMaterial" => typed!(Delete<Material>),
        "SubmitCost" => typed!(costs::SubmitCost),
        "SetTaskStatus" => typed!(tasks::SetTaskStatus),
        "AddTaskAttachment" => typed!(tasks::AddTaskAttachment),
        "ReadNotification" => typed!(others::ReadNotification),
        "ReadAllNotifications" => typed!(others::ReadAllNotifications),
        "SetCostDeadlineDay" => typed!(others::SetCostDeadlineDay),
        "RegisterUser" => typed!(others::RegisterUser),
        "ChangePassword" => typed!(others::ChangePassword),
        "LockUser" => typed!(others::LockUser),
        "CompleteSharedCall" => typed!(shared::CompleteSharedCall),
        _ => return None,
    })
}

/// The commands that are switched on. Those of users are off where there is none.
pub(crate) fn enabled(settings: &mut Settings<'_>, has_user: bool) -> Vec<&'static CommandSpec> {
    let wanted = settings.list("commands");
    let wanted: Vec<_> =
        SPECS.iter().filter(|spec| wanted.iter().any(|name| name == spec.name)).collect();
    if settings.is_set("commands") && !has_user {
        let of_user: Vec<&str> =
            wanted.iter().filter(|spec| is_of_user(spec)).map(|spec| spec.name).collect();
        if !of_user.is_empty() {
            let problem = format!(
                "names {}, sent in a user's name, but there is no user; set `auth.user.name` and \
                 `auth.user.password`",
                of_user.join(", ")
            );
            settings.problem("commands", problem);
        }
    }
    wanted.into_iter().filter(|spec| has_user || !is_of_user(spec)).collect()
}

/// Whether a command is sent in a user's name.
fn is_of_user(spec: &CommandSpec) -> bool {
    kind(spec.name).is_some_and(|kind| kind.who() == Who::User)
}

fn unknown() -> Fault {
    Fault::Internal { reason: "a command of a type that the connector does not have".to_owned() }
}

#[async_trait]
impl Applier for Sender {
    async fn look(&self, command: &Command) -> Result<Evidence, ApplyFault> {
        match kind(command.spec.name) {
            Some(kind) => kind.look(self, command).await,
            None => Err(ApplyFault::NotApplied(unknown())),
        }
    }

    async fn apply(
        &self,
        command: &Command,
        before: &Evidence,
        permit: &Permit,
    ) -> Result<Answer, ApplyFault> {
        match kind(command.spec.name) {
            Some(kind) => kind.apply(self, command, before, permit).await,
            None => Err(ApplyFault::NotApplied(unknown())),
        }
    }

    async fn probe(
        &self,
        command: &Command,
        before: &Evidence,
        _sent_at_ms: i64,
    ) -> Result<Finding, Fault> {
        match kind(command.spec.name) {
            Some(kind) => kind.probe(self, command, before).await,
            None => Err(unknown()),
        }
    }
}
