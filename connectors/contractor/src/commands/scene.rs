//! One command on its way: in whose name it is sent, and how the upstream is asked on its behalf.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use talon_http::order::{Asks, NoReply, Order, Refusals};
use talon_http::{Credentials, Lane, Reply};
use talon_sdk::action::{self, Unseen};
use talon_sdk::spelling::read;
use talon_sdk::{Answer, ApplyFault, Command, Permit};

use super::errors::REFUSALS;
use super::sender::Sender;
use crate::client::Modified;
use crate::session::{Session, error_code};

/// In whose name something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// ExternalSystemAuth: the dispatcher system.
    External,
    /// UserAuth: a configured user.
    User,
    /// Nobody: the temporary link is all that is needed.
    Nobody,
}

/// One command, in the name in which it is sent.
pub(super) struct Scene<'s> {
    pub(super) sender: &'s Sender,
    pub(super) command: &'s Command,
    who: Who,
    session: Option<&'s Session>,
}

impl<'s> Scene<'s> {
    pub(super) fn new(scene: &action::Scene<'s, Sender>, who: Who) -> Scene<'s> {
        let action::Scene { sender, command } = *scene;
        let session = match who {
            Who::User => sender.users.find(command.user.as_deref()),
            Who::External | Who::Nobody => None,
        };
        Scene { sender, command, who, session }
    }

    /// # Errors
    /// [`ApplyFault::Refused`] where the command names no user that there is, or one where none can be.
    pub(super) fn check_user(&self) -> Result<(), ApplyFault> {
        let refused = |words: &str| Err(ApplyFault::Refused(Answer::saying(words)));
        match (self.who, &self.command.user) {
            (Who::User, Some(_)) if self.session.is_none() => {
                refused("`as` names no user; see `auth.user.{user}.name`")
            }
            (Who::User, None) if self.session.is_none() => {
                refused("no user is configured; see `auth.user.name`, or name one with `as`")
            }
            (Who::External | Who::Nobody, Some(_)) => {
                refused("is not sent in a user's name, so there must be no `as`")
            }
            _ => Ok(()),
        }
    }

    /// The user in whose name the command is sent.
    pub(super) fn user_name(&self) -> &str {
        self.session.map_or("", |session| &session.account.name)
    }

    /// An instant for the upstream: local time of `time.zone` with its offset, so that it is right
    /// also where the upstream drops the offset.
    pub(super) fn date(&self, micros: i64) -> Result<String, ApplyFault> {
        let instant = Timestamp::from_microsecond(micros).map_err(|_| {
            ApplyFault::Refused(Answer::saying("an instant is beyond the year 9999"))
        })?;
        let local = instant.to_zoned(self.sender.zone.clone());
        Ok(local.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string())
    }

    /// In the name of the command.
    pub(super) fn own(&self) -> InName<'_> {
        InName { scene: self, who: self.who }
    }

    /// Reads something; `None` where it is not there.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        who: Who,
        order: Order,
    ) -> Result<Option<T>, Unseen> {
        self.may_read(who)?;
        InName { scene: self, who }.read(&order).await
    }

    /// [`Scene::read`] of what must be there.
    pub(super) async fn read_existing<T: DeserializeOwned>(
        &self,
        who: Who,
        order: Order,
        missing: &str,
    ) -> Result<T, Unseen> {
        self.may_read(who)?;
        InName { scene: self, who }.read_existing(&order, missing).await
    }

    fn may_read(&self, who: Who) -> Result<(), Unseen> {
        match who {
            Who::External if self.who == Who::User && self.sender.upstream.external.is_none() => {
                Err(Unseen::Blind(
                    "what a user does can be read back by the external system only; set \
                     `auth.external.token`"
                        .to_owned(),
                ))
            }
            _ => Ok(()),
        }
    }

    /// What was modified since a mark, or since the last one that is known, and the highest mark now.
    ///
    /// Asks from one below the mark: whether the bound is inclusive is not documented, and rows may
    /// share a mark.
    pub(super) async fn modified_since<T: DeserializeOwned>(
        &self,
        of: Modified,
        mark: Option<i64>,
    ) -> Result<Modifications<T>, Unseen> {
        let upstream = &self.sender.upstream;
        if self.who == Who::User && upstream.external.is_none() {
            return Err(Unseen::Blind(
                "messages can be read back by the external system only; set \
                 `auth.external.token`"
                    .to_owned(),
            ));
        }
        let marks = upstream.marks(of);
        let from = mark.or_else(|| marks.last()).unwrap_or(0);
        let before = from.saturating_sub(1).max(0.min(from));
        let modified = upstream.modifications(of, marks.asked(before)).await?;
        let (rows, believed) = modified.sorted(Some(from));
        let mark = believed.highest.unwrap_or(from);
        marks.saw(mark);
        let read: Vec<Option<T>> = rows.iter().map(|row| read(row).ok()).collect();
        let unreadable = read.iter().any(Option::is_none);
        Ok(Modifications { mark, rows: read.into_iter().flatten().collect(), unreadable })
    }
}

/// Asks in somebody's name.
pub(super) struct InName<'s> {
    scene: &'s Scene<'s>,
    who: Who,
}

impl Asks for InName<'_> {
    fn refusals(&self) -> &Refusals {
        &REFUSALS
    }

    fn setting(&self) -> Option<&str> {
        let Scene { sender, session, .. } = self.scene;
        match self.who {
            Who::External => sender.upstream.external.as_ref().map(Credentials::setting),
            Who::User => session.map(|session| session.account.password_setting.as_str()),
            Who::Nobody => None,
        }
    }

    /// Where a user's token was refused, asks once more with another.
    async fn exchange(&self, order: &Order, permit: Option<&Permit>) -> Result<Reply, NoReply> {
        let upstream = &self.scene.sender.upstream;
        let http = &upstream.http;
        let request = || {
            let mut request = order.request().lane(Lane::Command);
            request.permit = permit.cloned();
            request
        };
        let Some(session) = self.scene.session.filter(|_| self.who == Who::User) else {
            let external = upstream.external.as_ref().filter(|_| self.who == Who::External);
            return http.send(request().credentials(external)).await.map_err(NoReply::Failure);
        };
        // A refusal with a code of its own is about the command, not about the token.
        let is_refused =
            |reply: &Reply| matches!(reply.status, 401 | 403) && error_code(reply).is_none();
        session.login.send(http, request, is_refused).await
    }
}

/// Rows of a modification feed.
pub(super) struct Modifications<T> {
    /// The highest mark.
    pub(super) mark: i64,
    pub(super) rows: Vec<T>,
    /// Whether there were rows that are not what the document says.
    pub(super) unreadable: bool,
}
