//! What the hall's administrator asks.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use crate::enter_rest::settings::Groups;
use crate::enter_rest::store::Store;
use crate::enter_rest::store::model::{Holder, Refusal, Target};
use crate::enter_rest::{forms, show};
use crate::random::Random;

pub(super) fn answer(store: &mut Store, call: &Call) -> Result<Answer, Refusal> {
    let Call { endpoint, of, .. } = call;
    if *endpoint == "POST queue/admin/login/:login/:password" {
        if (&of[0], &of[1]) != (&store.settings.hall.0, &store.settings.hall.1) {
            return Err(Refusal::new(401, "Неверный логин или пароль"));
        }
        return Ok(Answer::Token(token(store, Holder::Hall)));
    }
    call.hall(store)?;
    let json = match *endpoint {
        "GET queue/admin/tickets" => {
            store.today().map(|place| show::ticket(store, &store.tickets[place])).collect()
        }
        "GET queue/admin/booking" => bookings(store),
        "GET queue/admin/tickets/:ticketId" => {
            show::ticket(store, &store.tickets[store.ticket(&of[0])?])
        }
        "POST queue/admin/tickets/new" => {
            let ids = match &call.body {
                Value::Array(ids) => ids.clone(),
                body => body["products"].as_array().cloned().unwrap_or_default(),
            };
            let products = ids.iter().map(|id| store.product(id.as_str().unwrap_or_default()));
            let products = products.collect::<Result<Vec<_>, _>>()?;
            let priority = call.parameter("priority").and_then(|text| text.parse().ok());
            let place = store.new_ticket("hall", &products, priority.unwrap_or(0))?;
            show::ticket(store, &store.tickets[place])
        }
        "POST queue/admin/tickets/:ticketId/addProduct/:productId" => {
            let (ticket, product) = (store.ticket(&of[0])?, store.product(&of[1])?);
            let at = store.add_product(ticket, product)?;
            show::waiting(store, (ticket, at))
        }
        "POST queue/admin/tickets/:ticketId/:ticketProductId/cancel" => {
            let (ticket, at) = service_of(store, of)?;
            store.cancel(ticket, at)?;
            return Ok(Answer::Done);
        }
        "POST queue/admin/tickets/:ticketId/:ticketProductId/setPriority" => {
            let (ticket, at) = service_of(store, of)?;
            let priority = call.parameter("priority").and_then(|text| text.parse().ok());
            store.set_priority(
                ticket,
                at,
                priority.ok_or(Refusal::new(400, "Не указан приоритет"))?,
            );
            return Ok(Answer::Done);
        }
        "POST queue/admin/redirect/users/:productId" => users(store),
        "POST queue/admin/redirect/workPlaces/:productId" => workplaces(store),
        _ => {
            // By a service of the ticket, or by one of the catalogue with the ticket in the body.
            let service = call.parameter("ticketProductId").unwrap_or_else(|| of[0].clone());
            let service = store.service(&service)?;
            let priority = call.parameter("priority").and_then(|text| text.parse().ok());
            store.redirect_waiting(service, &target(store, call)?, priority)?;
            return Ok(Answer::Done);
        }
    };
    Ok(Answer::Json(json))
}

/// A token that nobody has yet.
pub(super) fn token(store: &mut Store, holder: Holder) -> String {
    let count = store.tokens.len() as u64 + store.journal.len() as u64;
    let mut token = Random::at(&[store.settings.seed, 99, count]).guid().to_string();
    while store.tokens.contains_key(&token) {
        token.push('x');
    }
    store.tokens.insert(token.clone(), holder);
    token
}

fn service_of(store: &Store, of: &[String]) -> Result<(usize, usize), Refusal> {
    let (ticket, service) = (store.ticket(&of[0])?, store.service(&of[1])?);
    if service.0 == ticket {
        Ok(service)
    } else {
        Err(Refusal::new(404, "Услуга не из этого талона"))
    }
}

fn bookings(store: &Store) -> Value {
    let days = show::bookings(store).into_iter();
    match store.settings.groups {
        Groups::List => days
            .map(|(date, tickets)| json!({ "Date": forms::day(date), "Tickets": tickets }))
            .collect(),
        Groups::Object => {
            Value::Object(days.map(|(date, tickets)| (date.to_string(), json!(tickets))).collect())
        }
    }
}

/// Operators to whom a visitor can be redirected.
pub(super) fn users(store: &Store) -> Value {
    let shown = store.workplaces.iter().map(|place| &store.world.users[place.user]);
    shown.map(|user| json!({ "Id": user.id, "Login": user.login, "SurName": user.name })).collect()
}

/// Workplaces to which a visitor can be redirected: those without a break.
pub(super) fn workplaces(store: &Store) -> Value {
    let shown = store.workplaces.iter().filter(|place| !place.is_on_break);
    shown.map(|place| json!({ "Id": place.id, "ClientId": place.client_id })).collect()
}

/// The target in the body of a redirect.
pub(super) fn target(store: &Store, call: &Call) -> Result<Target, Refusal> {
    let unknown = Refusal::new(404, "Некуда перенаправить");
    let workplace = match call.parameter("workPlaceId") {
        None => None,
        Some(id) => {
            Some(store.workplaces.iter().position(|place| place.id == id).ok_or(unknown.clone())?)
        }
    };
    let user = match call.parameter("userId") {
        None => None,
        Some(id) => Some(store.world.users.iter().position(|user| user.id == id).ok_or(unknown)?),
    };
    Ok(Target { workplace, user })
}
