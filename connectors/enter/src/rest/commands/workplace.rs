//! What concerns the workplace and not its visitor: `BeginBreak`, `EndBreak`, `ChangeUser`.

use serde::{Deserialize, Serialize};
use talon_http::order::{Asks, Order};
use talon_sdk::action::{Action, Scene, Unseen, expected};
use talon_sdk::{Answer, ApplyFault, CommandSpec, Fault, Finding, Permit, Repeat};

use super::reading::place;
use super::sender::{CHANGE_USER, Sender};
use super::values::{refused, unclear, unread};
use super::visitor::WORKPLACE;

/// Whether there was a break.
#[derive(Serialize, Deserialize)]
pub(super) struct BreakMark {
    is_on_break: Option<bool>,
}

macro_rules! breaks {
    ($($name:ident, $call:literal, $wanted:literal;)*) => {$(
        #[derive(Deserialize)]
        pub(super) struct $name {
            client_id: String,
        }

        impl Action for $name {
            type Sender = Sender;
            const SPEC: &'static CommandSpec = &CommandSpec {
                call: $call,
                probe: "whether there is a break, before and after",
                ..CommandSpec::of(stringify!($name), WORKPLACE, Repeat::Converges)
            };
            type Seen = Option<bool>;
            type Mark = BreakMark;

            async fn check(&self, scene: &Scene<'_, Sender>) -> Result<(), ApplyFault> {
                expected(scene.command, |_| None)?;
                scene.sender.operator(&self.client_id).map(|_| ()).map_err(unread)
            }

            async fn see(
                &self,
                scene: &Scene<'_, Sender>,
                _: Option<&BreakMark>,
            ) -> Result<Option<bool>, Unseen> {
                Ok(place(&scene.sender.operator(&self.client_id)?).await?.is_on_break)
            }

            fn mark(&self, _: &Scene<'_, Sender>, seen: Option<bool>) -> BreakMark {
                BreakMark { is_on_break: seen }
            }

            fn judge(
                &self,
                _: &Scene<'_, Sender>,
                before: &BreakMark,
                now: Option<bool>,
            ) -> Finding {
                judge_break(before.is_on_break, now, $wanted)
            }

            fn may_be_so(&self, refusal: &Answer) -> bool {
                refusal.status == Some(409)
            }

            fn is_so(&self, now: &Option<bool>) -> bool {
                *now == Some($wanted)
            }

            async fn send(
                &self,
                scene: &Scene<'_, Sender>,
                permit: &Permit,
            ) -> Result<Answer, ApplyFault> {
                let asker = scene.sender.operator(&self.client_id).map_err(unread)?;
                asker.send(&Order::plain(Self::SPEC.call), &[], permit).await
            }
        }
    )*};
}

breaks! {
    BeginBreak, "POST /operation/break/begin", true;
    EndBreak, "POST /operation/break/end", false;
}

fn judge_break(before: Option<bool>, now: Option<bool>, wanted: bool) -> Finding {
    match now {
        Some(now) if now == wanted => {
            let what = if wanted { "a break" } else { "no break" };
            Finding::Applied(Answer::saying(format!("read back: there is {what}")))
        }
        Some(now) if before == Some(now) => Finding::Absent,
        _ => unclear("whether there is a break is not seen"),
    }
}

/// A user whose credentials are configured; they stand on no topic.
#[derive(Deserialize)]
pub(super) struct ChangeUser {
    client_id: String,
    user: String,
}

/// Who worked there, by identifier.
#[derive(Serialize, Deserialize)]
pub(super) struct UserMark {
    user: Option<String>,
}

/// Who works there.
pub(super) struct Working {
    user: Option<String>,
    /// Whether it is the wanted one; `None` where the upstream does not say.
    is_wanted: Option<bool>,
}

impl Action for ChangeUser {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: CHANGE_USER,
        probe: "who works at the workplace, before and after",
        ..CommandSpec::of("ChangeUser", WORKPLACE, Repeat::Converges)
    };
    type Seen = Working;
    type Mark = UserMark;

    async fn check(&self, scene: &Scene<'_, Sender>) -> Result<(), ApplyFault> {
        expected(scene.command, |_| None)?;
        scene.sender.operator(&self.client_id).map_err(unread)?;
        match scene.sender.users.contains_key(&self.user) {
            true => Ok(()),
            false => Err(no_user()),
        }
    }

    async fn see(
        &self,
        scene: &Scene<'_, Sender>,
        _: Option<&UserMark>,
    ) -> Result<Working, Unseen> {
        let place = place(&scene.sender.operator(&self.client_id)?).await?;
        let unknown = || Unseen::Blind("the user is not configured any more".to_owned());
        let [wanted, _] = scene.sender.users.get(&self.user).ok_or_else(unknown)?;
        let is_wanted = place.login.map(|login| login == wanted.expose());
        Ok(Working { user: place.user, is_wanted })
    }

    fn mark(&self, _: &Scene<'_, Sender>, seen: Working) -> UserMark {
        UserMark { user: seen.user }
    }

    fn judge(&self, scene: &Scene<'_, Sender>, before: &UserMark, now: Working) -> Finding {
        match now {
            Working { is_wanted: Some(true), .. } => {
                self.remember(scene.sender);
                Finding::Applied(Answer::saying("read back: the user works there"))
            }
            Working { is_wanted: Some(false), user: Some(now) }
                if before.user.as_ref() == Some(&now) =>
            {
                Finding::Absent
            }
            _ => unclear("who works at the workplace is not seen, or is somebody else"),
        }
    }

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        let asker = scene.sender.operator(&self.client_id).map_err(unread)?;
        let [login, password] = scene.sender.users.get(&self.user).ok_or_else(no_user)?;
        let order = Order::new(CHANGE_USER, &[login.expose(), password.expose()]);
        match asker.send(&order, &[], permit).await {
            // Not tried again, so that wrong ones do not lock the account.
            Err(ApplyFault::NotApplied(Fault::Misconfigured { reason })) => {
                Err(refused(format!("{reason}; the user is `auth.user.{}.login`", self.user)))
            }
            Ok(answer) => {
                self.remember(scene.sender);
                Ok(answer)
            }
            sent => sent,
        }
    }
}

impl ChangeUser {
    /// A token that is needed anew is that of this user.
    fn remember(&self, sender: &Sender) {
        if let (Ok(asker), Some(user)) =
            (sender.operator(&self.client_id), sender.users.get(&self.user))
        {
            asker.replace_user(user);
        }
    }
}

fn no_user() -> ApplyFault {
    refused("`params.user` names no user; see `auth.user.{user}.login`")
}
