//! What a site for booking asks.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::hall::token;
use crate::enter_rest::store::Store;
use crate::enter_rest::store::model::{Holder, Refusal};
use crate::enter_rest::{forms, show};

pub(super) fn answer(store: &mut Store, call: &Call) -> Result<Answer, Refusal> {
    let Call { endpoint, of, .. } = call;
    let json = match *endpoint {
        "GET booking/menu" => show::menu(store, 1),
        "GET booking/schedule/days" => {
            product(store, call)?;
            days(store)
        }
        "GET booking/schedule/days/:date" => {
            product(store, call)?;
            let date = forms::date_of(&store.settings, &of[0])?;
            let times = store.free_times(date).into_iter();
            times
                .filter(|(_, is_free)| *is_free)
                .map(|(time, _)| json!({ "Time": time.strftime("%H:%M:%S").to_string() }))
                .collect()
        }
        "POST booking/login/:userIdentity" => {
            return Ok(Answer::Token(token(store, Holder::Visitor(of[0].clone()))));
        }
        "POST booking/book/:date/:time" => {
            let identity = call.visitor()?.to_owned();
            let date = forms::date_of(&store.settings, &of[0])?;
            let time = forms::time_of(&store.settings, &of[1])?;
            let product = product(store, call)?;
            let is_confirmed = call.parameter("confirm").as_deref() == Some("true");
            let place = store.book(&identity, product, (date, time), is_confirmed)?;
            json!({ "TicketId": store.tickets[place].id,
                "Ticket": show::ticket(store, &store.tickets[place]) })
        }
        "GET booking/tickets" => {
            let identity = call.visitor()?;
            let own = store.tickets.iter().filter(|ticket| {
                ticket.booking.as_ref().is_some_and(|booking| booking.identity == identity)
            });
            own.map(|ticket| show::ticket(store, ticket)).collect()
        }
        "GET booking/tickets/:ticketId" => {
            let place = store.booking(call.visitor()?, &of[0])?;
            show::ticket(store, &store.tickets[place])
        }
        "POST booking/tickets/:ticketId/confirm" => {
            let place = store.booking(call.visitor()?, &of[0])?;
            store.confirm(place)?;
            return Ok(Answer::Done);
        }
        _ => {
            let place = store.booking(call.visitor()?, &of[0])?;
            store.cancel_booking(place)?;
            return Ok(Answer::Done);
        }
    };
    Ok(Answer::Json(json))
}

fn product(store: &Store, call: &Call) -> Result<usize, Refusal> {
    let id = call.parameter("productId").or_else(|| call.parameter("menuLinkId"));
    store.product(&id.ok_or(Refusal::new(400, "Не указана услуга"))?)
}

/// `[{Year, Months: [{Month, Days: [{Day, Free}]}]}]`
fn days(store: &Store) -> Value {
    let mut years: BTreeMap<i16, BTreeMap<i8, Vec<Value>>> = BTreeMap::new();
    for (date, is_free) in store.free_days() {
        let days = years.entry(date.year()).or_default().entry(date.month()).or_default();
        days.push(json!({ "Day": date.day(), "Free": is_free }));
    }
    let months = |months: BTreeMap<i8, Vec<Value>>| -> Vec<Value> {
        months.into_iter().map(|(month, days)| json!({ "Month": month, "Days": days })).collect()
    };
    years.into_iter().map(|(year, of)| json!({ "Year": year, "Months": months(of) })).collect()
}
