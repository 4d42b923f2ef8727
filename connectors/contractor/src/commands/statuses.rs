//! A call's status, deadlines and temporary link: `CloseCall`, `SetCallStatus`, `PatchCall`,
//! `CreateTempLink`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use talon_sdk::{Answer, ApplyFault, Finding};

use super::action::{Action, unseen};
use super::answer::Field;
use super::expect::Entity;
use super::scene::{Order, Scene, Unseen, Who};
use crate::entity::words;

/// Something with a status.
#[derive(Deserialize)]
pub(super) struct Standing {
    status: Option<String>,
}

impl Standing {
    /// The status, if it is one of the document's.
    pub(super) fn known(&self, known: &'static [&'static str]) -> Option<&'static str> {
        known.iter().find(|word| self.status.as_deref() == Some(**word)).copied()
    }
}

/// A status before sending; `None` is one that the document does not know.
#[derive(Serialize, Deserialize)]
pub(super) struct StatusMark {
    pub(super) status: Option<String>,
}

/// What a change of status came to.
pub(super) fn judge_status(before: &StatusMark, now: Option<&str>, wanted: &str) -> Finding {
    match now {
        Some(now) if now == wanted => {
            Finding::Applied(Answer::saying(format!("read back: the status is `{now}`")))
        }
        Some(now) if before.status.as_deref() == Some(now) => Finding::Absent,
        Some(now) => Finding::Unclear(format!(
            "the status is `{now}` now: neither what it was nor `{wanted}`"
        )),
        None => Finding::Unclear("the status is none that is documented".to_owned()),
    }
}

pub(super) async fn call(scene: &Scene<'_>, call_id: i64) -> Result<Standing, Unseen> {
    let order = Order::new("GET /call/{id}", &[call_id]);
    scene.read_existing(Who::External, order, "there is no such call").await
}

#[derive(Deserialize)]
pub(super) struct CloseCall {
    call_id: i64,
}

impl Action for CloseCall {
    const WHO: Who = Who::External;
    const ANSWER: &'static [Field] = &[];
    const CAN_BE_SO: bool = true;
    type Seen = Standing;
    type Mark = StatusMark;

    fn entity(&self) -> Entity {
        Entity::Call(self.call_id)
    }

    async fn see(&self, scene: &Scene<'_>, _: Option<&StatusMark>) -> Result<Standing, Unseen> {
        call(scene, self.call_id).await
    }

    fn mark(&self, _: &Scene<'_>, seen: Standing) -> StatusMark {
        StatusMark { status: seen.known(words::CALL_STATUS).map(str::to_owned) }
    }

    fn judge(&self, _: &Scene<'_>, before: &StatusMark, now: Standing) -> Finding {
        judge_status(before, now.known(words::CALL_STATUS), "Closed")
    }

    fn is_so(&self, now: &Standing) -> bool {
        now.known(words::CALL_STATUS) == Some("Closed")
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        Ok(Order::new("POST /call/{id}/close", &[self.call_id]))
    }
}

#[derive(Deserialize)]
pub(super) struct SetCallStatus {
    call_id: i64,
    status: String,
    comments: Option<String>,
}

impl Action for SetCallStatus {
    const WHO: Who = Who::User;
    const ANSWER: &'static [Field] = &[Field::Instant("commited"), Field::Instant("finished")];
    const CAN_BE_SO: bool = true;
    type Seen = Standing;
    type Mark = StatusMark;

    fn entity(&self) -> Entity {
        Entity::Call(self.call_id)
    }

    async fn see(&self, scene: &Scene<'_>, _: Option<&StatusMark>) -> Result<Standing, Unseen> {
        call(scene, self.call_id).await
    }

    fn mark(&self, _: &Scene<'_>, seen: Standing) -> StatusMark {
        StatusMark { status: seen.known(words::CALL_STATUS).map(str::to_owned) }
    }

    fn judge(&self, _: &Scene<'_>, before: &StatusMark, now: Standing) -> Finding {
        judge_status(before, now.known(words::CALL_STATUS), &self.status)
    }

    fn is_so(&self, now: &Standing) -> bool {
        now.known(words::CALL_STATUS) == Some(&self.status)
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let mut body = json!({ "status": self.status });
        if let Some(comments) = &self.comments {
            body["comments"] = json!(comments);
        }
        Ok(Order::new("POST /call/{id}/status", &[self.call_id]).json(&body))
    }
}

#[derive(Deserialize)]
pub(super) struct PatchCall {
    call_id: i64,
    resolution_due_at: Option<i64>,
    arrival_due_at: Option<i64>,
}

impl Action for PatchCall {
    const WHO: Who = Who::External;
    const ANSWER: &'static [Field] = &[Field::Itself("id")];
    unseen!("deadlines are set again rather than read back");

    fn entity(&self) -> Entity {
        Entity::Call(self.call_id)
    }

    async fn order(&self, scene: &Scene<'_>) -> Result<Order, ApplyFault> {
        let mut body = Map::new();
        for (name, instant) in [("ttf", self.resolution_due_at), ("tto", self.arrival_due_at)] {
            if let Some(instant) = instant {
                body.insert(name.to_owned(), scene.date(instant)?.into());
            }
        }
        if body.is_empty() {
            return Err(nothing_to_change());
        }
        Ok(Order::new("PATCH /call/{id}", &[self.call_id]).json(&Json::Object(body)))
    }
}

pub(super) fn nothing_to_change() -> ApplyFault {
    ApplyFault::Refused(Answer::saying("there is nothing to change: no parameter but ids is given"))
}

#[derive(Deserialize)]
pub(super) struct CreateTempLink {
    call_id: i64,
}

impl Action for CreateTempLink {
    const WHO: Who = Who::User;
    const ANSWER: &'static [Field] = &[Field::Link];
    unseen!("the upstream does not tell which temporary links there are");

    fn entity(&self) -> Entity {
        Entity::Call(self.call_id)
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        Ok(Order::new("POST /call/{callId}/templink", &[self.call_id]))
    }
}
