//! What the hall's administrator does with a ticket: `AddProduct`, `CancelProduct`, `SetPriority`.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use talon_http::order::{Asks, Field, Order};
use talon_sdk::action::{Action, Scene, Unseen, unseen};
use talon_sdk::{Answer, ApplyFault, CommandSpec, Fault, Finding, OrderingKey, Permit, Repeat};

use super::answers::{needed, with_ids};
use super::reading::{Service, TICKET, applied, services, word};
use super::sender::{Asker, Sender};
use super::values::{number, text, unclear, unread};

/// What commands about a ticket are ordered by.
pub(super) const TICKET_KEY: OrderingKey = OrderingKey::Params(&["ticket_id"]);

/// A ticket, as the hall's administrator sees it.
pub(super) async fn ticket(hall: &Asker<'_>, id: &str) -> Result<Json, Unseen> {
    let ticket: Json =
        hall.read_existing(&Order::new(TICKET, &[id]), "there is no such ticket").await?;
    if text(&ticket["Id"]).is_some() && ticket["Products"].is_array() {
        return Ok(ticket);
    }
    let reason = format!("`{TICKET}` was answered with no ticket");
    Err(Unseen::Fault(Fault::unavailable(reason)))
}

/// A service of a ticket.
pub(super) fn service_of(ticket: &Json, id: &str) -> Result<Service, Unseen> {
    let found = services(ticket).into_iter().find(|one| one.id == id);
    let missing = || Unseen::Missing(Answer::saying("the ticket has no such service"));
    Ok(found.ok_or_else(missing)?.of_ticket(text(&ticket["Id"])))
}

/// `CurrentPriority` of a service of a ticket.
pub(super) fn priority_of(ticket: &Json, id: &str) -> Option<i64> {
    let mut rows = ticket["Products"].as_array()?.iter();
    number(&rows.find(|row| text(&row["Id"]).as_deref() == Some(id))?["CurrentPriority"])
}

#[derive(Deserialize)]
pub(super) struct AddProduct {
    ticket_id: String,
    product_id: String,
}

/// The services of the ticket that are this one of the catalogue.
#[derive(Serialize, Deserialize)]
pub(super) struct ServicesMark {
    services: Vec<String>,
}

impl Action for AddProduct {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /queue/admin/tickets/{ticketId}/addProduct/{productId}",
        probe: "how many such services the ticket has, before and after",
        ..CommandSpec::of("AddProduct", TICKET_KEY, Repeat::Never)
    };
    type Seen = Vec<Service>;
    type Mark = ServicesMark;

    async fn see(
        &self,
        scene: &Scene<'_, Sender>,
        _: Option<&ServicesMark>,
    ) -> Result<Vec<Service>, Unseen> {
        let ticket = ticket(&scene.sender.hall()?, &self.ticket_id).await?;
        Ok(services(&ticket).into_iter().filter(|one| one.is_of(&self.product_id)).collect())
    }

    fn mark(&self, _: &Scene<'_, Sender>, seen: Vec<Service>) -> ServicesMark {
        ServicesMark { services: seen.into_iter().map(|one| one.id).collect() }
    }

    fn judge(&self, _: &Scene<'_, Sender>, before: &ServicesMark, now: Vec<Service>) -> Finding {
        let new: Vec<&Service> =
            now.iter().filter(|one| !before.services.contains(&one.id)).collect();
        match new.as_slice() {
            [] => Finding::Absent,
            [one] => {
                let service = (*one).clone().of_ticket(Some(self.ticket_id.clone()));
                applied("the ticket has one such service more", &service)
            }
            several => unclear(format!("the ticket has {} such services more", several.len())),
        }
    }

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        let hall = scene.sender.hall().map_err(unread)?;
        let order = Order::new(Self::SPEC.call, &[&self.ticket_id, &self.product_id]);
        let answer = hall.send(&order, &[Field::Token("Id")], permit).await?;
        needed(with_ids(answer, &[("Id", "ticket_product_id")]), Self::SPEC.call)
    }
}

#[derive(Deserialize)]
pub(super) struct CancelProduct {
    ticket_id: String,
    ticket_product_id: String,
}

/// The state of a service before.
#[derive(Serialize, Deserialize)]
pub(super) struct StateMark {
    state: Option<i64>,
}

/// TicketProductState: cancelled.
const CANCELLED: i64 = 10;

impl Action for CancelProduct {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /queue/admin/tickets/{ticketId}/{ticketProductId}/cancel",
        probe: "the state of the service, before and after",
        ..CommandSpec::of("CancelProduct", TICKET_KEY, Repeat::Converges)
    };
    type Seen = Service;
    type Mark = StateMark;

    async fn see(
        &self,
        scene: &Scene<'_, Sender>,
        _: Option<&StateMark>,
    ) -> Result<Service, Unseen> {
        let ticket = ticket(&scene.sender.hall()?, &self.ticket_id).await?;
        service_of(&ticket, &self.ticket_product_id)
    }

    fn mark(&self, _: &Scene<'_, Sender>, seen: Service) -> StateMark {
        StateMark { state: seen.state }
    }

    fn judge(&self, _: &Scene<'_, Sender>, before: &StateMark, now: Service) -> Finding {
        match now.state {
            Some(CANCELLED) => applied("the service is cancelled", &now),
            state if state == before.state => Finding::Absent,
            state => unclear(format!("the service is in the state `{}` now", word(state))),
        }
    }

    fn may_be_so(&self, refusal: &Answer) -> bool {
        refusal.status == Some(409)
    }

    fn is_so(&self, now: &Service) -> bool {
        now.state == Some(CANCELLED)
    }

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        let hall = scene.sender.hall().map_err(unread)?;
        let order = Order::new(Self::SPEC.call, &[&self.ticket_id, &self.ticket_product_id]);
        hall.send(&order, &[], permit).await
    }
}

#[derive(Deserialize)]
pub(super) struct SetPriority {
    ticket_id: String,
    ticket_product_id: String,
    priority: i64,
}

impl Action for SetPriority {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /queue/admin/tickets/{ticketId}/{ticketProductId}/setPriority",
        probe: "not needed: it is set again",
        ..CommandSpec::of("SetPriority", TICKET_KEY, Repeat::Always)
    };
    unseen!("a priority is set again rather than read back");

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        let hall = scene.sender.hall().map_err(unread)?;
        let body = scene.sender.forms.body(&[("priority", Some(json!(self.priority)))]);
        let order = Order::new(Self::SPEC.call, &[&self.ticket_id, &self.ticket_product_id]);
        hall.send(&order.json(&body), &[], permit).await
    }
}
