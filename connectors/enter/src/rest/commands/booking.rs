//! Bookings: `Book`, `ConfirmBooking`, `CancelBooking`.
//!
//! `booking/login` takes any string as who books. So each `Book` signs in as somebody of its own, made of
//! the command's id: what was booked under that name, this command booked, and nobody else.

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use talon_http::order::{Asks, Field, Order};
use talon_sdk::action::{Action, Scene, Unseen, expected};
use talon_sdk::{Answer, ApplyFault, CommandSpec, Fault, Finding, OrderingKey, Permit, Repeat};

use super::answers::{needed, response, with_ids, with_image};
use super::hall::TICKET_KEY;
use super::reading::services;
use super::sender::{Asker, Sender};
use super::values::{text, unclear, unread};
use crate::rest::access::Session;

/// As whom a command books: a hash, because ids of commands are the sender's and may be personal.
fn identity(command_id: &str) -> String {
    let hash: String = Md5::digest(command_id).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("talon-{hash}")
}

#[derive(Deserialize)]
pub(super) struct Book {
    product_id: String,
    date: String,
    time: String,
    confirm: bool,
    image: bool,
}

/// What was booked under the command's identity.
#[derive(Serialize, Deserialize)]
pub(super) struct BookedMark {
    tickets: Vec<String>,
}

/// The bookings of whom a session is of.
async fn booked(asker: &Asker<'_>) -> Result<Vec<String>, Unseen> {
    let list = asker.list(&Order::plain("GET /booking/tickets")).await?;
    let (_, rows) = list.rows_with_heads::<Json>().map_err(Fault::from)?;
    let ids = rows.iter().map(|row| row.as_ref().and_then(|row| text(&row["Id"])));
    let odd = || Fault::unavailable("`GET /booking/tickets` has a ticket without `Id`");
    Ok(ids.collect::<Option<Vec<String>>>().ok_or_else(odd)?)
}

fn is_booked(tickets: &[String]) -> Option<Answer> {
    let id = tickets.first()?;
    Some(Answer {
        response: Some(json!({ "ticket_id": id }).to_string()),
        ..Answer::saying("read back: it is booked")
    })
}

impl Action for Book {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /booking/book/{date}/{time}",
        probe: "the bookings of the identity that is made of the command's id",
        ..CommandSpec::of("Book", OrderingKey::Own, Repeat::Never)
    };
    type Seen = Vec<String>;
    type Mark = BookedMark;

    async fn check(&self, scene: &Scene<'_, Sender>) -> Result<(), ApplyFault> {
        expected(scene.command, |_| None)?;
        scene.sender.forms.moment(&self.date, &self.time).map(|_| ())
    }

    async fn see(
        &self,
        scene: &Scene<'_, Sender>,
        _: Option<&BookedMark>,
    ) -> Result<Vec<String>, Unseen> {
        let session = scene.sender.session_of(&identity(&scene.command.id));
        booked(&scene.sender.asker(Some(&session))).await
    }

    fn mark(&self, _: &Scene<'_, Sender>, seen: Vec<String>) -> BookedMark {
        BookedMark { tickets: seen.into_iter().take(2).collect() }
    }

    fn judge(&self, _: &Scene<'_, Sender>, _: &BookedMark, now: Vec<String>) -> Finding {
        match (is_booked(&now), now.len()) {
            (None, _) => Finding::Absent,
            (Some(answer), 1) => Finding::Applied(answer),
            (Some(_), several) => unclear(format!("there are {several} bookings of the command")),
        }
    }

    fn done_before(&self, before: &BookedMark) -> Option<Answer> {
        is_booked(&before.tickets)
    }

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        const FIELDS: &[Field] = &[Field::Token("TicketId"), Field::Token("Id")];
        let sender = scene.sender;
        let session: Session = sender.session_of(&identity(&scene.command.id));
        let asker = sender.asker(Some(&session));
        let moment = sender.forms.moment(&self.date, &self.time)?;
        let mut order =
            Order::new(Self::SPEC.call, &moment).query(sender.forms.product, &self.product_id);
        if self.confirm {
            order = order.query("confirm", "true");
        }
        let answer = asker.send(&order, FIELDS, permit).await?;
        let answer = with_ids(answer, &[("TicketId", "ticket_id"), ("Id", "ticket_id")]);
        let answer = needed(answer, Self::SPEC.call)?;
        match response(&answer).get("ticket_id").and_then(Json::as_str) {
            Some(id) if self.image => {
                Ok(with_image(&asker, answer, id, sender.image_max_bytes).await)
            }
            _ => Ok(answer),
        }
    }
}

