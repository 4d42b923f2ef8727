//! Messages of a call: `SendDispatcherMessage`, `SendMessage`.
//!
//! A message is read back from the feed of messages, from the highest mark before it was sent. It
//! has no id of the sender's choice, so it is told by what it says.

use serde::{Deserialize, Serialize};
use serde_json::json;
use talon_http::order::{Field, Order};
use talon_sdk::action::Unseen;
use talon_sdk::{Answer, ApplyFault, CommandSpec, Finding, Repeat, instant};

use super::action::Action;
use super::expect::Entity;
use super::keys::{CALL, STATUS};
use super::scene::{Modifications, Scene, Who};
use crate::client::Modified;

#[derive(Deserialize)]
pub(super) struct MessageRow {
    id: i64,
    #[serde(rename = "callId")]
    call_id: Option<i64>,
    date: Option<String>,
    message: Option<String>,
    owner: Option<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    name: Option<String>,
}

/// Where the feed stood before sending, and which messages just before that look like ours.
#[derive(Serialize, Deserialize)]
pub(super) struct FeedMark {
    pub(super) mark: i64,
    pub(super) alike: Vec<i64>,
}

/// Ids beyond this many say no more.
pub(super) const ALIKE_MAX: usize = 50;

/// How much a row is like what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// In everything that tells it.
    Same,
    /// In so much that it may be ours, changed by the upstream.
    Near,
    None,
}

/// What new rows say of one that was sent.
pub(super) fn judge_rows<T>(
    before: &FeedMark,
    now: &Modifications<T>,
    id: impl Fn(&T) -> i64,
    likeness: impl Fn(&T) -> Likeness,
) -> Finding {
    let new = || now.rows.iter().filter(|row| !before.alike.contains(&id(row)));
    let mut same: Vec<i64> = new().filter(|row| likeness(row) == Likeness::Same).map(&id).collect();
    same.sort_unstable();
    same.dedup();
    match same.as_slice() {
        [id] => Finding::Applied(found(*id)),
        [] if new().any(|row| likeness(row) == Likeness::Near) => Finding::Unclear(
            "there is a new one that differs a little from what was sent".to_owned(),
        ),
        [] if now.unreadable => Finding::Unclear("some of what is new cannot be read".to_owned()),
        [] => Finding::Absent,
        several => Finding::Unclear(format!(
            "there are {} new ones like it, and others may have made them",
            several.len()
        )),
    }
}

/// The answer that was not heard.
pub(super) fn found(id: i64) -> Answer {
    Answer {
        response: Some(json!({ "id": id }).to_string()),
        ..Answer::saying("read back: it is there")
    }
}

/// What to keep of a look.
pub(super) fn feed_mark<T>(
    seen: &Modifications<T>,
    id: impl Fn(&T) -> i64,
    likeness: impl Fn(&T) -> Likeness,
) -> FeedMark {
    let alike = seen.rows.iter().filter(|row| likeness(row) != Likeness::None).map(id);
    FeedMark { mark: seen.mark, alike: alike.take(ALIKE_MAX).collect() }
}

fn is_text(row: &MessageRow, text: &str) -> bool {
    row.message.as_deref().unwrap_or_default().trim() == text.trim()
}

#[derive(Deserialize)]
pub(super) struct SendDispatcherMessage {
    call_id: i64,
    written_at: i64,
    message: String,
}

impl SendDispatcherMessage {
    fn likeness(&self, scene: &Scene<'_>, row: &MessageRow) -> Likeness {
        if row.call_id != Some(self.call_id) || row.owner.is_some() {
            return Likeness::None;
        }
        let date = row.date.as_deref().and_then(|date| instant::micros(date, &scene.sender.zone));
        // The upstream may keep less of a second than was sent.
        let at = date.is_some_and(|date| date.abs_diff(self.written_at) < 1_000_000);
        match (is_text(row, &self.message), at) {
            (true, true) => Likeness::Same,
            (false, false) => Likeness::None,
            _ => Likeness::Near,
        }
    }
}

impl Action for SendDispatcherMessage {
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: STATUS,
        call: "POST /call/{id}/dispatcher/message",
        probe: "a new message without owner, with the same call, instant and text",
        ..CommandSpec::of("SendDispatcherMessage", CALL, Repeat::Never)
    };
    const WHO: Who = Who::External;
    const ANSWER: &'static [Field] = &[Field::Id("id")];
    type Seen = Modifications<MessageRow>;
    type Mark = FeedMark;

    fn entity(&self) -> Entity {
        Entity::Call(self.call_id)
    }

    async fn see(
        &self,
        scene: &Scene<'_>,
        before: Option<&FeedMark>,
    ) -> Result<Modifications<MessageRow>, Unseen> {
        scene.modified_since(Modified::Messages, before.map(|before| before.mark)).await
    }

    fn mark(&self, scene: &Scene<'_>, seen: Modifications<MessageRow>) -> FeedMark {
        feed_mark(&seen, |row| row.id, |row| self.likeness(scene, row))
    }

    fn judge(
        &self,
        scene: &Scene<'_>,
        before: &FeedMark,
        now: Modifications<MessageRow>,
    ) -> Finding {
        judge_rows(before, &now, |row| row.id, |row| self.likeness(scene, row))
    }

    async fn order(&self, scene: &Scene<'_>) -> Result<Order, ApplyFault> {
        let body = json!({ "date": scene.date(self.written_at)?, "message": self.message });
        Ok(Order::new(Self::SPEC.call, &[self.call_id]).json(&body))
    }
}

#[derive(Deserialize)]
pub(super) struct SendMessage {
    call_id: i64,
    message: String,
}

impl SendMessage {
    fn likeness(&self, scene: &Scene<'_>, row: &MessageRow) -> Likeness {
        let owner = row.owner.as_ref().and_then(|owner| owner.name.as_deref());
        let is_ours = row.call_id == Some(self.call_id) && owner == Some(scene.user_name());
        match is_ours && is_text(row, &self.message) {
            true => Likeness::Same,
            false => Likeness::None,
        }
    }
}

impl Action for SendMessage {
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: STATUS,
        call: "POST /call/{id}/message",
        probe: "a new message of the user with the same call and text",
        ..CommandSpec::of("SendMessage", CALL, Repeat::Never)
    };
    const WHO: Who = Who::User;
    // The reply nests the call and its owner with the hash of the password.
    const ANSWER: &'static [Field] = &[Field::Id("id"), Field::Instant("date")];
    type Seen = Modifications<MessageRow>;
    type Mark = FeedMark;

    fn entity(&self) -> Entity {
        Entity::Call(self.call_id)
    }

    async fn see(
        &self,
        scene: &Scene<'_>,
        before: Option<&FeedMark>,
    ) -> Result<Modifications<MessageRow>, Unseen> {
        scene.modified_since(Modified::Messages, before.map(|before| before.mark)).await
    }

    fn mark(&self, scene: &Scene<'_>, seen: Modifications<MessageRow>) -> FeedMark {
        feed_mark(&seen, |row| row.id, |row| self.likeness(scene, row))
    }

    fn judge(
        &self,
        scene: &Scene<'_>,
        before: &FeedMark,
        now: Modifications<MessageRow>,
    ) -> Finding {
        judge_rows(before, &now, |row| row.id, |row| self.likeness(scene, row))
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let body = json!({ "message": self.message });
        Ok(Order::new(Self::SPEC.call, &[self.call_id]).json(&body))
    }
}
