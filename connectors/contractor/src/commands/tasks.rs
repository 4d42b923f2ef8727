//! Tasks of a call: `SetTaskStatus`, `AddTaskAttachment`.

use serde::{Deserialize, Serialize};
use serde_json::json;
use talon_http::order::{Field, Order};
use talon_sdk::action::Unseen;
use talon_sdk::{ApplyFault, CommandSpec, Finding, Repeat};

use super::action::Action;
use super::expect::Entity;
use super::keys::{STATUS, TASK};
use super::messages::found;
use super::scene::{Scene, Who};
use super::statuses::{Standing, StatusMark, judge_status};
use crate::entity::words;

#[derive(Deserialize)]
pub(super) struct SetTaskStatus {
    task_id: i64,
    status: String,
}

impl Action for SetTaskStatus {
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: STATUS,
        call: "POST /calltask/{id}/status",
        probe: "the task's status, before and after",
        ..CommandSpec::of("SetTaskStatus", TASK, Repeat::Converges)
    };
    const WHO: Who = Who::User;
    const CAN_BE_SO: bool = true;
    type Seen = Standing;
    type Mark = StatusMark;

    fn entity(&self) -> Entity {
        Entity::Task(self.task_id)
    }

    async fn see(&self, scene: &Scene<'_>, _: Option<&StatusMark>) -> Result<Standing, Unseen> {
        let order = Order::new("GET /calltask/{id}", &[self.task_id]);
        scene.read_existing(Who::External, order, "there is no such task").await
    }

    fn mark(&self, _: &Scene<'_>, seen: Standing) -> StatusMark {
        StatusMark { status: seen.known(words::TASK_STATUS).map(str::to_owned) }
    }

    fn judge(&self, _: &Scene<'_>, before: &StatusMark, now: Standing) -> Finding {
        judge_status(before, now.known(words::TASK_STATUS), &self.status)
    }

    fn is_so(&self, now: &Standing) -> bool {
        now.known(words::TASK_STATUS) == Some(&self.status)
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let body = json!({ "status": self.status });
        Ok(Order::new(Self::SPEC.call, &[self.task_id]).json(&body))
    }
}

#[derive(Deserialize)]
pub(super) struct AddTaskAttachment {
    task_id: i64,
    name: String,
    /// Base64.
    content: Option<String>,
    reference: Option<String>,
}

#[derive(Deserialize)]
struct TaskResult {
    attachments: Option<Vec<File>>,
}

#[derive(Deserialize)]
pub(super) struct File {
    id: i64,
    name: Option<String>,
}

/// Ids of the files before sending.
#[derive(Serialize, Deserialize)]
pub(super) struct FilesMark {
    files: Vec<i64>,
}

impl Action for AddTaskAttachment {
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: STATUS,
        call: "POST /calltask/{id}/attachment",
        probe: "a new file of the task with the same name",
        ..CommandSpec::of("AddTaskAttachment", TASK, Repeat::Never)
    };
    const WHO: Who = Who::User;
    const ANSWER: &'static [Field] =
        &[Field::Id("id"), Field::Token("type"), Field::Instant("downloaded")];
    type Seen = Vec<File>;
    type Mark = FilesMark;

    fn entity(&self) -> Entity {
        Entity::Task(self.task_id)
    }

    /// The one thing that a user can read back without the external system: the task's result. A task
    /// that is not done has none, and no files.
    async fn see(&self, scene: &Scene<'_>, _: Option<&FilesMark>) -> Result<Vec<File>, Unseen> {
        let order = Order::new("GET /calltask/{id}/result", &[self.task_id]);
        let result: Option<TaskResult> = scene.read(Who::User, order).await?;
        Ok(result.and_then(|result| result.attachments).unwrap_or_default())
    }

    fn mark(&self, _: &Scene<'_>, seen: Vec<File>) -> FilesMark {
        FilesMark { files: seen.into_iter().map(|file| file.id).collect() }
    }

    fn judge(&self, _: &Scene<'_>, before: &FilesMark, now: Vec<File>) -> Finding {
        let new = now.iter().filter(|file| !before.files.contains(&file.id));
        let is_ours = |file: &&File| {
            let name = file.name.as_deref().unwrap_or_default();
            name.trim().to_lowercase() == self.name.trim().to_lowercase()
        };
        let ours: Vec<i64> = new.filter(is_ours).map(|file| file.id).collect();
        match ours.as_slice() {
            [] => Finding::Absent,
            [id] => Finding::Applied(found(*id)),
            _ => Finding::Unclear("there are several new files of this name".to_owned()),
        }
    }

    async fn order(&self, scene: &Scene<'_>) -> Result<Order, ApplyFault> {
        let bytes = scene
            .sender
            .attachments
            .bytes(&self.name, self.content.as_deref(), self.reference.as_deref())
            .await?;
        let order = Order::new(Self::SPEC.call, &[self.task_id]);
        Ok(order.file("Attachment", self.name.clone(), bytes))
    }
}
