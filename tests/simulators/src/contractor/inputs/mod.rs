//! What clients send, under the names of the document's definitions.

mod body;
mod costs;
mod users;

use std::sync::Arc;

use serde::Deserialize;

use super::dates;
use super::model::{CallStatus, TaskStatus};

pub(super) use self::body::{Input, read};
pub(super) use self::costs::{Approval, NewExpense, NewMaterial, PatchExpense, PatchMaterial};
pub(super) use self::users::{NewPassword, NewUser, SignIn};

/// The longest comment or message, in characters.
const LONGEST_TEXT: usize = 2000;

fn is_date(text: &str) -> bool {
    dates::instant(text).is_some()
}

fn is_optional_date(text: Option<&String>) -> bool {
    text.is_none_or(|text| is_date(text))
}

/// A required string: not empty, and not longer than the bound.
fn is_text(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= LONGEST_TEXT
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Titled {
    pub(super) title: String,
}

/// `CallInputDTO`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallInput {
    pub(super) available_expenditure_items: Vec<Named>,
    pub(super) client_name: String,
    pub(super) contact_person_email: Option<String>,
    pub(super) contact_person_name: Option<String>,
    pub(super) contact_person_phone: Option<String>,
    pub(super) created: String,
    #[serde(default)]
    pub(super) critical: Option<bool>,
    pub(super) description_html_text: Arc<str>,
    pub(super) description_text_for_field_employee: String,
    pub(super) owner_id: i64,
    pub(super) service_object_address: String,
    pub(super) service_object_latitude: f64,
    pub(super) service_object_longitude: f64,
    pub(super) service_object_name: String,
    pub(super) service_object_type: Option<String>,
    pub(super) tasks: Vec<Titled>,
    pub(super) ttf: Option<String>,
    pub(super) tto: Option<String>,
}

impl Input for CallInput {
    fn is_valid(&self) -> bool {
        let required = [
            &self.client_name,
            &self.service_object_name,
            &self.service_object_address,
            &self.description_text_for_field_employee,
        ];
        required.iter().all(|text| !text.is_empty())
            && !self.description_html_text.is_empty()
            && self.tasks.iter().all(|task| !task.title.is_empty())
            && is_date(&self.created)
            && is_optional_date(self.ttf.as_ref())
            && is_optional_date(self.tto.as_ref())
    }
}

/// `PatchCallInputDTO`
#[derive(Debug, Deserialize)]
pub(super) struct PatchCall {
    pub(super) ttf: Option<String>,
    pub(super) tto: Option<String>,
}

impl Input for PatchCall {
    fn is_valid(&self) -> bool {
        is_optional_date(self.ttf.as_ref()) && is_optional_date(self.tto.as_ref())
    }
}

/// `PostExternalCallMessageInputDTO`
#[derive(Debug, Deserialize)]
pub(super) struct DispatcherMessage {
    pub(super) date: String,
    pub(super) message: String,
}

impl Input for DispatcherMessage {
    fn is_valid(&self) -> bool {
        is_date(&self.date) && is_text(&self.message)
    }
}

/// `PostCallMessageInputDTO`
#[derive(Debug, Deserialize)]
pub(super) struct UserMessage {
    pub(super) message: String,
}

impl Input for UserMessage {
    fn is_valid(&self) -> bool {
        is_text(&self.message)
    }
}

/// `PostCallJeopardyInputDTO`
#[derive(Debug, Deserialize)]
pub(super) struct Jeopardy {
    pub(super) comment: String,
}

impl Input for Jeopardy {
    fn is_valid(&self) -> bool {
        is_text(&self.comment)
    }
}

/// `PostExternalCallJeopardyInputDTO`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JeopardyAnswer {
    pub(super) answer_comment: String,
}

impl Input for JeopardyAnswer {
    fn is_valid(&self) -> bool {
        is_text(&self.answer_comment)
    }
}

/// `CallStatusInputDTO`; an empty comment is for the operation to refuse, with code 6.
#[derive(Debug, Deserialize)]
pub(super) struct NewCallStatus {
    pub(super) status: CallStatus,
    pub(super) comments: Option<String>,
}

impl Input for NewCallStatus {
    fn is_valid(&self) -> bool {
        true
    }
}

/// `CallTaskStatusInputDTO`
#[derive(Debug, Deserialize)]
pub(super) struct NewTaskStatus {
    pub(super) status: TaskStatus,
}

impl Input for NewTaskStatus {
    fn is_valid(&self) -> bool {
        true
    }
}

/// `PostCallResultDTO`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallResult {
    pub(super) comments: String,
    pub(super) call_task_results: Option<Vec<TaskOutcome>>,
    pub(super) expenses: Option<Vec<NewExpense>>,
    pub(super) materials: Option<Vec<NewMaterial>>,
}

impl Input for CallResult {
    fn is_valid(&self) -> bool {
        !self.comments.is_empty()
            && self.expenses.iter().flatten().all(Input::is_valid)
            && self.materials.iter().flatten().all(Input::is_valid)
    }
}

/// `PostCallTaskItemDTO`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskOutcome {
    pub(super) task_id: i64,
    pub(super) new_status: TaskStatus,
}

/// `PatchSystemSettingsInputDTO`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SystemSettings {
    pub(super) call_cost_deadline_day_of_month: Option<i8>,
}

impl Input for SystemSettings {
    fn is_valid(&self) -> bool {
        self.call_cost_deadline_day_of_month.is_none_or(|day| (1..=28).contains(&day))
    }
}
