//! The cost estimate of a call as a whole: `CreateCost`, `SubmitCost`, `ChangeCostApproval`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use talon_http::order::Order;
use talon_sdk::action::Unseen;
use talon_sdk::{Answer, ApplyFault, CommandSpec, Finding, Repeat};

use super::action::Action;
use super::estimate::{Estimate, estimate};
use super::expect::Entity;
use super::keys::{CALL, COST_STATUS, STATUS};
use super::scene::{Scene, Who};
use super::statuses::{StatusMark, nothing_to_change};
use crate::entity::words;

#[derive(Deserialize)]
pub(super) struct CreateCost {
    call_id: i64,
}

impl Action for CreateCost {
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: STATUS,
        call: "POST /callCost/call/{callId}",
        probe: "whether there is an estimate",
        ..CommandSpec::of("CreateCost", CALL, Repeat::Converges)
    };
    const WHO: Who = Who::User;
    const CAN_BE_SO: bool = true;
    type Seen = Option<Estimate>;
    type Mark = bool;

    fn entity(&self) -> Entity {
        Entity::Call(self.call_id)
    }

    async fn see(&self, scene: &Scene<'_>, _: Option<&bool>) -> Result<Option<Estimate>, Unseen> {
        estimate(scene, self.call_id).await
    }

    /// Whether there was one.
    fn mark(&self, _: &Scene<'_>, seen: Option<Estimate>) -> bool {
        seen.is_some()
    }

    fn judge(&self, _: &Scene<'_>, _: &bool, now: Option<Estimate>) -> Finding {
        match now {
            Some(_) => Finding::Applied(Answer::saying("read back: there is an estimate")),
            None => Finding::Absent,
        }
    }

    fn is_so(&self, now: &Option<Estimate>) -> bool {
        now.is_some()
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        Ok(Order::new(Self::SPEC.call, &[self.call_id]))
    }
}

#[derive(Deserialize)]
pub(super) struct SubmitCost {
    call_id: i64,
}

impl Action for SubmitCost {
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: COST_STATUS,
        call: "POST /callCost/status/call/{callId}",
        probe: "whether the estimate is past Draft",
        ..CommandSpec::of("SubmitCost", CALL, Repeat::Converges)
    };
    const WHO: Who = Who::User;
    const CAN_BE_SO: bool = true;
    type Seen = Option<Estimate>;
    type Mark = StatusMark;

    fn entity(&self) -> Entity {
        Entity::Cost(self.call_id)
    }

    async fn see(
        &self,
        scene: &Scene<'_>,
        _: Option<&StatusMark>,
    ) -> Result<Option<Estimate>, Unseen> {
        estimate(scene, self.call_id).await
    }

    fn mark(&self, _: &Scene<'_>, seen: Option<Estimate>) -> StatusMark {
        let status = seen.and_then(|estimate| estimate.known_status());
        StatusMark { status: status.map(str::to_owned) }
    }

    fn judge(&self, _: &Scene<'_>, _: &StatusMark, now: Option<Estimate>) -> Finding {
        match now.map(|estimate| estimate.known_status()) {
            Some(Some("Draft")) => Finding::Absent,
            Some(Some(status)) => {
                Finding::Applied(Answer::saying(format!("read back: the estimate is `{status}`")))
            }
            Some(None) => {
                Finding::Unclear("the status of the estimate is none that is documented".to_owned())
            }
            None => Finding::Unclear("there is no estimate".to_owned()),
        }
    }

    fn is_so(&self, now: &Option<Estimate>) -> bool {
        let status = now.as_ref().and_then(Estimate::known_status);
        matches!(status, Some("InProgress" | "Processed"))
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        Ok(Order::new(Self::SPEC.call, &[self.call_id]))
    }
}

#[derive(Deserialize)]
pub(super) struct ChangeCostApproval {
    call_id: i64,
    expenses: BTreeMap<String, String>,
    materials: BTreeMap<String, String>,
}

