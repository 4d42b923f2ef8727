//! `NewTicket`: a ticket has no identifier of the sender's choice, so after a lost reply it is known by
//! what it is: not there before, with the same services, from the hall's administrator, and made since.
//!
//! The list of today has only those that are not done with. So after a lost reply the history is read too:
//! a ticket that was served, or cancelled, meanwhile is in it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use talon_http::order::{Asks, Field, Order};
use talon_sdk::action::{Action, Scene, Unseen};
use talon_sdk::{
    Answer, ApplyFault, CommandSpec, Fault, Finding, OrderingKey, Permit, Received, Repeat, instant,
};

use super::answers::{needed, response, with_ids, with_image};
use super::sender::Sender;
use super::values::{text, unclear, unread};
use crate::rest::feeds::EndDate;
use crate::rest::feeds::history::ENDPOINT as HISTORY;

const TICKETS: &str = "GET /queue/admin/tickets";

/// What a ticket has of the wanted services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    /// These, and no other.
    Alike,
    /// These, and others: somebody may have added them.
    More,
}

/// By how much the server's clock may have been set back since the newest ticket.
const BACK_MICROS: i64 = 2_000_000;

/// Tickets beyond this many say no more.
const KEPT: usize = 50;

#[derive(Deserialize)]
pub(super) struct NewTicket {
    product_ids: Vec<String>,
    priority: Option<i64>,
    image: bool,
}

/// What is read of a ticket of the list.
#[derive(Deserialize)]
struct Row {
    #[serde(rename = "Id", default)]
    id: Json,
    #[serde(rename = "Created", alias = "CreatedTime", default)]
    created: Json,
    #[serde(rename = "Source", default)]
    source: Json,
    #[serde(rename = "Products", default)]
    services: Option<Vec<RowService>>,
}

#[derive(Deserialize)]
struct RowService {
    #[serde(rename = "ProductId", default)]
    product_id: Json,
    #[serde(rename = "Product", default)]
    product: Json,
}

impl RowService {
    fn is_of(&self, product: &str) -> bool {
        let ids = [&self.product_id, &self.product["Id"], &self.product["IntegrationId"]];
        ids.into_iter().any(|id| text(id).as_deref() == Some(product))
    }
}

/// A ticket.
pub(super) struct One {
    id: String,
    created: Option<i64>,
    /// Whether it stands in the list of today: it is not done with.
    is_listed: bool,
    /// `None` where it lacks some of the services.
    likeness: Option<Likeness>,
    /// Whether the hall's administrator made it; `None` where it does not say.
    is_ours: Option<bool>,
}

/// The list of today; after a lost reply, with those that are done with.
pub(super) struct Tickets {
    all: Vec<One>,
    /// When the newest of all was made, by the server's clock.
    newest: Option<i64>,
    /// Whether something in it cannot be read.
    has_odd: bool,
    day: Date,
    /// The day turns about now: the list may have begun anew.
    is_turning: bool,
    /// The server's time, microseconds since 1970 UTC.
    at: i64,
    /// Why those that are done with are not among them.
    lacks: Option<String>,
}

/// The list as it was before.
#[derive(Serialize, Deserialize)]
pub(super) struct TicketsMark {
    newest: Option<i64>,
    /// Those that were made about then, whatever their services: these may change.
    known: Vec<String>,
    day: String,
    /// The server's time then, microseconds since 1970 UTC.
    #[serde(default)]
    at: i64,
}

impl NewTicket {
    /// What a ticket with these services has of the wanted ones.
    fn likeness(&self, services: &[RowService]) -> Option<Likeness> {
        let mut left: Vec<&RowService> = services.iter().collect();
        let mut has = |wanted: &String| {
            let place = left.iter().position(|one| one.is_of(wanted));
            place.map(|place| left.swap_remove(place)).is_some()
        };
        if !self.product_ids.iter().all(&mut has) {
            return None;
        }
        Some(if left.is_empty() { Likeness::Alike } else { Likeness::More })
    }

    /// Takes in a list of tickets.
    fn take(
        &self,
        sender: &Sender,
        list: Received,
        is_listed: bool,
        seen: &mut Tickets,
    ) -> Result<(), Fault> {
        let (_, rows) = list.rows_with_heads::<Row>()?;
        for row in &rows {
            let Some((row, id)) = row.as_ref().and_then(|row| Some((row, text(&row.id)?))) else {
                seen.has_odd = true;
                continue;
            };
            let created =
                row.created.as_str().and_then(|at| instant::micros(at, &sender.clock.zone));
            seen.newest = seen.newest.max(created);
            if seen.all.iter().all(|one| one.id != id) {
                let likeness = self.likeness(row.services.as_deref().unwrap_or_default());
                let is_ours = sender.forms.is_ours(Some(&row.source));
                seen.all.push(One { id, created, is_listed, likeness, is_ours });
            }
        }
        Ok(())
    }
}

