//! What one type of command does, and how looking, sending and reading back follow from it.

use std::future::Future;
use std::marker::PhantomData;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use talon_sdk::{Answer, ApplyFault, Command, Evidence, Fault, Finding, Permit, Repeat};

use super::answer::{self, Field};
use super::expect::{self, Entity};
use super::scene::{Order, Scene, Unseen, Who};
use super::sender::Sender;

/// The parameters of a command, and what follows from them.
pub(super) trait Action: DeserializeOwned + Send + Sync + 'static {
    /// In whose name it is sent.
    const WHO: Who;
    /// What of the reply is passed on, and by what it is known as the documented one; see
    /// [`answer::is_documented`]. Empty where the document has none, or none that matters.
    const ANSWER: &'static [Field];
    /// Whether a 409 can mean that it is so already.
    const CAN_BE_SO: bool = false;
    /// What is read before and after.
    type Seen: Send + Sync;
    /// What is kept of it: ids, marks, statuses and hashes only.
    type Mark: Serialize + DeserializeOwned + Send + Sync;

    /// What `expect` is about.
    fn entity(&self) -> Entity {
        Entity::None
    }
    /// Reads; `before` is what was kept of an earlier look.
    fn see(
        &self,
        scene: &Scene<'_>,
        before: Option<&Self::Mark>,
    ) -> impl Future<Output = Result<Self::Seen, Unseen>> + Send;
    /// What to keep.
    fn mark(&self, scene: &Scene<'_>, seen: Self::Seen) -> Self::Mark;
    /// Compares.
    fn judge(&self, scene: &Scene<'_>, before: &Self::Mark, now: Self::Seen) -> Finding;
    /// The answer, where the look showed that this very command was done before.
    fn done_before(&self, _before: &Self::Mark) -> Option<Answer> {
        None
    }
    /// Whether what the command wants is so.
    fn is_so(&self, _now: &Self::Seen) -> bool {
        false
    }
    /// What to send.
    fn order(&self, scene: &Scene<'_>) -> impl Future<Output = Result<Order, ApplyFault>> + Send;
}

/// The part of an [`Action`] whose effect cannot be read.
macro_rules! unseen {
    ($why:literal) => {
        type Seen = ();
        type Mark = ();

        async fn see(
            &self,
            _: &$crate::commands::scene::Scene<'_>,
            _: Option<&()>,
        ) -> Result<(), $crate::commands::scene::Unseen> {
            Err($crate::commands::scene::Unseen::Blind($why.to_owned()))
        }

        fn mark(&self, _: &$crate::commands::scene::Scene<'_>, (): ()) {}

        fn judge(
            &self,
            _: &$crate::commands::scene::Scene<'_>,
            (): &(),
            (): (),
        ) -> talon_sdk::Finding {
            talon_sdk::Finding::Unclear($why.to_owned())
        }
    };
}
pub(super) use unseen;

/// A type of command without its parameters.
#[async_trait]
pub(super) trait Kind: Send + Sync {
    fn who(&self) -> Who;
    async fn look(&self, sender: &Sender, command: &Command) -> Result<Evidence, ApplyFault>;
    async fn apply(
        &self,
        sender: &Sender,
        command: &Command,
        before: &Evidence,
        permit: &Permit,
    ) -> Result<Answer, ApplyFault>;
    async fn probe(
        &self,
        sender: &Sender,
        command: &Command,
        before: &Evidence,
    ) -> Result<Finding, Fault>;
}

pub(super) struct Typed<A>(pub(super) PhantomData<fn() -> A>);

#[async_trait]
impl<A: Action> Kind for Typed<A> {
    fn who(&self) -> Who {
        A::WHO
    }

    async fn look(&self, sender: &Sender, command: &Command) -> Result<Evidence, ApplyFault> {
        let action: A = command.params()?;
        let scene = Scene::new(sender, command, A::WHO)?;
        expect::check(&scene, action.entity()).await?;
        if command.spec.repeat == Repeat::Always {
            return Ok(Evidence::default());
        }
        match action.see(&scene, None).await {
            Ok(seen) => Ok(Evidence(json(&action.mark(&scene, seen))?)),
            Err(Unseen::Blind(_)) => Ok(Evidence::default()),
            Err(Unseen::Missing(answer)) => Err(ApplyFault::Refused(answer)),
            Err(Unseen::Fault(fault)) => Err(ApplyFault::NotApplied(fault)),
        }
    }

    async fn apply(
        &self,
        sender: &Sender,
        command: &Command,
        before: &Evidence,
        permit: &Permit,
    ) -> Result<Answer, ApplyFault> {
        let action: A = command.params()?;
        let mark: Option<A::Mark> = serde_json::from_str(&before.0).ok();
        if let Some(answer) = mark.and_then(|mark| action.done_before(&mark)) {
            return Ok(answer);
        }
        let scene = Scene::new(sender, command, A::WHO)?;
        let order = action.order(&scene).await?;
        let refusal = match scene.send(&order, permit).await {
            Ok(reply) if answer::is_documented(A::ANSWER, &reply) => {
                return Ok(answer::of_reply(A::ANSWER, sender, &reply));
            }
            Ok(reply) => {
                let message = format!(
                    "`{}` was answered with {} and something else than documented",
                    order.endpoint, reply.status
                );
                let status = Some(reply.status);
                return Err(ApplyFault::Unclear(Answer { status, ..Answer::saying(message) }));
            }
            Err(ApplyFault::Refused(refusal)) if A::CAN_BE_SO && refusal.status == Some(409) => {
                refusal
            }
            Err(other) => return Err(other),
        };
        match action.see(&scene, None).await {
            Ok(seen) if action.is_so(&seen) => Ok(Answer {
                message: format!("it is so already (answered with: {})", refusal.message),
                ..refusal
            }),
            Err(Unseen::Fault(fault)) => Err(ApplyFault::NotApplied(fault)),
            _ => Err(ApplyFault::Refused(refusal)),
        }
    }

    async fn probe(
        &self,
        sender: &Sender,
        command: &Command,
        before: &Evidence,
    ) -> Result<Finding, Fault> {
        let unclear = |why: &str| Ok(Finding::Unclear(why.to_owned()));
        let Ok(action) = command.params::<A>() else {
            return unclear("the parameters do not fit any more");
        };
        let Ok(scene) = Scene::new(sender, command, A::WHO) else {
            return unclear("the user in whose name it was sent is not configured any more");
        };
        let mark: Option<A::Mark> = serde_json::from_str(&before.0).ok();
        let seen = match action.see(&scene, mark.as_ref()).await {
            Ok(seen) => seen,
            Err(Unseen::Blind(why)) => return Ok(Finding::Unclear(why)),
            Err(Unseen::Missing(answer)) => return Ok(Finding::Unclear(answer.message)),
            Err(Unseen::Fault(fault)) => return Err(fault),
        };
        let Some(mark) = mark else {
            return unclear("nothing was read before it was sent, so there is nothing to compare");
        };
        Ok(action.judge(&scene, &mark, seen))
    }
}

fn json(mark: &impl Serialize) -> Result<String, ApplyFault> {
    serde_json::to_string(mark).map_err(|_| {
        ApplyFault::NotApplied(Fault::Internal {
            reason: "what was seen cannot be written down".to_owned(),
        })
    })
}
