//! Redirects: what the upstream offers, and `RedirectTicket`, of a ticket that waits.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use talon_http::order::{Asks, Order};
use talon_sdk::action::{Action, Scene, Unseen, expected};
use talon_sdk::{Answer, ApplyFault, CommandSpec, Fault, Finding, Permit, Repeat};

use super::forms::RedirectBy;
use super::hall::{TICKET_KEY, priority_of, service_of, ticket};
use super::reading::{Service, applied, word};
use super::sender::{Asker, Sender};
use super::values::{text, unclear, unread};

/// Targets beyond this many are not shown.
const SHOWN: usize = 50;

/// Where it is asked to whom can be redirected. These are POSTs that read: they may be repeated.
pub(super) struct Offers {
    users: &'static str,
    workplaces: &'static str,
}

pub(super) const OPERATOR: Offers = Offers {
    users: "POST /operation/redirect/users/{menuLinkId}",
    workplaces: "POST /operation/redirect/workPlaces/{menuLinkId}",
};

const HALL: Offers = Offers {
    users: "POST /queue/admin/redirect/users/{productId}",
    workplaces: "POST /queue/admin/redirect/workPlaces/{productId}",
};

/// Refuses a target that is not offered, and says what is.
pub(super) async fn check_offered(
    asker: &Asker<'_>,
    offers: &Offers,
    by: &str,
    user: &Option<String>,
    workplace: &Option<String>,
) -> Result<(), ApplyFault> {
    for (endpoint, parameter, target) in
        [(offers.users, "user_id", user), (offers.workplaces, "workplace_id", workplace)]
    {
        let Some(target) = target else { continue };
        let missing = "the upstream knows no such service to redirect by";
        let offered: Json =
            asker.read_existing(&Order::new(endpoint, &[by]), missing).await.map_err(unread)?;
        let Json::Array(rows) = offered else {
            let reason = format!("`{endpoint}` was answered with something else than a list");
            return Err(ApplyFault::NotApplied(Fault::unavailable(reason)));
        };
        let ids: Vec<String> = rows.iter().filter_map(|row| text(&row["Id"])).collect();
        if !ids.contains(target) {
            // Names of people are not among it.
            let shown =
                |row: &Json| json!({ "id": text(&row["Id"]), "client_id": text(&row["ClientId"]) });
            let shown: Vec<Json> = rows.iter().take(SHOWN).map(shown).collect();
            return Err(ApplyFault::Refused(Answer {
                response: Some(json!({ "offered": shown }).to_string()),
                ..Answer::saying(format!("`params.{parameter}` is not offered; {} are", ids.len()))
            }));
        }
    }
    Ok(())
}

/// Refuses a link that the menu for redirects does not have, by whichever identifier, and says which it has.
/// A menu without any says nothing.
pub(super) async fn check_link(asker: &Asker<'_>, link: &str) -> Result<(), ApplyFault> {
    let menu: Option<Json> =
        asker.read(&Order::plain("GET /operation/menu")).await.map_err(unread)?;
    let mut links = Vec::new();
    gather(&menu.unwrap_or_default(), &mut links);
    if links.is_empty() || links.iter().any(|(ids, _)| ids.iter().any(|id| id == link)) {
        return Ok(());
    }
    let shown = links.iter().take(SHOWN);
    let shown: Vec<Json> =
        shown.map(|(ids, name)| json!({ "id": ids.first(), "name": name })).collect();
    Err(ApplyFault::Refused(Answer {
        response: Some(json!({ "offered": shown }).to_string()),
        ..Answer::saying("`params.menu_link_id` is not in the menu for redirects")
    }))
}

/// The identifiers and the name of each item of a menu, whatever its items stand under.
fn gather(of: &Json, links: &mut Vec<(Vec<String>, Option<String>)>) {
    match of {
        Json::Array(items) => items.iter().for_each(|item| gather(item, links)),
        Json::Object(fields) => {
            let ids = ["Id", "MenuLinkId", "ProductId"].map(|name| text(&of[name]));
            let ids: Vec<String> = ids.into_iter().flatten().collect();
            if !ids.is_empty() {
                links.push((ids, text(&of["Name"])));
            }
            fields.values().for_each(|inner| gather(inner, links));
        }
        _ => {}
    }
}