impl Action for NewTicket {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /queue/admin/tickets/new",
        probe: "a ticket that was not there before, with the same services, of the administrator, made since",
        // One after another, so that they are not taken for each other.
        ..CommandSpec::of("NewTicket", OrderingKey::Fixed("new-ticket"), Repeat::Never)
    };
    type Seen = Tickets;
    type Mark = TicketsMark;

    async fn see(
        &self,
        scene: &Scene<'_, Sender>,
        before: Option<&TicketsMark>,
    ) -> Result<Tickets, Unseen> {
        let Sender { clock, forms, .. } = scene.sender;
        let hall = scene.sender.hall()?;
        let day = clock.now().date();
        let mut seen = Tickets {
            all: Vec::new(),
            newest: None,
            has_odd: false,
            day,
            is_turning: clock.soon().date() != day,
            at: 0,
            lacks: None,
        };
        self.take(scene.sender, hall.list(&Order::plain(TICKETS)).await?, true, &mut seen)?;
        seen.at = hall.server_micros();
        if before.is_some() {
            let order = forms.interval.of(HISTORY, day, EndDate::Next);
            match hall.list(&order).await {
                Ok(list) => self.take(scene.sender, list, false, &mut seen)?,
                Err(fault @ (Fault::Rejected { .. } | Fault::Misconfigured { .. })) => {
                    seen.lacks = Some(fault.to_string());
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(seen)
    }

    fn mark(&self, _: &Scene<'_, Sender>, seen: Tickets) -> TicketsMark {
        let since = seen.newest;
        let late = seen.all.into_iter().filter(|one| is_since(one.created, since));
        TicketsMark {
            newest: seen.newest,
            known: late.map(|one| one.id).take(KEPT).collect(),
            day: seen.day.to_string(),
            at: seen.at,
        }
    }

    fn judge(&self, _: &Scene<'_, Sender>, before: &TicketsMark, now: Tickets) -> Finding {
        let is_new = |one: &&One| {
            is_since(one.created, before.newest)
                && !before.known.contains(&one.id)
                && one.is_ours != Some(false)
        };
        let candidates = now.all.iter().filter(is_new);
        let new: Vec<&One> = candidates.filter(|one| one.likeness.is_some()).collect();
        match new.as_slice() {
            [One { is_ours: None, .. }] => unclear(
                "there is a new ticket with these services, and its `Source` does not say who made \
                 it; see `ticket.source`",
            ),
            // Before, it was in no list that was read.
            [One { is_listed: false, created, .. }] if !is_since(*created, Some(before.at)) => {
                unclear("a ticket with these services that is done with may be an earlier one")
            }
            [One { id, likeness: Some(Likeness::Alike), .. }] => Finding::Applied(Answer {
                response: Some(json!({ "ticket_id": id }).to_string()),
                ..Answer::saying("read back: the ticket is there")
            }),
            [_] => unclear("there is a new ticket with these services and others"),
            [] if now.has_odd => unclear("some of the tickets cannot be read"),
            [] if now.is_turning || now.day.to_string() != before.day => {
                unclear("the day turns, and with it the list of tickets begins anew")
            }
            [] if before.known.len() == KEPT => unclear("there were too many tickets about then"),
            [] => match now.lacks {
                Some(why) => unclear(format!("tickets that are done with cannot be seen: {why}")),
                None => Finding::Absent,
            },
            several => unclear(format!("there are {} new tickets like it", several.len())),
        }
    }

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        const FIELDS: &[Field] =
            &[Field::Token("Id"), Field::Token("FullNumber"), Field::Token("Number")];
        let hall = scene.sender.hall().map_err(unread)?;
        let body = match self.priority {
            None => json!(self.product_ids),
            Some(priority) => scene.sender.forms.body(&[
                ("products", Some(json!(self.product_ids))),
                ("priority", Some(json!(priority))),
            ]),
        };
        let answer = hall.send(&Order::plain(Self::SPEC.call).json(&body), FIELDS, permit).await?;
        let names =
            [("Id", "ticket_id"), ("FullNumber", "ticket_number"), ("Number", "ticket_number")];
        let answer = needed(with_ids(answer, &names), Self::SPEC.call)?;
        match response(&answer).get("ticket_id").and_then(Json::as_str) {
            Some(id) if self.image => {
                Ok(with_image(&hall, answer, id, scene.sender.image_max_bytes).await)
            }
            Some(_) => Ok(answer),
            None => needed(Answer { response: None, ..answer }, Self::SPEC.call),
        }
    }
}

/// Whether something was made since, by the server's clock; what does not tell may have been.
fn is_since(created: Option<i64>, since: Option<i64>) -> bool {
    match (created, since) {
        (Some(created), Some(since)) => created >= since - BACK_MICROS,
        _ => true,
    }
}
