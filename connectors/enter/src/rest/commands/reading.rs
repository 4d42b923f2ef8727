//! What is read of the upstream before a command is sent, right before its first byte, and after an
//! unclear reply. Values are taken as texts and as numbers.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use talon_http::order::{Asks, Order};
use talon_sdk::action::Unseen;
use talon_sdk::entity::Codes;
use talon_sdk::{Answer, Fault, Finding, instant};

use super::sender::{Asker, Sender};
use super::values::{flag, number, text};
use crate::export::ProductState;

/// States that a service comes to only by being called: 4 invited, 5 being served, 6 in the personal
/// queue, 7 and 12 no-show, 8 redirected, 9 served.
const CALLED: [i64; 7] = [4, 5, 6, 7, 8, 9, 12];

/// A service in a ticket. Written, it is evidence: identifiers, the ticket's number and a state.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    pub(super) id: String,
    pub(super) state: Option<i64>,
    pub(super) ticket: Option<String>,
    number: Option<String>,
    /// Where the last operation was done.
    #[serde(skip)]
    at: Option<String>,
    /// When it was invited, as it is told.
    #[serde(skip)]
    invited: Option<String>,
    /// When its ticket was made, as it is told.
    #[serde(skip)]
    made: Option<String>,
    /// Under which identifiers the catalogue has it.
    #[serde(skip)]
    products: Vec<String>,
}

impl Service {
    /// A service as replies show it; `None` where it has no identifier.
    pub(super) fn of(row: &Json) -> Option<Service> {
        let id = text(&row["Id"]).or_else(|| text(&row["TicketProductId"]))?;
        let ticket = &row["Ticket"];
        let product = &row["Product"];
        let products = [&row["ProductId"], &product["Id"], &product["IntegrationId"]];
        Some(Service {
            id,
            state: number(&row["State"]),
            ticket: text(&ticket["Id"]),
            number: text(&ticket["FullNumber"]).or_else(|| text(&ticket["Number"])),
            at: text(&row["Workplace"]["ClientId"]),
            invited: text(&row["InvitedStartTime"]),
            made: text(&ticket["Created"]).or_else(|| text(&ticket["CreatedTime"])),
            products: products.into_iter().filter_map(text).collect(),
        })
    }

    /// In this ticket, which the reply does not say.
    pub(super) fn of_ticket(self, ticket: Option<String>) -> Service {
        Service { ticket, ..self }
    }

    /// Whether it is this one of the catalogue.
    pub(super) fn is_of(&self, product: &str) -> bool {
        self.products.iter().any(|one| one == product)
    }

    /// Whether it was called at a workplace: by whom, nobody tells.
    pub(super) fn was_called_at(&self, client_id: &str) -> bool {
        self.was_called() && self.at.as_deref() == Some(client_id)
    }

    fn was_called(&self) -> bool {
        self.state.is_some_and(|state| CALLED.contains(&state))
    }

    /// Whether it was called somewhere, and it is not told where.
    pub(super) fn was_called_anywhere(&self) -> bool {
        self.was_called() && self.at.is_none()
    }

    /// When it was invited first, microseconds since 1970 UTC.
    pub(super) fn invited_micros(&self, zone: &TimeZone) -> Option<i64> {
        instant::micros(self.invited.as_deref()?, zone)
    }

    /// When its ticket was made, microseconds since 1970 UTC.
    pub(super) fn made_micros(&self, zone: &TimeZone) -> Option<i64> {
        instant::micros(self.made.as_deref()?, zone)
    }

    /// For the outcome: who it is.
    pub(super) fn shown(&self) -> String {
        let Service { id, state, ticket, number, .. } = self;
        json!({
            "ticket_product_id": id,
            "ticket_id": ticket,
            "ticket_number": number,
            "state_code": state,
            "state": word(*state),
        })
        .to_string()
    }
}

