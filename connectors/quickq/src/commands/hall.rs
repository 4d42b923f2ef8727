//! What concerns the visitor at a workplace.
//!
//! Who that is, is told by the workplace's `consumer_id`; what was done, by the states of the visitor's
//! operations: the overall state says `SERVED` also of what was rejected.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;
use talon_sdk::action::{Action, Scene, Unseen, expected};
use talon_sdk::{
    Answer, ApplyFault, Command, CommandSpec, Fault, Finding, OrderingKey, Permit, Repeat,
};

use super::reading::{Reading, Visitor, applied};
use super::sender::{Order, Sender, refusal};

/// What is seen of a workplace; it goes to the results topic.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Seen {
    /// Who is there.
    current: Option<i64>,
    /// The visitor that the command is about, as far as the upstream tells.
    visitor: Option<Visitor>,
}

/// The parameters of a command about the visitor at a workplace; written, they have the upstream's names.
pub(super) trait AtWorkplace: DeserializeOwned + Serialize + Send + Sync + 'static {
    const SPEC: &'static CommandSpec;
    /// Whether there must be somebody.
    const NEEDS_VISITOR: bool = true;
    /// What empty data in reply says.
    const IF_EMPTY: Option<&'static str> = None;

    /// Whom it names, if it does not mean who is there.
    fn whom(&self) -> Option<i64> {
        None
    }

    /// Compares who is at the workplace.
    fn judge(&self, before: &Seen, now: &Seen) -> Finding {
        match &now.visitor {
            Some(visitor) => {
                self.judge_visitor(&before.visitor.clone().unwrap_or_default(), visitor)
            }
            None => Finding::Unclear("the visitor is not known any more".to_owned()),
        }
    }

    /// Compares the visitor.
    fn judge_visitor(&self, _before: &Visitor, _now: &Visitor) -> Finding {
        Finding::Unclear("the command is not about one visitor".to_owned())
    }
}

/// Such a command.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Hall<C>(C);

/// Where it is done.
fn workplace(command: &Command) -> Result<i64, Fault> {
    command
        .params
        .get("workplace_id")
        .and_then(serde_json::Value::as_i64)
        .ok_or_else(|| Fault::Internal { reason: "a command without its workplace".to_owned() })
}

impl<C: AtWorkplace> Action for Hall<C> {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = C::SPEC;
    type Seen = Seen;
    type Mark = Seen;

    /// What is expected is compared with what is seen.
    async fn check(&self, _: &Scene<'_, Sender>) -> Result<(), ApplyFault> {
        Ok(())
    }

    /// Of the visitor who was there before, once it was sent.
    async fn see(&self, scene: &Scene<'_, Sender>, before: Option<&Seen>) -> Result<Seen, Unseen> {
        let live = scene.sender.live().await?;
        let _asking = live.asking();
        let reading = Reading { live: &live, books: &scene.sender.books };
        let current = match reading.at(workplace(scene.command)?).await? {
            Ok(current) => current,
            Err(unknown) => return Err(Unseen::Missing(refusal(&unknown))),
        };
        let earlier = before.and_then(|before| before.visitor.as_ref()).map(|visitor| visitor.id);
        let Some(whom) = self.0.whom().or(earlier).or(current) else {
            return Ok(Seen { current, visitor: None });
        };
        match (reading.visitor(whom).await?, before) {
            (Ok(visitor), _) => Ok(Seen { current, visitor: Some(visitor) }),
            // Who was there before may be gone for good.
            (Err(_), Some(_)) => Ok(Seen { current, visitor: None }),
            (Err(unknown), None) => Err(Unseen::Missing(refusal(&unknown))),
        }
    }

    fn admit(&self, scene: &Scene<'_, Sender>, seen: &Seen) -> Result<(), ApplyFault> {
        expected(scene.command, |field| (field == "consumer_id").then(|| json!(seen.current)))?;
        if C::NEEDS_VISITOR && seen.current.is_none() {
            let answer = Answer::saying("there is no visitor at the workplace");
            return Err(ApplyFault::Refused(answer));
        }
        Ok(())
    }

    fn mark(&self, _: &Scene<'_, Sender>, seen: Seen) -> Seen {
        seen
    }

    fn judge(&self, _: &Scene<'_, Sender>, before: &Seen, now: Seen) -> Finding {
        self.0.judge(before, &now)
    }

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        let data = serde_json::to_value(&self.0).map_err(|_| {
            let reason = "the parameters cannot be written".to_owned();
            ApplyFault::NotApplied(Fault::Internal { reason })
        })?;
        let order = Order { call: C::SPEC.call, data, if_empty: C::IF_EMPTY };
        scene.sender.send(order, permit).await.map(|(_, answer)| answer)
    }
}

