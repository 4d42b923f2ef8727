//! What concerns the visitor who is at a workplace: `StartService`, `RejectVisitor`, `CompleteService`,
//! `HoldVisitor`, `RedirectVisitor`.
//!
//! The upstream names nobody in these calls: they hit whoever is there. So the command says whom it
//! expects, and the workplace is looked at twice: before the intent, and right before the first byte.

use std::future::{self, Future};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use talon_http::order::{Asks, Order};
use talon_sdk::action::{Action, Scene, Unseen, expected};
use talon_sdk::{Answer, ApplyFault, Command, CommandSpec, Finding, OrderingKey, Permit, Repeat};

use super::reading::{Service, applied, place, whereabouts, word};
use super::redirect::{OPERATOR, check_link, check_offered};
use super::sender::{Asker, Sender};
use super::values::{refused, unclear, unread};

/// What operators' commands are ordered by.
pub(super) const WORKPLACE: OrderingKey = OrderingKey::Params(&["client_id"]);

/// What can be expected of the visitor.
pub(super) const VISITOR: &[&str] = &["ticket_product_id"];

/// The parameters of a command about the visitor who is at a workplace.
pub(super) trait AtVisitor: DeserializeOwned + Send + Sync + 'static {
    const SPEC: &'static CommandSpec;
    /// States of the visitor's service that show that it was done.
    const DONE: &'static [i64];

    fn client_id(&self) -> &str;

    /// Whether the upstream offers what the command names.
    fn check_offered(&self, _: &Asker<'_>) -> impl Future<Output = Result<(), ApplyFault>> + Send {
        future::ready(Ok(()))
    }

    fn order(&self, _: &Sender) -> Order {
        Order::plain(Self::SPEC.call)
    }
}

/// Such a command.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Guarded<C>(C);

/// What is seen of the workplace and of the visitor that the command is about.
pub(super) struct Seen {
    current: Option<Service>,
    /// That visitor's service, as far as the upstream tells.
    service: Option<Service>,
}

/// Who was there before.
#[derive(Serialize, Deserialize)]
pub(super) struct VisitorMark {
    service: Option<Service>,
}

impl<C: AtVisitor> Action for Guarded<C> {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = C::SPEC;
    type Seen = Seen;
    type Mark = VisitorMark;

    /// What is expected is compared with what is seen.
    async fn check(&self, scene: &Scene<'_, Sender>) -> Result<(), ApplyFault> {
        let asker = scene.sender.operator(self.0.client_id()).map_err(unread)?;
        scene.sender.check_guard(scene.command)?;
        self.0.check_offered(&asker).await
    }

    async fn see(
        &self,
        scene: &Scene<'_, Sender>,
        before: Option<&VisitorMark>,
    ) -> Result<Seen, Unseen> {
        let asker = scene.sender.operator(self.0.client_id())?;
        let current = place(&asker).await?.current;
        let earlier = before.and_then(|before| before.service.as_ref());
        let service = match (earlier, &current) {
            (Some(earlier), Some(now)) if now.id == earlier.id => Some(now.clone()),
            (Some(earlier), _) => {
                let ticket = earlier.ticket.as_deref();
                whereabouts(scene.sender, &asker, &earlier.id, ticket).await?
            }
            (None, current) => current.clone(),
        };
        Ok(Seen { current, service })
    }

    fn admit(&self, scene: &Scene<'_, Sender>, seen: &Seen) -> Result<(), ApplyFault> {
        expect_visitor(scene.command, seen.current.as_ref()).map(|_| ())
    }

    fn mark(&self, _: &Scene<'_, Sender>, seen: Seen) -> VisitorMark {
        VisitorMark { service: seen.current }
    }

