//! The command of the shop.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use talon_sdk::action::{Action, Actions, Scene, Unseen, actions};
use talon_sdk::{
    Answer, Applier, ApplyFault, Command, CommandSpec, Evidence, Fault, Finding, OrderingKey,
    Permit, Repeat,
};

use crate::connector::Wrong;
use crate::shop::{Renamed, Shared};

#[derive(Deserialize)]
struct Rename {
    id: i64,
    name: String,
}

/// Whether it has the name already.
#[derive(Serialize, Deserialize)]
struct Standing {
    is_so: bool,
}

impl Action for Rename {
    type Sender = Shared;
    const SPEC: &'static CommandSpec =
        &CommandSpec::of("Rename", OrderingKey::Params(&["id"]), Repeat::Converges);
    type Seen = Standing;
    type Mark = Standing;

    async fn see(
        &self,
        scene: &Scene<'_, Shared>,
        _: Option<&Standing>,
    ) -> Result<Standing, Unseen> {
        let shop = scene.sender.lock().unwrap();
        match shop.items.get(&self.id) {
            Some((_, name)) => Ok(Standing { is_so: *name == self.name }),
            None => Err(Unseen::Missing(Answer::saying("there is no such item"))),
        }
    }

    fn mark(&self, _: &Scene<'_, Shared>, seen: Standing) -> Standing {
        seen
    }

    fn judge(&self, _: &Scene<'_, Shared>, _: &Standing, now: Standing) -> Finding {
        match now.is_so {
            true => Finding::Applied(Answer::saying("read back: it has the name")),
            false => Finding::Absent,
        }
    }

    async fn send(&self, scene: &Scene<'_, Shared>, permit: &Permit) -> Result<Answer, ApplyFault> {
        permit.check()?;
        rename(scene.sender, self.id, &self.name)
    }
}

pub(crate) static ACTIONS: Actions<Shared> = actions![Rename];

fn rename(shop: &Shared, id: i64, name: &str) -> Result<Answer, ApplyFault> {
    match shop.lock().unwrap().rename(id, name) {
        Renamed::Done => Ok(Answer::saying("done")),
        Renamed::NoSuchItem => Err(ApplyFault::Refused(Answer::saying("there is no such item"))),
        Renamed::Lost => Err(ApplyFault::Unclear(Answer::saying("the reply is lost"))),
    }
}

/// Does it, wrongly if it must.
pub(crate) struct Careless {
    pub(crate) wrong: Wrong,
    pub(crate) shop: Shared,
    pub(crate) applier: Arc<dyn Applier>,
}

#[async_trait]
impl Applier for Careless {
    async fn look(&self, command: &Command) -> Result<Evidence, ApplyFault> {
        match self.applier.look(command).await {
            Err(ApplyFault::Refused(_)) if self.wrong == Wrong::MakesUpParams => {
                Ok(Evidence::default())
            }
            looked => looked,
        }
    }

    async fn apply(
        &self,
        command: &Command,
        before: &Evidence,
        permit: &Permit,
    ) -> Result<Answer, ApplyFault> {
        let forever = Permit::always();
        let permit = if self.wrong == Wrong::NeedsNoLeave { &forever } else { permit };
        if self.wrong == Wrong::MakesUpParams {
            permit.check()?;
            let id = command.params.get("id").and_then(serde_json::Value::as_i64).unwrap_or(1);
            let name = command.params.get("name").and_then(|name| name.as_str());
            return rename(&self.shop, id, name.unwrap_or("Person"));
        }
        let applied = self.applier.apply(command, before, permit).await;
        match (self.wrong, applied) {
            (Wrong::SendsTwice, Err(ApplyFault::Unclear(_))) => {
                self.applier.apply(command, before, permit).await
            }
            (_, applied) => applied,
        }
    }

    async fn probe(
        &self,
        command: &Command,
        before: &Evidence,
        sent_at_ms: i64,
    ) -> Result<Finding, Fault> {
        match self.wrong {
            Wrong::AlwaysAbsent => Ok(Finding::Absent),
            _ => self.applier.probe(command, before, sent_at_ms).await,
        }
    }
}
