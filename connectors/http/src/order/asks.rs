//! Asking the upstream on behalf of a command: once to change it, and to read it back.

use std::future::Future;

use serde::de::DeserializeOwned;
use talon_sdk::action::Unseen;
use talon_sdk::spelling::read;
use talon_sdk::{Answer, ApplyFault, Fault, Permit, Received};

use super::answer::{self, Field};
use super::refusals::Refusals;
use super::template::Order;
use crate::{Client, Credentials, Failure, Lane, Reply, Sent, fault_of, read_json_body};

/// Why there is no reply.
pub enum NoReply {
    /// Nothing was sent, such as for want of a session.
    Unsent(Fault),
    /// What became of the request.
    Failure(Failure),
}

impl NoReply {
    fn fault(self) -> Fault {
        match self {
            NoReply::Unsent(fault) => fault,
            NoReply::Failure(failure) => failure.fault(),
        }
    }
}

/// Who asks an upstream on behalf of commands.
pub trait Asks: Sync {
    /// What the upstream's refusals mean.
    fn refusals(&self) -> &Refusals;

    /// The key under which an operator finds the credentials that are shown.
    fn setting(&self) -> Option<&str>;

    /// What the upstream says itself in a refusal, or in a success that is none: bounded, and without what
    /// must not be seen. It is put behind the words for the status. By default nothing is passed on.
    fn words(&self, _: &Reply) -> Option<String> {
        None
    }

    /// Asks once, with the permit of what changes something. Not again: it is not known what became of it.
    fn exchange(
        &self,
        order: &Order,
        permit: Option<&Permit>,
    ) -> impl Future<Output = Result<Reply, NoReply>> + Send;

    /// Sends an order that changes something; `fields` of the reply are passed on.
    ///
    /// # Errors
    /// Where it is not known to be done. A success whose body is not what the document says is unclear.
    fn send(
        &self,
        order: &Order,
        fields: &[Field],
        permit: &Permit,
    ) -> impl Future<Output = Result<Answer, ApplyFault>> + Send {
        async move {
            let reply = match self.exchange(order, Some(permit)).await {
                Ok(reply) => reply,
                Err(NoReply::Unsent(fault)) => return Err(ApplyFault::NotApplied(fault)),
                Err(NoReply::Failure(failure)) => {
                    return Err(match failure.sent {
                        Sent::No => ApplyFault::NotApplied(failure.fault()),
                        Sent::Maybe => ApplyFault::Unclear(Answer::saying(failure.reason)),
                    });
                }
            };
            let (refusals, words) = (self.refusals(), self.words(&reply));
            let said = |fault: ApplyFault| with_words(fault, words.as_deref());
            refusals.judge(order.endpoint, self.setting(), &reply).map_err(said)?;
            let is_said = words.is_some() || (refusals.code)(&reply).is_some();
            if !is_said && answer::is_documented(fields, &reply) {
                return Ok(answer::of_reply(fields, &reply));
            }
            let message = format!(
                "`{}` was answered with {} and something else than documented",
                order.endpoint, reply.status
            );
            let status = Some(reply.status);
            Err(said(ApplyFault::Unclear(Answer { status, ..Answer::saying(message) })))
        }
    }

    /// Reads what a feed takes apart.
    ///
    /// # Errors
    /// There is no answer.
    fn list(&self, order: &Order) -> impl Future<Output = Result<Received, Fault>> + Send {
        async move {
            let reply = self.exchange(order, None).await.map_err(NoReply::fault)?;
            match fault_of(order.endpoint, &reply, self.setting()) {
                Some(fault) => Err(fault),
                None => read_json_body(order.endpoint, reply),
            }
        }
    }

    /// Reads something; `None` where it is not there.
    ///
    /// # Errors
    /// Where it cannot be read now.
    fn read<T: DeserializeOwned>(
        &self,
        order: &Order,
    ) -> impl Future<Output = Result<Option<T>, Unseen>> + Send {
        async move {
            let reply = self.exchange(order, None).await.map_err(NoReply::fault)?;
            if reply.status == 404 {
                return Ok(None);
            }
            if let Some(fault) = fault_of(order.endpoint, &reply, self.setting()) {
                return Err(fault.into());
            }
            let body = read_json_body(order.endpoint, reply)?.as_it_came();
            let read = read(&body).map_err(|_| {
                Fault::unavailable(format!(
                    "`{}` was answered with other JSON than documented",
                    order.endpoint
                ))
            })?;
            Ok(Some(read))
        }
    }

    /// [`Asks::read`] of what must be there: `missing` says that it is not.
    ///
    /// # Errors
    /// As [`Asks::read`], and [`Unseen::Missing`].
    fn read_existing<T: DeserializeOwned>(
        &self,
        order: &Order,
        missing: &str,
    ) -> impl Future<Output = Result<T, Unseen>> + Send {
        async move {
            let missing = || Answer { status: Some(404), ..Answer::saying(missing) };
            self.read(order).await?.ok_or_else(|| Unseen::Missing(missing()))
        }
    }
}

/// A fault with the upstream's own words behind ours.
fn with_words(fault: ApplyFault, words: Option<&str>) -> ApplyFault {
    let Some(words) = words else { return fault };
    let said = |answer: Answer| {
        let message = format!("{}: {words}", answer.message);
        Answer { message, ..answer }
    };
    match fault {
        ApplyFault::Refused(answer) => ApplyFault::Refused(said(answer)),
        ApplyFault::Unclear(answer) => ApplyFault::Unclear(said(answer)),
        ApplyFault::NotApplied(fault) => ApplyFault::NotApplied(fault),
    }
}

/// Asks with the same credentials each time.
pub struct Desk {
    /// The client that feeds have too, so that both share its budget.
    pub http: Client,
    /// What is shown to be let in.
    pub credentials: Option<Credentials>,
    /// What refusals mean.
    pub refusals: &'static Refusals,
}

impl Asks for Desk {
    fn refusals(&self) -> &Refusals {
        self.refusals
    }

    fn setting(&self) -> Option<&str> {
        self.credentials.as_ref().map(Credentials::setting)
    }

    async fn exchange(&self, order: &Order, permit: Option<&Permit>) -> Result<Reply, NoReply> {
        let mut request =
            order.request().lane(Lane::Command).credentials(self.credentials.as_ref());
        request.permit = permit.cloned();
        self.http.send(request).await.map_err(NoReply::Failure)
    }
}