/// The statuses of the lines that the command is about, before sending. Only documented ones.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ApprovalMark {
    expenses: BTreeMap<i64, Option<String>>,
    materials: BTreeMap<i64, Option<String>>,
}

impl ChangeCostApproval {
    fn statuses(&self, estimate: &Estimate) -> ApprovalMark {
        fn of<'r>(
            wanted: &BTreeMap<String, String>,
            lines: impl Iterator<Item = (i64, &'r Option<String>)>,
        ) -> BTreeMap<i64, Option<String>> {
            let known = |status: &Option<String>| {
                status.clone().filter(|status| words::ITEM_STATUS.contains(&status.as_str()))
            };
            lines
                .filter(|(id, _)| wanted.contains_key(&id.to_string()))
                .map(|(id, status)| (id, known(status)))
                .collect()
        }
        ApprovalMark {
            expenses: of(&self.expenses, estimate.expenses.iter().map(|row| (row.id, &row.status))),
            materials: of(
                &self.materials,
                estimate.materials.iter().map(|row| (row.id, &row.status)),
            ),
        }
    }

    fn holds_in(&self, now: &ApprovalMark) -> bool {
        let holds = |wanted: &BTreeMap<String, String>, now: &BTreeMap<i64, Option<String>>| {
            wanted.iter().all(|(id, status)| {
                let id = id.parse::<i64>().ok();
                id.and_then(|id| now.get(&id)).is_some_and(|now| now.as_ref() == Some(status))
            })
        };
        holds(&self.expenses, &now.expenses) && holds(&self.materials, &now.materials)
    }
}

impl Action for ChangeCostApproval {
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: COST_STATUS,
        call: "PATCH /callCost/call/{callId}/changeApprovalStatus",
        probe: "the status of each line, before and after",
        ..CommandSpec::of("ChangeCostApproval", CALL, Repeat::Converges)
    };
    const WHO: Who = Who::External;
    const CAN_BE_SO: bool = true;
    type Seen = Option<Estimate>;
    type Mark = Option<ApprovalMark>;

    fn entity(&self) -> Entity {
        Entity::Cost(self.call_id)
    }

    async fn see(
        &self,
        scene: &Scene<'_>,
        _: Option<&Option<ApprovalMark>>,
    ) -> Result<Option<Estimate>, Unseen> {
        estimate(scene, self.call_id).await
    }

    fn mark(&self, _: &Scene<'_>, seen: Option<Estimate>) -> Option<ApprovalMark> {
        seen.map(|estimate| self.statuses(&estimate))
    }

    fn judge(
        &self,
        _: &Scene<'_>,
        before: &Option<ApprovalMark>,
        now: Option<Estimate>,
    ) -> Finding {
        let now = now.map(|estimate| self.statuses(&estimate));
        match &now {
            Some(now) if self.holds_in(now) => {
                Finding::Applied(Answer::saying("read back: the lines have the statuses"))
            }
            _ if now == *before => Finding::Absent,
            _ => Finding::Unclear(
                "the lines have neither the statuses they had nor those they should have"
                    .to_owned(),
            ),
        }
    }

    fn is_so(&self, now: &Option<Estimate>) -> bool {
        now.as_ref().is_some_and(|estimate| self.holds_in(&self.statuses(estimate)))
    }

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let mut ids = self.expenses.keys().chain(self.materials.keys());
        if ids.clone().next().is_none() {
            return Err(nothing_to_change());
        }
        // As the upstream writes them, or the line would not be found when it is read back.
        if !ids.all(|id| id.parse::<i64>().is_ok_and(|number| number.to_string() == *id)) {
            return Err(ApplyFault::Refused(Answer::saying(
                "`params.expenses` and `params.materials` are keyed by ids, whole numbers",
            )));
        }
        let body = json!({ "expenses": self.expenses, "materials": self.materials });
        let endpoint = Self::SPEC.call;
        Ok(Order::new(endpoint, &[self.call_id]).json(&body))
    }
}
