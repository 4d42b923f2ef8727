//! How looking, sending once and reading back follow from an action.

use std::marker::PhantomData;

use async_trait::async_trait;
use serde::Serialize;

use super::what::{Action, Scene, Unseen};
use crate::{Answer, ApplyFault, CommandSpec, Evidence, Fault, Finding, Permit, Repeat};

/// A type of command without its parameters.
#[async_trait]
pub trait Kind<S: Send + Sync>: Send + Sync {
    /// What it is.
    fn spec(&self) -> &'static CommandSpec;
    /// See [`Applier::look`](crate::Applier::look).
    async fn look(&self, scene: Scene<'_, S>) -> Result<Evidence, ApplyFault>;
    /// See [`Applier::apply`](crate::Applier::apply).
    async fn apply(
        &self,
        scene: Scene<'_, S>,
        before: &Evidence,
        permit: &Permit,
    ) -> Result<Answer, ApplyFault>;
    /// See [`Applier::probe`](crate::Applier::probe).
    async fn probe(&self, scene: Scene<'_, S>, before: &Evidence) -> Result<Finding, Fault>;
}

/// A type of command for a table.
pub const fn typed<A: Action>() -> &'static dyn Kind<A::Sender> {
    const { &Typed::<A>(PhantomData) }
}

struct Typed<A>(PhantomData<fn() -> A>);

#[async_trait]
impl<A: Action> Kind<A::Sender> for Typed<A> {
    fn spec(&self) -> &'static CommandSpec {
        A::SPEC
    }

    async fn look(&self, scene: Scene<'_, A::Sender>) -> Result<Evidence, ApplyFault> {
        let action: A = scene.command.params()?;
        action.check(&scene).await?;
        if A::SPEC.repeat == Repeat::Always {
            return Ok(Evidence::default());
        }
        match action.see(&scene, None).await {
            Ok(seen) => {
                action.admit(&scene, &seen)?;
                Ok(Evidence(json(&action.mark(&scene, seen))?))
            }
            Err(Unseen::Blind(_)) => Ok(Evidence::default()),
            Err(Unseen::Missing(answer)) => Err(ApplyFault::Refused(answer)),
            Err(Unseen::Fault(fault)) => Err(ApplyFault::NotApplied(fault)),
        }
    }

    async fn apply(
        &self,
        scene: Scene<'_, A::Sender>,
        before: &Evidence,
        permit: &Permit,
    ) -> Result<Answer, ApplyFault> {
        let action: A = scene.command.params()?;
        if let Some(answer) = mark::<A>(before).and_then(|mark| action.done_before(&mark)) {
            return Ok(answer);
        }
        let refusal = match action.send(&scene, permit).await {
            Err(ApplyFault::Refused(refusal)) if action.may_be_so(&refusal) => refusal,
            sent => return sent,
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
        scene: Scene<'_, A::Sender>,
        before: &Evidence,
    ) -> Result<Finding, Fault> {
        let unclear = |why: &str| Ok(Finding::Unclear(why.to_owned()));
        let Ok(action) = scene.command.params::<A>() else {
            return unclear("the parameters do not fit any more");
        };
        let mark = mark::<A>(before);
        let seen = match action.see(&scene, mark.as_ref()).await {
            Ok(seen) => seen,
            Err(Unseen::Blind(why)) => return Ok(Finding::Unclear(why)),
            Err(Unseen::Missing(answer)) => return Ok(Finding::Unclear(answer.message)),
            Err(Unseen::Fault(fault)) => return Err(fault),
        };
        match mark {
            Some(mark) => Ok(action.judge(&scene, &mark, seen)),
            None => unclear("nothing was read before it was sent, so there is nothing to compare"),
        }
    }
}

fn mark<A: Action>(evidence: &Evidence) -> Option<A::Mark> {
    serde_json::from_str(&evidence.0).ok()
}

fn json(mark: &impl Serialize) -> Result<String, ApplyFault> {
    serde_json::to_string(mark).map_err(|_| {
        ApplyFault::NotApplied(Fault::Internal {
            reason: "what was seen cannot be written down".to_owned(),
        })
    })
}