#[derive(Deserialize)]
pub(super) struct RedirectTicket {
    ticket_id: String,
    ticket_product_id: String,
    user_id: Option<String>,
    workplace_id: Option<String>,
    return_after: Option<bool>,
    priority: Option<i64>,
}

/// The service before.
#[derive(Serialize, Deserialize)]
pub(super) struct RedirectMark {
    state: Option<i64>,
    priority: Option<i64>,
}

impl RedirectTicket {
    /// What stands in the path.
    fn by(&self, sender: &Sender, ticket: &Json) -> Option<String> {
        match sender.forms.redirect_by {
            RedirectBy::TicketProduct => Some(self.ticket_product_id.clone()),
            RedirectBy::Product => {
                let services = ticket["Products"].as_array()?;
                let is_it =
                    |row: &&Json| text(&row["Id"]).as_ref() == Some(&self.ticket_product_id);
                let row = services.iter().find(is_it)?;
                text(&row["ProductId"]).or_else(|| text(&row["Product"]["Id"]))
            }
        }
    }
}

impl Action for RedirectTicket {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /queue/admin/redirect/{productId}",
        probe: "the state and the priority of the service, before and after; to whom a waiting one is redirected is not seen",
        ..CommandSpec::of("RedirectTicket", TICKET_KEY, Repeat::Never)
    };
    /// The service, and its priority.
    type Seen = (Service, Option<i64>);
    type Mark = RedirectMark;

    async fn check(&self, scene: &Scene<'_, Sender>) -> Result<(), ApplyFault> {
        expected(scene.command, |_| None)?;
        let hall = scene.sender.hall().map_err(unread)?;
        let ticket = ticket(&hall, &self.ticket_id).await.map_err(unread)?;
        service_of(&ticket, &self.ticket_product_id).map_err(unread)?;
        let by = self.by(scene.sender, &ticket).unwrap_or_default();
        check_offered(&hall, &HALL, &by, &self.user_id, &self.workplace_id).await
    }

    async fn see(
        &self,
        scene: &Scene<'_, Sender>,
        _: Option<&RedirectMark>,
    ) -> Result<(Service, Option<i64>), Unseen> {
        let ticket = ticket(&scene.sender.hall()?, &self.ticket_id).await?;
        let service = service_of(&ticket, &self.ticket_product_id)?;
        Ok((service, priority_of(&ticket, &self.ticket_product_id)))
    }

    fn mark(&self, _: &Scene<'_, Sender>, (service, priority): Self::Seen) -> RedirectMark {
        RedirectMark { state: service.state, priority }
    }

    fn judge(
        &self,
        _: &Scene<'_, Sender>,
        before: &RedirectMark,
        (service, priority): Self::Seen,
    ) -> Finding {
        const REDIRECTED: i64 = 8;
        let has_priority = self.priority.is_some_and(|wanted| priority == Some(wanted));
        if service.state == Some(REDIRECTED) && before.state != Some(REDIRECTED) {
            return applied("the service is redirected", &service);
        }
        if has_priority && before.priority != self.priority {
            return applied("the service has the priority that goes with it", &service);
        }
        unclear(format!(
            "the service is in the state `{}`, and to whom a waiting one is redirected is not seen",
            word(service.state)
        ))
    }

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        let hall = scene.sender.hall().map_err(unread)?;
        let forms = &scene.sender.forms;
        let (by, named) = match forms.redirect_by {
            RedirectBy::TicketProduct => (self.ticket_product_id.clone(), None),
            RedirectBy::Product => {
                let ticket = ticket(&hall, &self.ticket_id).await.map_err(unread)?;
                let by = self.by(scene.sender, &ticket).unwrap_or_default();
                (by, Some(json!(self.ticket_product_id)))
            }
        };
        let body = forms.body(&[
            ("userId", self.user_id.as_ref().map(|id| json!(id))),
            ("workPlaceId", self.workplace_id.as_ref().map(|id| json!(id))),
            ("return", self.return_after.map(|flag| json!(flag))),
            ("priority", self.priority.map(|number| json!(number))),
            ("ticketProductId", named),
        ]);
        hall.send(&Order::new(Self::SPEC.call, &[by]).json(&body), &[], permit).await
    }
}
