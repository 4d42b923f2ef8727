//! What is asked of the upstream: the rows of `enter-rest.txt` that read.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use talon_http::order::{NoReply, Order};
use talon_http::{Client, Lane, fault_of, read_json_body};
use talon_sdk::record::fields;
use talon_sdk::{Fault, Received, Rows};

use super::access::Session;
use super::discreet::without_pins;

pub(crate) const LOGOUT: &str = "POST /operation/logout";

/// As whom something is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum As<'w> {
    /// As nobody: the document names no token.
    Nobody,
    /// As the hall's administrator, where one is configured.
    Hall,
    /// As who books, where one is configured.
    Visitor,
    /// As the operator of a workplace.
    Operator(&'w str),
}

/// The server. Shared by all feeds, so that they share its budget and its sessions.
pub(crate) struct Upstream {
    pub(crate) http: Client,
    pub(crate) hall: Option<Session>,
    pub(crate) visitor: Option<Session>,
    pub(crate) operators: BTreeMap<String, Session>,
    /// Whether `PinCode` is let through.
    pub(crate) pin_code: bool,
}

/// A menu: its identifier.
#[derive(serde::Deserialize)]
pub(crate) struct MenuHead {
    #[serde(rename = "Id")]
    pub(crate) id: String,
}

impl Upstream {
    /// Whose session it is; `None` where no token is shown.
    pub(crate) fn session(&self, who: As<'_>) -> Option<&Session> {
        match who {
            As::Nobody => None,
            As::Hall => self.hall.as_ref(),
            As::Visitor => self.visitor.as_ref(),
            As::Operator(client_id) => self.operators.get(client_id),
        }
    }

    /// Reads something.
    pub(crate) async fn read(&self, who: As<'_>, order: &Order) -> Result<Received, Fault> {
        let session = self.session(who);
        let reply = match session {
            None => self.http.send(order.request()).await.map_err(NoReply::Failure),
            Some(session) => session.ask(&self.http, order, Lane::Feed).await,
        };
        let reply = reply.map_err(|no_reply| match no_reply {
            NoReply::Unsent(fault) => fault,
            NoReply::Failure(failure) => failure.fault(),
        })?;
        if let Some(fault) = fault_of(order.endpoint, &reply, session.map(Session::setting)) {
            return Err(fault);
        }
        let body = read_json_body(order.endpoint, reply)?.as_it_came();
        let body = if self.pin_code { body } else { without_pins(body) };
        Ok(Received::new(order.endpoint, body))
    }

    /// Reads a list.
    pub(crate) async fn list(&self, who: As<'_>, endpoint: &'static str) -> Result<Rows, Fault> {
        Ok(self.read(who, &Order::plain(endpoint)).await?.rows()?)
    }

    /// Reads a list, or an object as a list of one, which is known by this name where it has none.
    pub(crate) async fn list_or_one(
        &self,
        who: As<'_>,
        order: &Order,
        id: &str,
    ) -> Result<Rows, Fault> {
        let body = self.read(who, order).await?.as_it_came();
        match one(order.endpoint, &body)? {
            Some(object) => Ok(Rows::of_one(named(object, id))),
            None => Ok(Received::new(order.endpoint, body).rows()?),
        }
    }

    /// Reads the state of something: an object, which is the only row.
    pub(crate) async fn state(&self, who: As<'_>, order: &Order) -> Result<Rows, Fault> {
        let body = self.read(who, order).await?.as_it_came();
        match one(order.endpoint, &body)? {
            Some(object) => Ok(Rows::of_one(object)),
            None => Err(Fault::unavailable(format!(
                "`{}` was answered with something else than an object",
                order.endpoint
            ))),
        }
    }

    /// Services, and of the short list what is no service.
    pub(crate) async fn products(&self, categories: bool) -> Result<Rows, Fault> {
        const PRODUCTS: &str = "GET /config/products";
        const SIMPLE: &str = "GET /config/products/simple";
        let (services, heads) =
            self.read(As::Hall, &Order::plain(PRODUCTS)).await?.rows_with_heads::<MenuHead>()?;
        if !categories {
            return Ok(services);
        }
        let known: Vec<String> = heads.into_iter().flatten().map(|head| head.id).collect();
        let (mut others, heads) =
            self.read(As::Hall, &Order::plain(SIMPLE)).await?.rows_with_heads::<MenuHead>()?;
        others.retain(|place| {
            // What cannot be read may be a category.
            heads
                .get(place)
                .is_none_or(|head| head.as_ref().is_none_or(|head| !known.contains(&head.id)))
        });
        let all = services.iter().chain(others.iter()).map(Bytes::copy_from_slice);
        Ok(Rows::of_bodies(&all.collect::<Vec<_>>()))
    }

    /// Ends the sessions at the workplaces.
    pub(crate) async fn leave(&self) {
        let order = Order::plain(LOGOUT);
        for session in self.operators.values() {
            session.leave(&self.http, &order).await;
        }
    }
}

/// A body that is an object; `None` where it is a list.
///
/// # Errors
/// Where it is neither, or an object that tells of an error alone.
fn one(endpoint: &'static str, body: &Bytes) -> Result<Option<Bytes>, Fault> {
    let other = |what: &str| Fault::unavailable(format!("`{endpoint}` was answered with {what}"));
    let text = body.trim_ascii();
    if text.starts_with(b"[") {
        return Ok(None);
    }
    let fields = fields(text).map_err(|_| other("an object that has a field twice"))?;
    match fields {
        None if text.is_empty() => Err(other("nothing")),
        None => Err(other("something else than JSON objects")),
        // Known from the vendor's other interfaces: `ErrorResponse`.
        Some(fields) if fields.is_empty() || fields.contains_key("UserMessage") => {
            Err(other("another object, such as an error"))
        }
        Some(_) => Ok(Some(body.slice_ref(text))),
    }
}

/// An object with an identifier, where it has none.
fn named(object: Bytes, id: &str) -> Bytes {
    let known = fields(&object).ok().flatten().unwrap_or_default();
    if ["Id", "ServerId", "ProductId"].iter().any(|name| known.contains_key(*name)) {
        return object;
    }
    let inside = object.get(1..).unwrap_or_default();
    [format!("{{\"Id\":{},", serde_json::Value::from(id)).as_bytes(), inside].concat().into()
}

/// A handle for the feeds.
pub(crate) type Shared = Arc<Upstream>;
