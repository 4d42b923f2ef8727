//! A call's status, deadlines and temporary link: `CloseCall`, `SetCallStatus`, `PatchCall`,
//! `CreateTempLink`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use talon_http::order::{Field, Order};
use talon_sdk::action::Unseen;
use talon_sdk::{Answer, ApplyFault, CommandSpec, Finding, Repeat};

use super::action::{Action, unseen};
use super::expect::Entity;
use super::keys::{CALL, STATUS};
use super::scene::{Scene, Who};
use super::sender::Sender;
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
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: STATUS,
        call: "POST /call/{id}/close",
        probe: "the call's status",
        ..CommandSpec::of("CloseCall", CALL, Repeat::Converges)
    };
    const WHO: Who = Who::External;
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
        Ok(Order::new(Self::SPEC.call, &[self.call_id]))
    }
}

#[derive(Deserialize)]
pub(super) struct SetCallStatus {
    call_id: i64,
    status: String,
    comments: Option<String>,
}

impl Action for SetCallStatus {
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: STATUS,
        call: "POST /call/{id}/status",
        probe: "the call's status, before and after",
        ..CommandSpec::of("SetCallStatus", CALL, Repeat::Converges)
    };
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
        Ok(Order::new(Self::SPEC.call, &[self.call_id]).json(&body))
    }
}

#[derive(Deserialize)]
pub(super) struct PatchCall {
    call_id: i64,
    resolution_due_at: Option<i64>,
    arrival_due_at: Option<i64>,
}

impl Action for PatchCall {
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: STATUS,
        call: "PATCH /call/{id}",
        probe: "not needed",
        ..CommandSpec::of("PatchCall", CALL, Repeat::Always)
    };
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
        Ok(Order::new(Self::SPEC.call, &[self.call_id]).json(&Json::Object(body)))
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
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: STATUS,
        call: "POST /call/{callId}/templink",
        probe: "impossible: links cannot be read",
        ..CommandSpec::of("CreateTempLink", CALL, Repeat::Never)
    };
    const WHO: Who = Who::User;
    unseen!("the upstream does not tell which temporary links there are");

    fn entity(&self) -> Entity {
        Entity::Call(self.call_id)
    }

    /// Who holds the link needs no sign-in.
    fn answer(sender: &Sender) -> &'static [Field] {
        if sender.publish_link { &[Field::Text(Some("link"))] } else { &[Field::Text(None)] }
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        Ok(Order::new(Self::SPEC.call, &[self.call_id]))
    }
}