/// The services of a ticket.
pub(super) fn services(ticket: &Json) -> Vec<Service> {
    ticket["Products"].as_array().into_iter().flatten().filter_map(Service::of).collect()
}

/// The word for a state of a service.
pub(super) fn word(state: Option<i64>) -> String {
    let Some(state) = state else { return "unknown".to_owned() };
    let known = ProductState::KNOWN.iter().find(|(code, _)| *code == state);
    known.map_or_else(|| format!("unknown({state})"), |(_, word)| (*word).to_owned())
}

/// A workplace as it is now.
pub(super) struct Place {
    /// Who is invited or served there.
    pub(super) current: Option<Service>,
    pub(super) is_on_break: Option<bool>,
    /// Who works there.
    pub(super) user: Option<String>,
    /// Personal: not to be kept.
    pub(super) login: Option<String>,
}

impl Place {
    /// `None` where it is none: what is missing would say that nobody is there.
    fn of(state: &Json) -> Option<Place> {
        const KNOWN: [&str; 5] = ["TicketProduct", "IsBreak", "User", "ClientId", "WorkplaceId"];
        let fields = state.as_object()?;
        if !KNOWN.iter().any(|name| fields.contains_key(*name)) {
            return None;
        }
        let current = match &state["TicketProduct"] {
            Json::Null => None,
            service => Some(Service::of(service)?),
        };
        Some(Place {
            current,
            is_on_break: flag(&state["IsBreak"]),
            user: text(&state["User"]["Id"]),
            login: text(&state["User"]["Login"]),
        })
    }
}

/// The workplace of an operator.
pub(super) async fn place(asker: &Asker<'_>) -> Result<Place, Unseen> {
    const STATE: &str = "GET /operation/state";
    let missing = "the upstream does not know the workplace";
    let state: Json = asker.read_existing(&Order::plain(STATE), missing).await?;
    let other = || Fault::unavailable(format!("`{STATE}` was answered with no state"));
    Ok(Place::of(&state).ok_or_else(other)?)
}

/// The services that wait for a workplace, or that are held there.
pub(super) async fn line(
    asker: &Asker<'_>,
    endpoint: &'static str,
) -> Result<Vec<Service>, Unseen> {
    let (_, heads) = asker
        .list(&Order::plain(endpoint))
        .await?
        .rows_with_heads::<Json>()
        .map_err(Fault::from)?;
    Ok(heads.iter().flatten().filter_map(Service::of).collect())
}

pub(super) const QUEUE: &str = "GET /operation/queue";
pub(super) const PERSONAL: &str = "GET /operation/personal";

/// What became of a service that is not at the workplace any more: by the ticket where there is a hall's
/// administrator, else as far as the lists of the workplace show it.
pub(super) async fn whereabouts(
    sender: &Sender,
    asker: &Asker<'_>,
    id: &str,
    ticket: Option<&str>,
) -> Result<Option<Service>, Unseen> {
    if let (Ok(hall), Some(ticket)) = (sender.hall(), ticket) {
        let order = Order::new(TICKET, &[ticket]);
        let ticket: Option<Json> = hall.read(&order).await?;
        return Ok(ticket.and_then(|ticket| {
            let found = services(&ticket).into_iter().find(|one| one.id == id)?;
            let ticket_id = text(&ticket["Id"]);
            let shown = text(&ticket["FullNumber"]).or_else(|| text(&ticket["Number"]));
            Some(Service { ticket: ticket_id, number: shown, ..found })
        }));
    }
    for endpoint in [PERSONAL, QUEUE] {
        if let Some(found) = line(asker, endpoint).await?.into_iter().find(|one| one.id == id) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

pub(super) const TICKET: &str = "GET /queue/admin/tickets/{ticketId}";

/// It was done, to this one.
pub(super) fn applied(words: &str, service: &Service) -> Finding {
    let response = Some(service.shown());
    Finding::Applied(Answer { response, ..Answer::saying(format!("read back: {words}")) })
}
