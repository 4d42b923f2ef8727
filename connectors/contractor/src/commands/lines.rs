//! Lines of a cost estimate: `AddExpense`, `PatchExpense`, `DeleteExpense`, and the same of
//! materials.
//!
//! The two kinds of lines differ in their fields only, so `line.rs` says what those are, and the
//! three commands are written once.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use talon_http::order::{Field, Order};
use talon_sdk::action::Unseen;
use talon_sdk::{Answer, ApplyFault, CommandSpec, Finding};

use super::action::Action;
use super::estimate::{Estimate, estimate};
use super::expect::Entity;
use super::line::{Line, has};
use super::messages::found;
use super::scene::{Scene, Who};
use super::statuses::nothing_to_change;

/// Ids of the lines before sending.
#[derive(Serialize, Deserialize)]
pub(super) struct LinesMark {
    lines: Vec<i64>,
}

#[derive(Deserialize)]
#[serde(bound = "")]
pub(super) struct Add<L: Line> {
    call_id: i64,
    #[serde(flatten)]
    given: L::Given,
}

impl<L: Line> Action for Add<L> {
    const SPEC: &'static CommandSpec = L::ADD;
    const WHO: Who = Who::User;
    const ANSWER: &'static [Field] = &[Field::Id("id")];
    type Seen = Option<Estimate>;
    type Mark = LinesMark;

    fn entity(&self) -> Entity {
        Entity::Cost(self.call_id)
    }

    async fn see(
        &self,
        scene: &Scene<'_>,
        _: Option<&LinesMark>,
    ) -> Result<Option<Estimate>, Unseen> {
        estimate(scene, self.call_id).await
    }

    fn mark(&self, _: &Scene<'_>, seen: Option<Estimate>) -> LinesMark {
        let lines = seen.map(|estimate| L::all(&estimate)).unwrap_or_default();
        LinesMark { lines: lines.into_iter().map(|(id, _)| id).collect() }
    }

    fn judge(&self, _: &Scene<'_>, before: &LinesMark, now: Option<Estimate>) -> Finding {
        let lines = now.map(|estimate| L::all(&estimate)).unwrap_or_default();
        let new = || lines.iter().filter(|(id, _)| !before.lines.contains(id));
        let given = L::given(&self.given);
        let same: Vec<i64> =
            new().filter(|(_, line)| has(line, &given, |_| true)).map(|(id, _)| *id).collect();
        match same.as_slice() {
            [id] => Finding::Applied(found(*id)),
            [] if new().any(|(_, line)| has(line, &given, |name| L::NAMED_BY.contains(&name))) => {
                Finding::Unclear(
                    "there is a new line that differs a little from what was sent".to_owned(),
                )
            }
            [] => Finding::Absent,
            several => Finding::Unclear(format!(
                "there are {} new lines with the same content",
                several.len()
            )),
        }
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let given = L::given(&self.given);
        if given.len() < L::FIELDS {
            return Err(ApplyFault::Refused(Answer::saying("a new line needs all its fields")));
        }
        Ok(Order::new(Self::SPEC.call, &[self.call_id]).json(&Json::Object(given)))
    }
}

#[derive(Deserialize)]
#[serde(bound = "")]
pub(super) struct Patch<L: Line> {
    call_id: i64,
    #[serde(alias = "expense_id", alias = "material_id")]
    line_id: i64,
    #[serde(flatten)]
    given: L::Given,
}

/// What a line was before sending, as a hash; `None` where it was not there.
#[derive(Serialize, Deserialize)]
pub(super) struct LineMark {
    line: Option<String>,
}

fn find<L: Line>(estimate: Option<&Estimate>, id: i64) -> Option<Map<String, Json>> {
    let lines = estimate.map(L::all).unwrap_or_default();
    lines.into_iter().find(|(line, _)| *line == id).map(|(_, content)| content)
}

fn hash(line: &Map<String, Json>) -> String {
    let text = Json::Object(line.clone()).to_string();
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl<L: Line> Action for Patch<L> {
    const SPEC: &'static CommandSpec = L::PATCH;
    const WHO: Who = Who::User;
    const CAN_BE_SO: bool = true;
    type Seen = Option<Estimate>;
    type Mark = LineMark;

    fn entity(&self) -> Entity {
        Entity::Cost(self.call_id)
    }

    async fn see(
        &self,
        scene: &Scene<'_>,
        _: Option<&LineMark>,
    ) -> Result<Option<Estimate>, Unseen> {
        estimate(scene, self.call_id).await
    }

    fn mark(&self, _: &Scene<'_>, seen: Option<Estimate>) -> LineMark {
        LineMark { line: find::<L>(seen.as_ref(), self.line_id).as_ref().map(hash) }
    }

    fn judge(&self, _: &Scene<'_>, before: &LineMark, now: Option<Estimate>) -> Finding {
        match find::<L>(now.as_ref(), self.line_id) {
            Some(line) if has(&line, &L::given(&self.given), |_| true) => {
                Finding::Applied(Answer::saying("read back: the line is as it should be"))
            }
            line if line.as_ref().map(hash) == before.line => Finding::Absent,
            _ => {
                Finding::Unclear("the line is neither what it was nor what it should be".to_owned())
            }
        }
    }

    fn is_so(&self, now: &Option<Estimate>) -> bool {
        find::<L>(now.as_ref(), self.line_id)
            .is_some_and(|line| has(&line, &L::given(&self.given), |_| true))
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let given = L::given(&self.given);
        if given.is_empty() {
            return Err(nothing_to_change());
        }
        Ok(Order::new(Self::SPEC.call, &[self.call_id, self.line_id]).json(&Json::Object(given)))
    }
}

#[derive(Deserialize)]
#[serde(bound = "")]
pub(super) struct Delete<L: Line> {
    call_id: i64,
    #[serde(alias = "expense_id", alias = "material_id")]
    line_id: i64,
    #[serde(skip)]
    line: PhantomData<fn() -> L>,
}

impl<L: Line> Action for Delete<L> {
    const SPEC: &'static CommandSpec = L::DELETE;
    const WHO: Who = Who::User;
    type Seen = Option<Estimate>;
    /// Whether the line was there.
    type Mark = bool;

    fn entity(&self) -> Entity {
        Entity::Cost(self.call_id)
    }

    async fn see(&self, scene: &Scene<'_>, _: Option<&bool>) -> Result<Option<Estimate>, Unseen> {
        estimate(scene, self.call_id).await
    }

    fn mark(&self, _: &Scene<'_>, seen: Option<Estimate>) -> bool {
        find::<L>(seen.as_ref(), self.line_id).is_some()
    }

    fn judge(&self, _: &Scene<'_>, before: &bool, now: Option<Estimate>) -> Finding {
        match (before, &now, find::<L>(now.as_ref(), self.line_id)) {
            (_, _, Some(_)) => Finding::Absent,
            (true, Some(_), None) => {
                Finding::Applied(Answer::saying("read back: the line is not there any more"))
            }
            (true, None, None) => Finding::Unclear("there is no estimate any more".to_owned()),
            (false, _, None) => {
                Finding::Unclear("the line was not there before it was sent either".to_owned())
            }
        }
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        Ok(Order::new(Self::SPEC.call, &[self.call_id, self.line_id]))
    }
}
