//! One command on its way: in whose name it is sent, and how the upstream is asked on its behalf.

use bytes::Bytes;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use talon_http::{Body, Failure, HeaderValue, Lane, Method, Reply, Request, fault_of};
use talon_sdk::spelling::read;
use talon_sdk::{Answer, ApplyFault, Command, Fault, Permit};

use super::errors;
use super::sender::Sender;
use crate::client::Modified;
use crate::feeds::modifications::{asked, rows_since};
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

/// What is asked.
#[derive(Clone)]
pub(super) struct Order {
    pub(super) method: Method,
    pub(super) endpoint: &'static str,
    pub(super) path: Vec<String>,
    pub(super) token: Option<String>,
    pub(super) body: Option<Body>,
}

impl Order {
    /// Method and path as in the document, `POST /call/{id}/close`, with the values of the
    /// placeholders in order.
    pub(super) fn new(endpoint: &'static str, values: &[i64]) -> Order {
        let (method, path) = endpoint.split_once(" /").unwrap_or((endpoint, ""));
        let mut values = values.iter();
        let fill = |part: &str| match part.starts_with('{') {
            true => values.next().map_or_else(String::new, i64::to_string),
            false => part.to_owned(),
        };
        let method = match method {
            "POST" => Method::POST,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            _ => Method::GET,
        };
        Order {
            method,
            endpoint,
            path: path.split('/').map(fill).collect(),
            token: None,
            body: None,
        }
    }

    pub(super) fn json(mut self, body: &Json) -> Order {
        self.body = Some(Body::Bytes {
            bytes: body.to_string().into(),
            content_type: HeaderValue::from_static("application/json"),
        });
        self
    }

    pub(super) fn file(mut self, name: String, bytes: Bytes) -> Order {
        self.body = Some(Body::File { field: "Attachment", name, bytes });
        self
    }

    /// With the token of a temporary link.
    pub(super) fn token(mut self, token: &str) -> Order {
        self.token = Some(token.to_owned());
        self
    }
}

/// Why nothing was seen.
pub(super) enum Unseen {
    /// It cannot be read at all, and why.
    Blind(String),
    /// The upstream says that it is not there.
    Missing(Answer),
    /// Not now.
    Fault(Fault),
}

impl From<Fault> for Unseen {
    fn from(fault: Fault) -> Unseen {
        Unseen::Fault(fault)
    }
}

/// Why there is no reply.
enum NoReply {
    /// There is no session, so nothing was sent.
    Session(Fault),
    Failure(Failure),
}

pub(super) struct Scene<'s> {
    pub(super) sender: &'s Sender,
    pub(super) command: &'s Command,
    who: Who,
    session: Option<&'s Session>,
}

impl<'s> Scene<'s> {
    /// # Errors
    /// [`ApplyFault::Refused`] where the command names no user that there is, or one where none can be.
    pub(super) fn new(
        sender: &'s Sender,
        command: &'s Command,
        who: Who,
    ) -> Result<Scene<'s>, ApplyFault> {
        let refused = |words: &str| Err(ApplyFault::Refused(Answer::saying(words)));
        let session = match (who, &command.user) {
            (Who::User, user) => match sender.users.find(user.as_deref()) {
                Some(session) => Some(session),
                None if user.is_some() => {
                    return refused("`as` names no user; see `auth.user.{user}.name`");
                }
                None => {
                    return refused(
                        "no user is configured; see `auth.user.name`, or name one with `as`",
                    );
                }
            },
            (_, None) => None,
            (Who::External | Who::Nobody, Some(_)) => {
                return refused("is not sent in a user's name, so there must be no `as`");
            }
        };
        Ok(Scene { sender, command, who, session })
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

    /// Sends the command's order, once; where a user's token was refused, once more with another. Each
    /// time only if the permit holds.
    pub(super) async fn send(&self, order: &Order, permit: &Permit) -> Result<Reply, ApplyFault> {
        let reply = match self.exchange(self.who, order, Some(permit)).await {
            Ok(reply) => reply,
            Err(NoReply::Session(fault)) => return Err(ApplyFault::NotApplied(fault)),
            Err(NoReply::Failure(failure)) => {
                return Err(match failure.sent {
                    talon_http::Sent::No => ApplyFault::NotApplied(failure.fault()),
                    talon_http::Sent::Maybe => ApplyFault::Unclear(Answer::saying(failure.reason)),
                });
            }
        };
        errors::judge(order.endpoint, self.setting(self.who), &reply)?;
        Ok(reply)
    }