/// The parameters of a command, with the upstream's names.
macro_rules! params {
    ($name:ident { $($field:ident: $type:ty $(as $wire:literal)? $(, $how:ident = $with:literal)?;)* }) => {
        #[derive(Deserialize, Serialize)]
        pub(super) struct $name {
            #[serde(rename(serialize = "workplace"))]
            workplace_id: i64,
            $(
                $(#[serde(rename(serialize = $wire))])?
                $(#[serde($how = $with)])?
                $field: $type,
            )*
        }
    };
}

params! { NextConsumer {} }
params! { CallConsumer { consumer_id: i64 as "id"; } }
params! { RecallConsumer {} }
params! { SkipConsumer {} }
params! { AddService { service_id: i64 as "service"; } }
params! { ServeOperation {
    service_id: i64 as "service";
    stage: i64 as "priority";
    operation_id: i64 as "operation", serialize_with = "as_text";
    comment: Option<String>, skip_serializing_if = "Option::is_none";
} }
params! { RejectOperation {
    service_id: i64 as "service";
    stage: i64 as "priority";
    operation_id: i64 as "operation", serialize_with = "as_text";
    comment: Option<String>, skip_serializing_if = "Option::is_none";
} }
params! { ServeConsumer { comment: Option<String>, skip_serializing_if = "Option::is_none"; } }
params! { RejectConsumer { comment: Option<String>, skip_serializing_if = "Option::is_none"; } }
params! { RejectService {
    service_id: i64 as "service";
    comment: Option<String>, skip_serializing_if = "Option::is_none";
} }
params! { PostponeConsumer {
    delay_minutes: i64 as "delay", serialize_with = "as_text";
    return_to_me: bool as "return2me";
    comment: Option<String>, skip_serializing_if = "Option::is_none";
} }

/// A number that the upstream wants as a text.
fn as_text<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// A command of this kind, whose repetition is judged by the visitor.
const fn spec(
    name: &'static str,
    repeat: Repeat,
    call: &'static str,
    probe: &'static str,
) -> CommandSpec {
    let key = OrderingKey::Params(&["workplace_id"]);
    CommandSpec { expect: &["consumer_id"], call, probe, ..CommandSpec::of(name, key, repeat) }
}

const OPERATIONS: &str = "the states of the visitor's operations, before and after";
const OPERATION: &str = "the state of the operation";
const WHO: &str = "who is at the workplace, before and after";

impl AtWorkplace for NextConsumer {
    const SPEC: &'static CommandSpec = &spec("NextConsumer", Repeat::Never, "nextConsumer", WHO);
    const NEEDS_VISITOR: bool = false;
    const IF_EMPTY: Option<&'static str> = Some("nobody waits");

    fn judge(&self, before: &Seen, now: &Seen) -> Finding {
        match (before.current, now.current) {
            (before, Some(id)) if before != Some(id) => applied(format!("visitor {id} was called")),
            (before, now) if before == now => Finding::Absent,
            _ => Finding::Unclear("the visitor who was there has gone, and nobody came".to_owned()),
        }
    }
}

impl AtWorkplace for CallConsumer {
    const SPEC: &'static CommandSpec =
        &spec("CallConsumer", Repeat::Converges, "consumerFromQueueBody", "where the visitor is");
    const NEEDS_VISITOR: bool = false;

    fn whom(&self) -> Option<i64> {
        Some(self.consumer_id)
    }

    fn judge_visitor(&self, before: &Visitor, now: &Visitor) -> Finding {
        let is_served = now.operations.values().any(|state| state == "SERVING");
        if now.workplace == Some(self.workplace_id) && is_served {
            applied("the visitor is at the workplace")
        } else if now.operations == before.operations && now.called == before.called {
            Finding::Absent
        } else {
            Finding::Unclear("the visitor was called, and is elsewhere".to_owned())
        }
    }
}

impl AtWorkplace for RecallConsumer {
    const SPEC: &'static CommandSpec = &spec(
        "RecallConsumer",
        Repeat::Converges,
        "retryCallConsumer",
        "when the visitor was called last",
    );

    fn judge_visitor(&self, before: &Visitor, now: &Visitor) -> Finding {
        changed(now.called != before.called, "the visitor was called again")
    }
}

impl AtWorkplace for SkipConsumer {
    const SPEC: &'static CommandSpec = &spec("SkipConsumer", Repeat::Never, "skipConsumer", WHO);

    /// Somebody else is there, and who was there waits again.
    fn judge(&self, before: &Seen, now: &Seen) -> Finding {
        let waits = now.visitor.as_ref().is_some_and(|visitor| {
            visitor.workplace.is_none()
                && visitor.operations.values().any(|state| state == "WAITING")
        });
        match now.current {
            current if current == before.current => Finding::Absent,
            Some(id) if waits => applied(format!("visitor {id} was called")),
            _ => Finding::Unclear("another visitor is there, but not by a skip alone".to_owned()),
        }
    }
}

impl AtWorkplace for AddService {
    const SPEC: &'static CommandSpec =
        &spec("AddService", Repeat::Converges, "addService", "the visitor's services");

    fn judge_visitor(&self, _: &Visitor, now: &Visitor) -> Finding {
        let service = format!("{}/", self.service_id);
        let has = now.operations.keys().any(|place| place.starts_with(&service));
        changed(has, "the visitor has the service")
    }
}

impl AtWorkplace for PostponeConsumer {
    const SPEC: &'static CommandSpec = &spec(
        "PostponeConsumer",
        Repeat::Never,
        "postponeConsumer",
        "until when the visitor is put off, before and after",
    );

    fn judge_visitor(&self, before: &Visitor, now: &Visitor) -> Finding {
        changed(now.postponed != before.postponed, "the visitor is put off")
    }
}

