//! Surveys at devices: `BeginSurvey`, `AnswerSurvey`, `EndSurvey`.
//!
//! An answer names no question: it counts for the one that stands. Who knows which one is meant says it in
//! `expect`; it is compared right before the first byte too.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use talon_http::order::{Asks, Order};
use talon_sdk::action::{Action, Scene, Unseen, expected};
use talon_sdk::{
    Answer, ApplyFault, Command, CommandSpec, Fault, Finding, OrderingKey, Permit, Repeat,
};

use super::sender::{Asker, Sender};
use super::values::{refused, text, unclear, unread};

const DEVICE: OrderingKey = OrderingKey::Params(&["client_id"]);

/// What runs at a device; nothing where no survey does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standing {
    survey: Option<String>,
    question: Option<String>,
}

impl Standing {
    fn is_running(&self) -> bool {
        self.survey.is_some() || self.question.is_some()
    }

    fn shown(&self) -> Option<String> {
        let Standing { survey, question } = self;
        let shown = json!({ "survey_id": survey, "question_id": question });
        self.is_running().then(|| shown.to_string())
    }

    /// What can be expected.
    fn expect(&self, command: &Command) -> Result<(), ApplyFault> {
        let or_nothing = |id: &Option<String>| id.as_ref().map_or(Json::Null, |id| json!(id));
        let found = |field: &str| match field {
            "survey_id" => Some(or_nothing(&self.survey)),
            "question_id" => Some(or_nothing(&self.question)),
            _ => None,
        };
        expected(command, found).map_err(|fault| match fault {
            ApplyFault::Refused(answer) => {
                ApplyFault::Refused(Answer { response: self.shown(), ..answer })
            }
            other => other,
        })
    }
}

async fn standing(asker: &Asker<'_>, client_id: &str) -> Result<Standing, Unseen> {
    const STATE: &str = "GET /survey/{clientId}/state";
    let order = Order::new(STATE, &[client_id]);
    let state: Json = asker.read_existing(&order, "there is no such device").await?;
    let is_known = state.as_object().is_some_and(|state| {
        ["SurveyId", "Question", "IsActive"].iter().any(|name| state.contains_key(*name))
    });
    if !is_known {
        let reason = format!("`{STATE}` was answered with no state");
        return Err(Unseen::Fault(Fault::unavailable(reason)));
    }
    Ok(Standing { survey: text(&state["SurveyId"]), question: text(&state["Question"]["Id"]) })
}

/// A survey command's parameters.
trait AtDevice {
    fn client_id(&self) -> &str;
    /// Whether it can be sent while this stands.
    fn check(&self, standing: &Standing) -> Result<(), ApplyFault>;
    /// What is sent.
    fn order(&self) -> Order;
    /// Compares.
    fn judged(&self, before: &Standing, now: &Standing) -> Finding;
}

/// Looks, and sends.
async fn send(
    sender: &Sender,
    command: &Command,
    of: &(impl AtDevice + Sync),
    permit: &Permit,
) -> Result<Answer, ApplyFault> {
    let asker = sender.nobody();
    let before = standing(&asker, of.client_id()).await.map_err(unread)?;
    before.expect(command)?;
    of.check(&before)?;
    asker.send(&of.order(), &[], permit).await
}

