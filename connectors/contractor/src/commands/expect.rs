//! `expect`: what must hold of an entity before a command is sent.

use serde::Deserialize;
use talon_http::order::Order;
use talon_sdk::action::Unseen;
use talon_sdk::{Answer, ApplyFault, Fault};

use super::scene::{Scene, Who};
use crate::entity::words;

/// What `expect` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entity {
    /// `expect` must not be given.
    None,
    /// A call: `status`.
    Call(i64),
    /// The estimate of a call: `cost_status`; `None` as text where there is none.
    Cost(i64),
    /// A task: `status`.
    Task(i64),
}

#[derive(Deserialize)]
struct Row {
    status: Option<String>,
}

/// Reads the entity where something is expected of it, and compares.
pub(super) async fn check(scene: &Scene<'_>, entity: Entity) -> Result<(), ApplyFault> {
    let refused = |words: String| ApplyFault::Refused(Answer::saying(words));
    for (field, wanted) in &scene.command.expect {
        if !scene.command.spec.expect.contains(&field.as_str()) {
            return Err(refused("`expect` names a field that cannot be expected".to_owned()));
        }
        let (order, known) = match entity {
            Entity::None => return Err(refused("nothing can be expected".to_owned())),
            Entity::Call(id) => (Order::new("GET /call/{id}", &[id]), words::CALL_STATUS),
            Entity::Cost(id) => {
                (Order::new("GET /callCost/call/{callId}", &[id]), words::COST_STATUS)
            }
            Entity::Task(id) => (Order::new("GET /calltask/{id}", &[id]), words::TASK_STATUS),
        };
        let row: Option<Row> = match scene.read(Who::External, order).await {
            Ok(row) => row,
            Err(Unseen::Fault(fault)) => return Err(ApplyFault::NotApplied(fault)),
            Err(Unseen::Missing(answer)) => return Err(ApplyFault::Refused(answer)),
            Err(Unseen::Blind(why)) => {
                let reason = format!("`expect` cannot be checked: {why}");
                return Err(ApplyFault::NotApplied(Fault::Misconfigured { reason }));
            }
        };
        let found = match row {
            Some(row) => row.status.unwrap_or_default(),
            None if matches!(entity, Entity::Cost(_)) => "None".to_owned(),
            None => return Err(refused("there is no such call or task".to_owned())),
        };
        if wanted.as_str() != Some(&found) {
            let shown = if known.contains(&found.as_str()) || found == "None" {
                found.as_str()
            } else {
                "something else"
            };
            return Err(refused(format!("expected another `{field}`; it is `{shown}`")));
        }
    }
    Ok(())
}