    /// Reads something; `None` where it is not there.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        who: Who,
        order: Order,
    ) -> Result<Option<T>, Unseen> {
        if who == Who::External && self.who == Who::User && self.sender.upstream.external.is_none()
        {
            return Err(Unseen::Blind(
                "what a user does can be read back by the external system only; set \
                 `auth.external.token`"
                    .to_owned(),
            ));
        }
        let endpoint = order.endpoint;
        let reply = self.exchange(who, &order, None).await.map_err(|no_reply| match no_reply {
            NoReply::Session(fault) => fault,
            NoReply::Failure(failure) => failure.fault(),
        })?;
        if reply.status == 404 {
            return Ok(None);
        }
        if let Some(fault) = fault_of(endpoint, &reply, self.setting(who)) {
            return Err(fault.into());
        }
        let body = talon_http::read_json_body(endpoint, reply)?.as_it_came();
        let read = read(&body).map_err(|_| {
            Fault::unavailable(format!("`{endpoint}` was answered with other JSON than documented"))
        })?;
        Ok(Some(read))
    }

    /// [`Scene::read`] of what must be there.
    pub(super) async fn read_existing<T: DeserializeOwned>(
        &self,
        who: Who,
        order: Order,
        missing: &str,
    ) -> Result<T, Unseen> {
        let missing = || Answer { status: Some(404), ..Answer::saying(missing) };
        self.read(who, order).await?.ok_or_else(|| Unseen::Missing(missing()))
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
        let from = mark.or_else(|| upstream.last_mark(of)).unwrap_or(0);
        let overlap = self.sender.overlap.saturating_add(1);
        let received = upstream.modifications(of, asked(from, overlap)).await?;
        let (rows, believed) = rows_since(received, Some(from))?;
        let mark = believed.highest.unwrap_or(from);
        upstream.saw_mark(of, mark);
        let read: Vec<Option<T>> = rows.iter().map(|row| read(row).ok()).collect();
        let unreadable = read.iter().any(Option::is_none);
        Ok(Modifications { mark, rows: read.into_iter().flatten().collect(), unreadable })
    }

    fn setting(&self, who: Who) -> Option<&str> {
        match who {
            Who::External => {
                self.sender.upstream.external.as_ref().map(talon_http::Credentials::setting)
            }
            Who::User => self.session.map(|session| session.account.password_setting.as_str()),
            Who::Nobody => None,
        }
    }

    /// Asks, with the permit of what changes something.
    async fn exchange(
        &self,
        who: Who,
        order: &Order,
        permit: Option<&Permit>,
    ) -> Result<Reply, NoReply> {
        let http = &self.sender.upstream.http;
        let request = || {
            let mut request =
                Request::new(order.method.clone(), order.endpoint, order.path.clone())
                    .lane(Lane::Command);
            request.headers.insert("accept", HeaderValue::from_static("application/json"));
            request.query.extend(order.token.clone().map(|token| ("token".into(), token)));
            request.body = order.body.clone();
            request.permit = permit.cloned();
            request
        };
        let Some(session) = self.session.filter(|_| who == Who::User) else {
            let external = self.sender.upstream.external.as_ref();
            let request = request().credentials(external.filter(|_| who == Who::External));
            return http.send(request).await.map_err(NoReply::Failure);
        };
        let access = session.access().await.map_err(NoReply::Session)?;
        let reply = http
            .send(request().credentials(&access.credentials))
            .await
            .map_err(NoReply::Failure)?;
        // A refusal with a code of its own is about the command, not about the token.
        if !matches!(reply.status, 401 | 403) || error_code(&reply).is_some() {
            return Ok(reply);
        }
        let access = session.other_than(&access).await.map_err(NoReply::Session)?;
        http.send(request().credentials(&access.credentials)).await.map_err(NoReply::Failure)
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