    fn judge(&self, _: &Scene<'_, Sender>, before: &VisitorMark, now: Seen) -> Finding {
        let Some(earlier) = &before.service else {
            return unclear("nobody was at the workplace before");
        };
        let Some(service) = now.service else {
            return unclear(
                "the visitor has left the workplace, and what became of the service is not seen; \
                 see `auth.admin.login`",
            );
        };
        let is_there = now.current.is_some_and(|current| current.id == earlier.id);
        let state = word(service.state);
        match service.state {
            Some(state) if C::DONE.contains(&state) => {
                applied("the visitor's service is in the state that it leads to", &service)
            }
            now if is_there && now == earlier.state => Finding::Absent,
            _ => unclear(format!("the visitor's service is in the state `{state}` now")),
        }
    }

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        let asker = scene.sender.operator(self.0.client_id()).map_err(unread)?;
        scene.sender.check_guard(scene.command)?;
        let current = place(&asker).await.map_err(unread)?.current;
        let visitor = expect_visitor(scene.command, current.as_ref())?;
        let answer = asker.send(&self.0.order(scene.sender), &[], permit).await?;
        Ok(Answer { response: Some(visitor.shown()), ..answer })
    }
}

/// The visitor who is there, if it is whom the command expects.
fn expect_visitor<'s>(
    command: &Command,
    current: Option<&'s Service>,
) -> Result<&'s Service, ApplyFault> {
    let found = |field: &str| {
        (field == "ticket_product_id").then(|| current.map_or(Json::Null, |one| json!(one.id)))
    };
    expected(command, found).map_err(|fault| who_is_there(fault, current))?;
    current.ok_or_else(|| refused("there is no visitor at the workplace"))
}

/// A refusal that says who is there.
pub(super) fn who_is_there(fault: ApplyFault, current: Option<&Service>) -> ApplyFault {
    match fault {
        ApplyFault::Refused(answer) => {
            ApplyFault::Refused(Answer { response: current.map(Service::shown), ..answer })
        }
        other => other,
    }
}

macro_rules! at_visitor {
    ($($name:ident, $call:literal, $done:expr;)*) => {$(
        #[derive(Deserialize)]
        pub(super) struct $name {
            client_id: String,
        }

        impl AtVisitor for $name {
            const SPEC: &'static CommandSpec = &CommandSpec {
                expect: VISITOR,
                call: $call,
                probe: "who is at the workplace, and the state of the visitor's service, before and after",
                ..CommandSpec::of(stringify!($name), WORKPLACE, Repeat::Never)
            };
            const DONE: &'static [i64] = &$done;

            fn client_id(&self) -> &str {
                &self.client_id
            }
        }
    )*};
}

at_visitor! {
    // Being served, or what comes after that alone: in the personal queue, served.
    StartService, "POST /operation/start", [5, 6, 9];
    // No-show, and no-show to be called again.
    RejectVisitor, "POST /operation/reject", [7, 12];
    CompleteService, "POST /operation/complete", [9];
    HoldVisitor, "POST /operation/hold", [6];
}

#[derive(Deserialize)]
pub(super) struct RedirectVisitor {
    client_id: String,
    menu_link_id: String,
    user_id: Option<String>,
    workplace_id: Option<String>,
    return_after: Option<bool>,
}

impl AtVisitor for RedirectVisitor {
    const SPEC: &'static CommandSpec = &CommandSpec {
        expect: VISITOR,
        call: "POST /operation/redirect/{menuLinkId}",
        probe: "who is at the workplace, and the state of the visitor's service, before and after",
        ..CommandSpec::of("RedirectVisitor", WORKPLACE, Repeat::Never)
    };
    /// Redirected.
    const DONE: &'static [i64] = &[8];

    fn client_id(&self) -> &str {
        &self.client_id
    }

    async fn check_offered(&self, asker: &Asker<'_>) -> Result<(), ApplyFault> {
        let (link, user, workplace) = (&self.menu_link_id, &self.user_id, &self.workplace_id);
        check_link(asker, link).await?;
        check_offered(asker, &OPERATOR, link, user, workplace).await
    }

    fn order(&self, sender: &Sender) -> Order {
        let body = sender.forms.body(&[
            ("userId", self.user_id.as_ref().map(|id| json!(id))),
            ("workPlaceId", self.workplace_id.as_ref().map(|id| json!(id))),
            ("returnAfter", self.return_after.map(|flag| json!(flag))),
        ]);
        Order::new(<Self as AtVisitor>::SPEC.call, &[&self.menu_link_id]).json(&body)
    }
}
