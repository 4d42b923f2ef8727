//! `NewTicket`: a ticket has no identifier of the sender's choice, so after a lost reply it is known by
//! what it is: not there before, with the same services, from the hall's administrator, and made since.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use talon_http::order::{Asks, Field, Order};
use talon_sdk::action::{Action, Scene, Unseen};
use talon_sdk::{
    Answer, ApplyFault, CommandSpec, Fault, Finding, OrderingKey, Permit, Repeat, instant,
};

use super::answers::{needed, response, with_ids, with_image};
use super::sender::Sender;
use super::values::{text, unclear, unread};

const TICKETS: &str = "GET /queue/admin/tickets";

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

/// A ticket with the same services.
pub(super) struct Alike {
    id: String,
    created: Option<i64>,
    /// Whether the hall's administrator made it; `None` where it does not say.
    is_ours: Option<bool>,
}

/// The list of today.
pub(super) struct Tickets {
    alike: Vec<Alike>,
    /// When the newest of all was made, by the server's clock.
    newest: Option<i64>,
    /// Whether something in it cannot be read.
    has_odd: bool,
    day: Date,
    /// The day turns about now: the list may have begun anew.
    is_turning: bool,
}

/// The list as it was before.
#[derive(Serialize, Deserialize)]
pub(super) struct TicketsMark {
    newest: Option<i64>,
    /// Those like it that were made about then.
    alike: Vec<String>,
    day: String,
}

impl NewTicket {
    /// Whether a ticket has these services, and no other.
    fn is_alike(&self, services: &[RowService]) -> bool {
        let mut left: Vec<&RowService> = services.iter().collect();
        let mut has = |wanted: &String| {
            let place = left.iter().position(|one| one.is_of(wanted));
            place.map(|place| left.swap_remove(place)).is_some()
        };
        services.len() == self.product_ids.len() && self.product_ids.iter().all(&mut has)
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
        _: Option<&TicketsMark>,
    ) -> Result<Tickets, Unseen> {
        let Sender { clock, forms, .. } = scene.sender;
        let list = scene.sender.hall()?.list(&Order::plain(TICKETS)).await?;
        let (_, rows) = list.rows_with_heads::<Row>().map_err(Fault::from)?;
        let mut seen = Tickets {
            alike: Vec::new(),
            newest: None,
            has_odd: rows.iter().any(|row| row.as_ref().is_none_or(|row| text(&row.id).is_none())),
            day: clock.now().date(),
            is_turning: clock.soon().date() != clock.now().date(),
        };
        for row in rows.iter().flatten() {
            let created =
                row.created.as_str().and_then(|stamp| instant::micros(stamp, &clock.zone));
            seen.newest = seen.newest.max(created);
            let services = row.services.as_deref().unwrap_or_default();
            if let Some(id) = text(&row.id).filter(|_| self.is_alike(services)) {
                seen.alike.push(Alike { id, created, is_ours: forms.is_ours(Some(&row.source)) });
            }
        }
        Ok(seen)
    }

    fn mark(&self, _: &Scene<'_, Sender>, seen: Tickets) -> TicketsMark {
        let since = seen.newest;
        let late = seen.alike.into_iter().filter(|one| is_since(one.created, since));
        TicketsMark {
            newest: seen.newest,
            alike: late.map(|one| one.id).take(KEPT).collect(),
            day: seen.day.to_string(),
        }
    }

    fn judge(&self, _: &Scene<'_, Sender>, before: &TicketsMark, now: Tickets) -> Finding {
        let is_new = |one: &&Alike| {
            is_since(one.created, before.newest)
                && !before.alike.contains(&one.id)
                && one.is_ours != Some(false)
        };
        let new: Vec<&Alike> = now.alike.iter().filter(is_new).collect();
        match new.as_slice() {
            [Alike { id, is_ours: Some(_), .. }] => Finding::Applied(Answer {
                response: Some(json!({ "ticket_id": id }).to_string()),
                ..Answer::saying("read back: the ticket is there")
            }),
            [_] => unclear(
                "there is a new ticket with these services, and its `Source` does not say who made \
                 it; see `ticket.source`",
            ),
            [] if now.has_odd => unclear("some of the tickets cannot be read"),
            [] if now.is_turning || now.day.to_string() != before.day => {
                unclear("the day turns, and with it the list of tickets begins anew")
            }
            [] if before.alike.len() == KEPT => unclear("there were too many tickets like it"),
            [] => Finding::Absent,
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
