//! Jeopardies of a call: `RaiseJeopardy`, `AnswerJeopardy`.

use serde::{Deserialize, Serialize};
use serde_json::json;
use talon_http::order::{Field, Order};
use talon_sdk::action::Unseen;
use talon_sdk::{Answer, ApplyFault, CommandSpec, Finding, Repeat};

use super::action::Action;
use super::expect::Entity;
use super::keys::{CALL, STATUS};
use super::messages::found;
use super::scene::{Scene, Who};

#[derive(Deserialize)]
pub(super) struct CallRow {
    jeopardies: Option<Vec<Jeopardy>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Jeopardy {
    id: i64,
    comment: Option<String>,
    answer_date: Option<String>,
    answer_comment: Option<String>,
}

impl CallRow {
    fn all(&self) -> impl Iterator<Item = &Jeopardy> {
        self.jeopardies.iter().flatten()
    }
}

/// Ids of jeopardies before sending.
#[derive(Serialize, Deserialize)]
pub(super) struct JeopardyMark {
    jeopardies: Vec<i64>,
}

async fn call(scene: &Scene<'_>, call_id: i64) -> Result<CallRow, Unseen> {
    let order = Order::new("GET /call/{id}", &[call_id]);
    scene.read_existing(Who::External, order, "there is no such call").await
}

fn is_text(found: Option<&String>, sent: &str) -> bool {
    found.is_some_and(|found| found.trim() == sent.trim())
}

#[derive(Deserialize)]
pub(super) struct RaiseJeopardy {
    call_id: i64,
    comment: String,
}

impl Action for RaiseJeopardy {
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: STATUS,
        call: "POST /call/{id}/jeopardy",
        probe: "a new jeopardy of the call with the same text",
        ..CommandSpec::of("RaiseJeopardy", CALL, Repeat::Never)
    };
    const WHO: Who = Who::User;
    const ANSWER: &'static [Field] = &[Field::Id("id"), Field::Instant("date")];
    const CAN_BE_SO: bool = true;
    type Seen = CallRow;
    type Mark = JeopardyMark;

    fn entity(&self) -> Entity {
        Entity::Call(self.call_id)
    }

    async fn see(&self, scene: &Scene<'_>, _: Option<&JeopardyMark>) -> Result<CallRow, Unseen> {
        call(scene, self.call_id).await
    }

    fn mark(&self, _: &Scene<'_>, seen: CallRow) -> JeopardyMark {
        JeopardyMark { jeopardies: seen.all().map(|one| one.id).collect() }
    }

    fn judge(&self, _: &Scene<'_>, before: &JeopardyMark, now: CallRow) -> Finding {
        let new = now.all().filter(|one| !before.jeopardies.contains(&one.id));
        let ours: Vec<i64> = new
            .filter(|one| is_text(one.comment.as_ref(), &self.comment))
            .map(|one| one.id)
            .collect();
        match ours.as_slice() {
            [] => Finding::Absent,
            [id] => Finding::Applied(found(*id)),
            _ => Finding::Unclear("there are several new ones with the same text".to_owned()),
        }
    }

    fn is_so(&self, now: &CallRow) -> bool {
        let mut open = now.all().filter(|one| one.answer_date.is_none());
        open.any(|one| is_text(one.comment.as_ref(), &self.comment))
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let body = json!({ "comment": self.comment });
        Ok(Order::new(Self::SPEC.call, &[self.call_id]).json(&body))
    }
}

#[derive(Deserialize)]
pub(super) struct AnswerJeopardy {
    call_id: i64,
    answer_comment: String,
}

impl Action for AnswerJeopardy {
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: STATUS,
        call: "POST /call/{id}/unjeopardy",
        probe: "the jeopardy that was open, now answered with the same text",
        ..CommandSpec::of("AnswerJeopardy", CALL, Repeat::Never)
    };
    const WHO: Who = Who::External;
    const ANSWER: &'static [Field] = &[Field::Instant("answerDate")];
    type Seen = CallRow;
    type Mark = JeopardyMark;

    fn entity(&self) -> Entity {
        Entity::Call(self.call_id)
    }

    async fn see(&self, scene: &Scene<'_>, _: Option<&JeopardyMark>) -> Result<CallRow, Unseen> {
        call(scene, self.call_id).await
    }

    /// Those that are open.
    fn mark(&self, _: &Scene<'_>, seen: CallRow) -> JeopardyMark {
        let open = seen.all().filter(|one| one.answer_date.is_none());
        JeopardyMark { jeopardies: open.map(|one| one.id).collect() }
    }

    fn judge(&self, _: &Scene<'_>, before: &JeopardyMark, now: CallRow) -> Finding {
        let unclear = |why: &str| Finding::Unclear(why.to_owned());
        if before.jeopardies.is_empty() {
            return unclear("no jeopardy was open before it was sent");
        }
        let those = || now.all().filter(|one| before.jeopardies.contains(&one.id));
        if those().count() < before.jeopardies.len() {
            return unclear("the jeopardy that was open is not there any more");
        }
        let mut answered = those().filter(|one| one.answer_date.is_some());
        let Some(first) = answered.next() else { return Finding::Absent };
        let ours = std::iter::once(first)
            .chain(answered)
            .any(|one| is_text(one.answer_comment.as_ref(), &self.answer_comment));
        match ours {
            true => Finding::Applied(Answer::saying("read back: it is answered with this text")),
            // To send it again might answer another jeopardy.
            false => unclear("the jeopardy is answered with another text"),
        }
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let body = json!({ "answerComment": self.answer_comment });
        Ok(Order::new(Self::SPEC.call, &[self.call_id]).json(&body))
    }
}