macro_rules! at_device {
    ($($name:ident, $call:literal, $expect:expr, $probe:literal;)*) => {$(
        impl Action for $name {
            type Sender = Sender;
            const SPEC: &'static CommandSpec = &CommandSpec {
                expect: &$expect,
                call: $call,
                probe: $probe,
                ..CommandSpec::of(stringify!($name), DEVICE, Repeat::Never)
            };
            type Seen = Standing;
            type Mark = Standing;

            /// What is expected is compared with what is seen.
            async fn check(&self, _: &Scene<'_, Sender>) -> Result<(), ApplyFault> {
                Ok(())
            }

            async fn see(
                &self,
                scene: &Scene<'_, Sender>,
                _: Option<&Standing>,
            ) -> Result<Standing, Unseen> {
                standing(&scene.sender.nobody(), &self.client_id).await
            }

            fn admit(
                &self,
                scene: &Scene<'_, Sender>,
                seen: &Standing,
            ) -> Result<(), ApplyFault> {
                seen.expect(scene.command)?;
                AtDevice::check(self, seen)
            }

            fn mark(&self, _: &Scene<'_, Sender>, seen: Standing) -> Standing {
                seen
            }

            fn judge(
                &self,
                _: &Scene<'_, Sender>,
                before: &Standing,
                now: Standing,
            ) -> Finding {
                self.judged(before, &now)
            }

            async fn send(
                &self,
                scene: &Scene<'_, Sender>,
                permit: &Permit,
            ) -> Result<Answer, ApplyFault> {
                send(scene.sender, scene.command, self, permit).await
            }
        }
    )*};
}

at_device! {
    BeginSurvey, "POST /survey/{clientId}/begin", [],
        "whether a survey runs, before and after";
    AnswerSurvey, "POST /survey/{clientId}/answer", ["question_id", "survey_id"],
        "the question that stands, before and after";
    EndSurvey, "POST /survey/{clientId}/end", ["survey_id"],
        "whether the survey runs, before and after";
}

fn applied(words: &str) -> Finding {
    Finding::Applied(Answer::saying(format!("read back: {words}")))
}

#[derive(Deserialize)]
pub(super) struct BeginSurvey {
    client_id: String,
}

impl AtDevice for BeginSurvey {
    fn client_id(&self) -> &str {
        &self.client_id
    }

    fn check(&self, standing: &Standing) -> Result<(), ApplyFault> {
        match standing.is_running() {
            false => Ok(()),
            true => Err(refused("a survey runs at the device already")),
        }
    }

    fn order(&self) -> Order {
        Order::new(<Self as Action>::SPEC.call, &[&self.client_id])
    }

    fn judged(&self, _: &Standing, now: &Standing) -> Finding {
        if now.is_running() { applied("a survey runs") } else { Finding::Absent }
    }
}

#[derive(Deserialize)]
pub(super) struct AnswerSurvey {
    client_id: String,
    /// The body, under the upstream's names: the document does not describe it.
    answer: Map<String, Json>,
}

impl AtDevice for AnswerSurvey {
    fn client_id(&self) -> &str {
        &self.client_id
    }

    fn check(&self, standing: &Standing) -> Result<(), ApplyFault> {
        match standing.question {
            Some(_) => Ok(()),
            None => Err(refused("no question stands at the device")),
        }
    }

    fn order(&self) -> Order {
        let order = Order::new(<Self as Action>::SPEC.call, &[&self.client_id]);
        order.json(&Json::Object(self.answer.clone()))
    }

    fn judged(&self, before: &Standing, now: &Standing) -> Finding {
        if now == before {
            return Finding::Absent;
        }
        match now.question.is_some() && now.survey == before.survey {
            true => applied("another question of the survey stands"),
            false => {
                unclear("the survey is over: by the answer to its last question, or otherwise")
            }
        }
    }
}

#[derive(Deserialize)]
pub(super) struct EndSurvey {
    client_id: String,
}

impl AtDevice for EndSurvey {
    fn client_id(&self) -> &str {
        &self.client_id
    }

    fn check(&self, standing: &Standing) -> Result<(), ApplyFault> {
        match standing.is_running() {
            true => Ok(()),
            false => Err(refused("no survey runs at the device")),
        }
    }

    fn order(&self) -> Order {
        Order::new(<Self as Action>::SPEC.call, &[&self.client_id])
    }

    fn judged(&self, before: &Standing, now: &Standing) -> Finding {
        match now.survey == before.survey && now.is_running() {
            true => Finding::Absent,
            false => applied("the survey runs no more"),
        }
    }
}
