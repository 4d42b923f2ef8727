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
mod expect;
mod jeopardies;
mod line;
mod lines;
mod messages;
mod others;
mod scene;
mod shared;
mod specs;
mod statuses;
mod tasks;

use std::collections::BTreeMap;
use std::marker::PhantomData;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use talon_sdk::{Answer, Applier, ApplyFault, Command, Context, Evidence, Fault, Finding, Permit};

use self::action::{Kind, Typed};
use self::attachments::Attachments;
use self::config::{CommandConfig, Marker};
use self::line::{Expense, Material};
use self::lines::{Add, Delete, Patch};
pub(crate) use self::specs::SPECS;
use crate::client::Upstream;
use crate::session::Session;

/// Sends the commands of one instance.
pub(crate) struct Sender {
    upstream: Upstream,
    users: Users,
    zone: TimeZone,
    overlap: i64,
    marker: Marker,
    publish_link: bool,
    attachments: Attachments,
}

/// The sessions of the configured users.
struct Users {
    main: Option<Session>,
    named: BTreeMap<String, Session>,
}

impl Users {
    fn find(&self, name: Option<&str>) -> Option<&Session> {
        match name {
            None => self.main.as_ref(),
            Some(name) => self.named.get(name),
        }
    }
}

impl Sender {
    pub(crate) fn new(
        upstream: Upstream,
        config: &crate::config::Config,
        context: &Context,
    ) -> Sender {
        let CommandConfig { accounts, form, marker, publish_link, limits, .. } = &config.commands;
        let upstream = upstream.for_commands();
        let session =
            |account: &_| Session::new(upstream.http.clone(), Clone::clone(account), form.clone());
        let named = accounts.named.iter();
        Sender {
            users: Users {
                main: accounts.main.as_ref().map(session),
                named: named.map(|(name, account)| (name.clone(), session(account))).collect(),
            },
            zone: config.zone.clone(),
            overlap: config.overlap,
            marker: *marker,
            publish_link: *publish_link,
            attachments: Attachments {
                limits: limits.clone(),
                http: config.http.clone(),
                context: context.clone(),
            },
            upstream,
        }
    }
}

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
