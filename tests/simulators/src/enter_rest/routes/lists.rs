//! Boards, configuration, forecasts, surveys, statistics.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use crate::enter_rest::settings::Kind;
use crate::enter_rest::store::Store;
use crate::enter_rest::store::model::Refusal;
use crate::enter_rest::{forms, show};

/// The first bytes of every PNG.
const PNG: [u8; 8] = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];

pub(super) fn answer(store: &mut Store, call: &Call) -> Result<Answer, Refusal> {
    let Call { endpoint, of, .. } = call;
    let json = match *endpoint {
        "GET notifications/:clientId" => match of[0].starts_with("board") {
            true => show::board(store),
            false => return Err(Refusal::new(404, "Табло не найдено")),
        },
        "GET config/products" => show::products(store),
        "GET config/products/simple" => show::simple(store),
        "GET config/menus" => {
            let menus = store.world.menus.iter().enumerate();
            menus
                .map(|(at, (id, _))| json!({ "Id": id, "Name": format!("Меню {}", at + 1) }))
                .collect()
        }
        "GET config/menus/:menuId" => {
            let place = store.world.menus.iter().position(|(id, _)| *id == of[0]);
            show::menu(store, place.ok_or(Refusal::new(404, "Меню не найдено"))?)
        }
        "GET queue/awaiting" => {
            let products = store.world.products.iter().enumerate();
            products
                .map(|(at, product)| {
                    let waiting = store.today().filter(|place| {
                        let services = &store.tickets[*place].services;
                        services.iter().any(|of| of.product == at && of.state == 3)
                    });
                    json!({ "ProductId": product.id, "Awaiting": waiting.count() as f64 * 7.5 })
                })
                .collect()
        }
        "GET config/servers" => branches(store),
        "GET survey/:clientId/state" => show::survey(store, store.device(&of[0])?),
        "POST survey/:clientId/begin" => {
            let device = store.device(&of[0])?;
            store.begin_survey(device)?;
            show::survey(store, device)["Question"].take()
        }
        "POST survey/:clientId/answer" => {
            let device = store.device(&of[0])?;
            store.answer(device)?;
            show::survey(store, device)["Question"].take()
        }
        "POST survey/:clientId/end" => {
            let device = store.device(&of[0])?;
            store.end_survey(device)?;
            return Ok(Answer::Done);
        }
        "GET queue/statistics" => match store.settings.kind {
            Kind::Branch => show::statistics(store),
            Kind::Central => summaries(store),
        },
        "GET queue/load" => {
            json!({ "ServerCount": store.world.branches.len(), "WaitingCount": store.tickets.len() })
        }
        "GET queue/statistics/history" => {
            let (from, to) = interval(store, call)?;
            show::indicators(store, from, to)
        }
        "GET tickets/history/list" => {
            let (from, to) = interval(store, call)?;
            let of = store.tickets.iter().filter(|ticket| {
                let date = store.local(ticket.created).date();
                from <= date && date <= to
            });
            of.map(|ticket| show::ticket(store, ticket)).collect()
        }
        _ => {
            let place = store.ticket(&of[0])?;
            let mut image = PNG.to_vec();
            image.extend(store.tickets[place].id.as_bytes());
            return Ok(Answer::Image(image));
        }
    };
    Ok(Answer::Json(json))
}

fn interval(store: &Store, call: &Call) -> Result<(jiff::civil::Date, jiff::civil::Date), Refusal> {
    let text = |name: &str| call.parameter(name).unwrap_or_default();
    forms::interval_of(&store.settings, &text("startDate"), &text("endDate"))
}

fn branches(store: &Store) -> Value {
    let shown = store.world.branches.iter().map(|branch| {
        json!({
            "Id": branch.id,
            "Name": branch.name,
            "OrganizationName": "ГАУ ТО \"МФЦ\"",
            "OrganizationAddress": " ",
            "IsConnected": true,
            "WrongProtocol": false,
        })
    });
    shown.collect()
}

fn summaries(store: &Store) -> Value {
    let shown = store.world.branches.iter().enumerate().map(|(at, branch)| {
        json!({ "ServerId": branch.id, "Name": branch.name, "WaitingCount": at * 3 + store.tickets.len() })
    });
    shown.collect()
}