/// The states of the services of a booking, before.
#[derive(Serialize, Deserialize)]
pub(super) struct StatesMark {
    states: BTreeMap<String, Option<i64>>,
}

type States = BTreeMap<String, Option<i64>>;

/// As who booked it.
fn session_of(sender: &Sender, booked_by: Option<&str>) -> Option<Session> {
    booked_by.map(|id| sender.session_of(&identity(id)))
}

fn asker_of<'s>(sender: &'s Sender, session: Option<&'s Session>) -> Result<Asker<'s>, Unseen> {
    match session {
        None => sender.visitor(),
        session => Ok(sender.asker(session)),
    }
}

async fn states(asker: &Asker<'_>, ticket_id: &str) -> Result<States, Unseen> {
    const BOOKING: &str = "GET /booking/tickets/{ticketId}";
    let missing = "there is no such booking of whom it was asked as; see `booked_by`";
    let ticket: Json = asker.read_existing(&Order::new(BOOKING, &[ticket_id]), missing).await?;
    let states: States = services(&ticket).into_iter().map(|one| (one.id, one.state)).collect();
    if states.is_empty() {
        let reason = format!("`{BOOKING}` was answered with no booking");
        return Err(Unseen::Fault(Fault::unavailable(reason)));
    }
    Ok(states)
}

fn are_all(states: &States, of: &[i64]) -> bool {
    states.values().all(|state| state.is_some_and(|state| of.contains(&state)))
}

macro_rules! of_booking {
    ($($name:ident, $call:literal, $done:expr, $words:literal;)*) => {$(
        #[derive(Deserialize)]
        pub(super) struct $name {
            ticket_id: String,
            /// The id of the command that booked it.
            booked_by: Option<String>,
        }

        impl Action for $name {
            type Sender = Sender;
            const SPEC: &'static CommandSpec = &CommandSpec {
                call: $call,
                probe: "the states of the booking's services, before and after",
                ..CommandSpec::of(stringify!($name), TICKET_KEY, Repeat::Converges)
            };
            type Seen = States;
            type Mark = StatesMark;

            async fn see(
                &self,
                scene: &Scene<'_, Sender>,
                _: Option<&StatesMark>,
            ) -> Result<States, Unseen> {
                let session = session_of(scene.sender, self.booked_by.as_deref());
                let asker = asker_of(scene.sender, session.as_ref())?;
                states(&asker, &self.ticket_id).await
            }

            fn mark(&self, _: &Scene<'_, Sender>, states: States) -> StatesMark {
                StatesMark { states }
            }

            fn judge(
                &self,
                _: &Scene<'_, Sender>,
                before: &StatesMark,
                now: States,
            ) -> Finding {
                if are_all(&now, &$done) {
                    return Finding::Applied(Answer::saying($words));
                }
                match now == before.states {
                    true => Finding::Absent,
                    false => unclear("the booking is in another state than the command leads to"),
                }
            }

            fn may_be_so(&self, refusal: &Answer) -> bool {
                refusal.status == Some(409)
            }

            fn is_so(&self, now: &States) -> bool {
                are_all(now, &$done)
            }

            async fn send(
                &self,
                scene: &Scene<'_, Sender>,
                permit: &Permit,
            ) -> Result<Answer, ApplyFault> {
                let session = session_of(scene.sender, self.booked_by.as_deref());
                let asker = asker_of(scene.sender, session.as_ref()).map_err(unread)?;
                asker.send(&Order::new(Self::SPEC.call, &[&self.ticket_id]), &[], permit).await
            }
        }
    )*};
}

of_booking! {
    // Booked, confirmed, and what only a confirmed one becomes: activated, called, served.
    ConfirmBooking, "POST /booking/tickets/{ticketId}/confirm", [2, 3, 4, 5, 6, 9, 13, 16],
        "read back: the booking is confirmed";
    CancelBooking, "POST /booking/tickets/{ticketId}/cancel", [1, 10],
        "read back: the booking is cancelled";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_books_is_the_same_for_one_command_and_shows_nothing_of_its_id() {
        let phone = "call of +79001234567";
        assert_eq!(identity(phone), identity(phone));
        assert_ne!(identity(phone), identity("another"));
        assert_eq!(identity(phone).len(), "talon-".len() + 32);
        assert!(!identity(phone).contains("7900"));
    }
}
