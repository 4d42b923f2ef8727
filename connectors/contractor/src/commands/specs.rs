//! All commands.

use talon_sdk::CommandSpec;
use talon_sdk::action::{Actions, actions};

use super::action::{Action, Sent};
use super::line::{Expense, Material};
use super::lines::{Add, Delete, Patch};
use super::scene::Who;
use super::sender::Sender;
use super::{costs, create, jeopardies, messages, others, shared, statuses, tasks};

macro_rules! all {
    ($($action:ty),* $(,)?) => {
        /// All commands.
        pub(crate) static ACTIONS: Actions<Sender> = actions![$(Sent<$action>),*];

        /// In whose name a command is sent.
        pub(super) fn who(spec: &CommandSpec) -> Who {
            $(if <$action>::SPEC.name == spec.name {
                return <$action>::WHO;
            })*
            Who::Nobody
        }
    };
}

all![
    create::CreateCall,
    statuses::PatchCall,
    statuses::CloseCall,
    messages::SendDispatcherMessage,
    jeopardies::AnswerJeopardy,
    costs::ChangeCostApproval,
    statuses::SetCallStatus,
    messages::SendMessage,
    jeopardies::RaiseJeopardy,
    statuses::CreateTempLink,
    costs::CreateCost,
    Add<Expense>,
    Patch<Expense>,
    Delete<Expense>,
    Add<Material>,
    Patch<Material>,
    Delete<Material>,
    costs::SubmitCost,
    tasks::SetTaskStatus,
    tasks::AddTaskAttachment,
    others::ReadNotification,
    others::ReadAllNotifications,
    others::SetCostDeadlineDay,
    others::RegisterUser,
    others::ChangePassword,
    others::LockUser,
    shared::CompleteSharedCall,
];
