//! What an operator asks, at the workplace of the token.

use serde_json::json;

use super::call::{Answer, Call};
use super::hall::{target, token, users, workplaces};
use crate::enter_rest::show;
use crate::enter_rest::store::Store;
use crate::enter_rest::store::model::{Holder, Refusal};

pub(super) fn answer(store: &mut Store, call: &Call) -> Result<Answer, Refusal> {
    let Call { endpoint, of, .. } = call;
    if *endpoint == "POST operation/identify/:clientId/:login/:password" {
        let place = store.workplaces.iter().position(|place| place.client_id == of[0]);
        let place = place.ok_or(Refusal::new(404, "Рабочее место не найдено"))?;
        let user = user(store, &of[1], &of[2])?;
        // One token, one workplace: whoever comes takes it over.
        store.tokens.retain(|_, holder| *holder != Holder::Workplace(place));
        store.workplaces[place].user = user;
        return Ok(Answer::Token(token(store, Holder::Workplace(place))));
    }
    let place = call.workplace()?;
    let json = match *endpoint {
        "GET operation/state" => show::workplace(store, &store.workplaces[place]),
        "POST operation/login/:login/:password" => {
            let user = user(store, &of[0], &of[1])?;
            store.change_user(place, user);
            return Ok(Answer::Done);
        }
        "POST operation/logout" => {
            store.tokens.remove(&call.token);
            return Ok(Answer::Done);
        }
        "GET operation/queue/count" => json!(store.queue(place).len()),
        "GET operation/queue" => {
            store.queue(place).into_iter().map(|service| show::waiting(store, service)).collect()
        }
        "GET operation/personal/count" => json!(store.personal(place).len()),
        "GET operation/personal" => {
            store.personal(place).into_iter().map(|service| show::waiting(store, service)).collect()
        }
        "POST operation/invite" => {
            let invited = store.invite(place)?;
            show::waiting(store, invited)
        }
        "POST operation/invite/:ticketProductId" => {
            let service = store.service(&of[0])?;
            let invited = store.invite_one(place, service)?;
            show::waiting(store, invited)
        }
        "GET operation/menu" => show::menu(store, 0),
        "POST operation/redirect/users/:menuLinkId" => users(store),
        "POST operation/redirect/workPlaces/:menuLinkId" => workplaces(store),
        other => {
            match other {
                "POST operation/break/begin" => store.pause(place, true)?,
                "POST operation/break/end" => store.pause(place, false)?,
                "POST operation/start" => store.start(place)?,
                "POST operation/reject" => store.end(place, "reject")?,
                "POST operation/complete" => store.end(place, "complete")?,
                "POST operation/hold" => store.end(place, "hold")?,
                _ => {
                    let product = store.product(&of[0])?;
                    let target = target(store, call)?;
                    store.redirect(place, product, &target)?;
                }
            }
            return Ok(Answer::Done);
        }
    };
    Ok(Answer::Json(json))
}

fn user(store: &Store, login: &str, password: &str) -> Result<usize, Refusal> {
    let user = store.world.users.iter().position(|user| user.login == login);
    match user {
        Some(user) if password == store.settings.operator_password => Ok(user),
        _ => Err(Refusal::new(401, "Неверный логин или пароль")),
    }
}
