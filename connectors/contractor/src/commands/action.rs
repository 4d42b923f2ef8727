//! What one type of command does: [`Action`], carried as the kit's actions are.

use std::future::Future;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use talon_http::order::{Asks, Field, Order};
use talon_sdk::action::{self, Unseen};
use talon_sdk::{Answer, ApplyFault, CommandSpec, Finding, Permit};

use super::expect::{self, Entity};
use super::scene::{Scene, Who};
use super::sender::Sender;

/// The parameters of a command, and what follows from them; see [`talon_sdk::action::Action`].
pub(super) trait Action: DeserializeOwned + Send + Sync + 'static {
    const SPEC: &'static CommandSpec;
    /// In whose name it is sent.
    const WHO: Who;
    /// What of the reply is passed on, and by what it is known as the documented one; see
    /// [`is_documented`](talon_http::order::answer::is_documented). Empty where the document has none, or
    /// none that matters.
    const ANSWER: &'static [Field] = &[];
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
    /// [`Action::ANSWER`], as it is configured.
    fn answer(_: &Sender) -> &'static [Field] {
        Self::ANSWER
    }
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
        ) -> Result<(), talon_sdk::action::Unseen> {
            Err(talon_sdk::action::Unseen::Blind($why.to_owned()))
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

/// An action in the name in which it is sent.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Sent<A>(A);

impl<A: Action> action::Action for Sent<A> {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = A::SPEC;
    type Seen = A::Seen;
    type Mark = A::Mark;

    async fn check(&self, scene: &action::Scene<'_, Sender>) -> Result<(), ApplyFault> {
        let scene = Scene::new(scene, A::WHO);
        scene.check_user()?;
        expect::check(&scene, self.0.entity()).await
    }

    async fn see(
        &self,
        scene: &action::Scene<'_, Sender>,
        before: Option<&A::Mark>,
    ) -> Result<A::Seen, Unseen> {
        let scene = Scene::new(scene, A::WHO);
        if scene.check_user().is_err() {
            return Err(Unseen::Blind(
                "the user in whose name it was sent is not configured any more".to_owned(),
            ));
        }
        self.0.see(&scene, before).await
    }

    fn mark(&self, scene: &action::Scene<'_, Sender>, seen: A::Seen) -> A::Mark {
        self.0.mark(&Scene::new(scene, A::WHO), seen)
    }

    fn judge(&self, scene: &action::Scene<'_, Sender>, before: &A::Mark, now: A::Seen) -> Finding {
        self.0.judge(&Scene::new(scene, A::WHO), before, now)
    }

    fn done_before(&self, before: &A::Mark) -> Option<Answer> {
        self.0.done_before(before)
    }

    fn may_be_so(&self, refusal: &Answer) -> bool {
        A::CAN_BE_SO && refusal.status == Some(409)
    }

    fn is_so(&self, now: &A::Seen) -> bool {
        self.0.is_so(now)
    }

    async fn send(
        &self,
        scene: &action::Scene<'_, Sender>,
        permit: &Permit,
    ) -> Result<Answer, ApplyFault> {
        let scene = Scene::new(scene, A::WHO);
        scene.check_user()?;
        let order = self.0.order(&scene).await?;
        scene.own().send(&order, A::answer(scene.sender), permit).await
    }
}
