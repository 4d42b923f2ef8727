//! What sending needs: the upstream with its sessions, and what the configuration says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use talon_http::Reply;
use talon_http::order::{Asks, NoReply, Order, Refusals};
use talon_http::{Client, Lane};
use talon_sdk::action::Unseen;
use talon_sdk::config::Secret;
use talon_sdk::{ApplyFault, Command, Fault, Permit};

use super::forms::Forms;
use super::values::refused;
use super::words::words;
use crate::rest::access::{Account, Session, TokenForm};
use crate::rest::client::{As, Shared};
use crate::rest::feeds::day::BranchClock;

/// A change of the user: a refusal of it is of that user, not of the token.
pub(super) const CHANGE_USER: &str = "POST /operation/login/{login}/{password}";

/// The setting of the identity of who books, and of what else is said of identities.
pub(super) const IDENTITY: &str = "auth.booking.identity";

/// Sends the commands of one instance.
pub(crate) struct Sender {
    pub(crate) upstream: Shared,
    pub(crate) clock: BranchClock,
    pub(crate) forms: Forms,
    /// Whether a command may act on whoever is at a workplace.
    pub(crate) unguarded: bool,
    /// The largest printable ticket that is passed on.
    pub(crate) image_max_bytes: usize,
    /// Users that can be put in place of an operator: login and password.
    pub(crate) users: BTreeMap<String, [Secret; 2]>,
    pub(crate) token: TokenForm,
    /// What must not be seen in what the upstream says.
    pub(crate) hidden: Vec<Secret>,
}

impl Sender {
    /// As the operator of a workplace.
    pub(super) fn operator(&self, client_id: &str) -> Result<Asker<'_>, Unseen> {
        let session = self.upstream.session(As::Operator(client_id));
        let unknown = || Unseen::Blind("the workplace is not one of `workplaces`".to_owned());
        Ok(self.asker(Some(session.ok_or_else(unknown)?)))
    }

    /// As the hall's administrator.
    pub(super) fn hall(&self) -> Result<Asker<'_>, Unseen> {
        let session = self.upstream.session(As::Hall);
        let unknown = || Unseen::Blind("no administrator; see `auth.admin.login`".to_owned());
        Ok(self.asker(Some(session.ok_or_else(unknown)?)))
    }

    /// As who books by the settings.
    pub(super) fn visitor(&self) -> Result<Asker<'_>, Unseen> {
        let session = self.upstream.session(As::Visitor);
        let unknown = || Unseen::Blind(format!("no identity; see `{IDENTITY}`, or `booked_by`"));
        Ok(self.asker(Some(session.ok_or_else(unknown)?)))
    }

    /// As nobody.
    pub(super) fn nobody(&self) -> Asker<'_> {
        self.asker(None)
    }

    /// The session of an identity that only Talon uses.
    pub(super) fn session_of(&self, identity: &str) -> Session {
        let account = Account {
            endpoint: "POST /booking/login/{userIdentity}",
            place: None,
            secrets: vec![Secret::fixed(identity)],
            setting: IDENTITY.to_owned(),
        };
        Session::new(self.upstream.http.clone(), account, self.token.clone())
    }

    /// In a session, or in none.
    pub(super) fn asker<'s>(&'s self, session: Option<&'s Session>) -> Asker<'s> {
        Asker { sender: self, session, date_ms: AtomicI64::new(0) }
    }

    /// Whether a command says whom it expects at the workplace, or need not.
    pub(super) fn check_guard(&self, command: &Command) -> Result<(), ApplyFault> {
        if self.unguarded || command.expect.contains_key("ticket_product_id") {
            return Ok(());
        }
        Err(refused(
            "it would act on whoever is at the workplace: say in `expect` which \
             `ticket_product_id` that must be, or see `commands.unguarded`",
        ))
    }
}

/// Asks on behalf of a command.
pub(super) struct Asker<'s> {
    sender: &'s Sender,
    session: Option<&'s Session>,
    /// The server's time in its last reply that said it, ms since 1970 UTC; 0 before.
    date_ms: AtomicI64,
}

impl Asker<'_> {
    fn http(&self) -> &Client {
        &self.sender.upstream.http
    }

    /// The server's time at its last reply, by the header `Date`; where there is none, ours, less what the
    /// clocks may differ by. Microseconds since 1970 UTC.
    pub(super) fn server_micros(&self) -> i64 {
        let clock = &self.sender.clock;
        match self.date_ms.load(Ordering::Relaxed) {
            0 => clock.now_ms() - i64::try_from(clock.margin.as_millis()).unwrap_or(0),
            date_ms => date_ms,
        }
        .saturating_mul(1000)
    }

    /// Who signs in from now on where a token is needed anew.
    pub(super) fn replace_user(&self, [login, password]: &[Secret; 2]) {
        if let Some(session) = self.session {
            session.replace(login, password);
        }
    }

    fn note(&self, reply: &Reply) {
        if let Some(date_ms) = reply.date_ms {
            self.date_ms.store(date_ms, Ordering::Relaxed);
        }
    }
}

impl Asks for Asker<'_> {
    fn refusals(&self) -> &Refusals {
        const REFUSALS: Refusals = Refusals::NONE;
        &REFUSALS
    }

    fn setting(&self) -> Option<&str> {
        self.session.map(Session::setting)
    }

    fn words(&self, reply: &Reply) -> Option<String> {
        let hidden: Vec<String> = self.sender.hidden.iter().map(Secret::expose).collect();
        words(reply, &hidden)
    }

    async fn exchange(&self, order: &Order, permit: Option<&Permit>) -> Result<Reply, NoReply> {
        let reply = match (self.session, permit) {
            (None, permit) => {
                let mut request = order.request().lane(Lane::Command);
                request.permit = permit.cloned();
                return self.http().send(request).await.map_err(NoReply::Failure);
            }
            (Some(session), None) => {
                let reply = session.ask(self.http(), order, Lane::Command).await?;
                self.note(&reply);
                return Ok(reply);
            }
            (Some(session), Some(permit)) => session.change(self.http(), order, permit).await?,
        };
        if reply.status == 401 && order.endpoint != CHANGE_USER {
            // So nothing was done, and the runtime looks again before it sends again.
            return Err(NoReply::Unsent(Fault::unavailable(format!(
                "`{}` was answered with 401: the token was good no more, such as after somebody \
                 else signed in",
                order.endpoint
            ))));
        }
        Ok(reply)
    }
}