impl AtWorkplace for ServeOperation {
    const SPEC: &'static CommandSpec =
        &spec("ServeOperation", Repeat::Converges, "serveOperation", OPERATION);

    fn judge_visitor(&self, before: &Visitor, now: &Visitor) -> Finding {
        let place = format!("{}/{}/{}", self.service_id, self.stage, self.operation_id);
        ended(before, now, "SERVED", |other, _| *other == place)
    }
}

impl AtWorkplace for RejectOperation {
    const SPEC: &'static CommandSpec =
        &spec("RejectOperation", Repeat::Converges, "rejectOperation", OPERATION);

    fn judge_visitor(&self, before: &Visitor, now: &Visitor) -> Finding {
        let place = format!("{}/{}/{}", self.service_id, self.stage, self.operation_id);
        ended(before, now, "REJECTED", |other, _| *other == place)
    }
}

impl AtWorkplace for ServeConsumer {
    const SPEC: &'static CommandSpec =
        &spec("ServeConsumer", Repeat::Never, "serveConsumer", OPERATIONS);

    fn judge_visitor(&self, before: &Visitor, now: &Visitor) -> Finding {
        ended(before, now, "SERVED", |_, state| state == "SERVING")
    }
}

impl AtWorkplace for RejectConsumer {
    const SPEC: &'static CommandSpec =
        &spec("RejectConsumer", Repeat::Never, "rejectConsumer", OPERATIONS);

    fn judge_visitor(&self, before: &Visitor, now: &Visitor) -> Finding {
        ended(before, now, "REJECTED", |_, state| is_open(state))
    }
}

impl AtWorkplace for RejectService {
    const SPEC: &'static CommandSpec =
        &spec("RejectService", Repeat::Never, "rejectService", OPERATIONS);

    fn judge_visitor(&self, before: &Visitor, now: &Visitor) -> Finding {
        let service = format!("{}/", self.service_id);
        ended(before, now, "REJECTED", |place, state| place.starts_with(&service) && is_open(state))
    }
}

fn is_open(state: &str) -> bool {
    matches!(state, "WAITING" | "SERVING" | "POSTPONE")
}

/// Whether the operations that the command is about are all in the state it leads to.
fn ended(
    before: &Visitor,
    now: &Visitor,
    target: &str,
    concerns: impl Fn(&str, &str) -> bool,
) -> Finding {
    let concerned: Vec<(&str, Option<&str>)> = before
        .operations
        .iter()
        .filter(|(place, state)| concerns(place, state))
        .map(|(place, state)| (state.as_str(), now.operations.get(place).map(String::as_str)))
        .collect();
    if concerned.is_empty() {
        Finding::Unclear("the visitor had no such operation".to_owned())
    } else if concerned.iter().all(|(_, now)| *now == Some(target)) {
        applied(format!("the operations are {target}"))
    } else if concerned.iter().all(|(before, now)| *now == Some(*before)) {
        Finding::Absent
    } else {
        Finding::Unclear("the operations are in another state than the command leads to".to_owned())
    }
}

fn changed(is_so: bool, words: &str) -> Finding {
    if is_so { applied(words) } else { Finding::Absent }
}
