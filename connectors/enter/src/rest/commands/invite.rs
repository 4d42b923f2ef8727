//! Calls: `InviteNext`, `InviteTicket`.
//!
//! Each call of the next one takes another visitor. So where a reply is lost, whoever was called at the
//! workplace since is adopted, also if they are gone again: those who waited before are looked for, and in the
//! history of the day whoever was called there since, also if they came later. Where there are two, an operator
//! called one of them, and nobody tells which one. Only where nobody was called, it is sent again; where that
//! cannot be seen, it is not.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use talon_http::order::{Asks, Field, Order};
use talon_sdk::action::{Action, Scene, Unseen, expected};
use talon_sdk::{Answer, ApplyFault, CommandSpec, Fault, Finding, Permit, Repeat};

use super::answers::{needed, with_ids};
use super::reading::{
    PERSONAL, Place, QUEUE, Service, applied, line, place, services, whereabouts, word,
};
use super::sender::{Asker, Sender};
use super::values::{refused, text, unclear, unread};
use super::visitor::{WORKPLACE, who_is_there};
use crate::rest::feeds::EndDate;
use crate::rest::feeds::history::ENDPOINT as HISTORY;

/// How many of those who wait are kept of a look: the next ones stand in front. The others are found by when
/// they were called.
const KEPT: usize = 20;

/// How many of the others are kept because the history of these days does not have them: their tickets were
/// made earlier, by a booking.
const KEPT_BOOKED: usize = 15;

/// How much earlier than the look a call may seem to be, where the header `Date` and the times of calls are of
/// two clocks.
const BACK_MICROS: i64 = 2_000_000;

/// How much later than the look a call may seem to be that was before it: `Date` has whole seconds.
const FORTH_MICROS: i64 = 1_000_000;

/// What of the reply is passed on.
const FIELDS: &[Field] = &[Field::Token("Id"), Field::Token("TicketProductId")];
const IDS: &[(&str, &str)] =
    &[("Id", "ticket_product_id"), ("TicketProductId", "ticket_product_id")];

/// Sends a call; whom it called is read at the workplace where the reply does not say it.
async fn invite(
    asker: &Asker<'_>,
    order: &Order,
    wanted: Option<&str>,
    permit: &Permit,
) -> Result<Answer, ApplyFault> {
    let current = place(asker).await.map_err(unread)?.current;
    expect_nobody(current.as_ref(), wanted)?;
    let sent = asker.send(order, FIELDS, permit).await;
    let sent = sent.and_then(|answer| needed(with_ids(answer, IDS), order.endpoint));
    let answer = match sent {
        Err(ApplyFault::Unclear(answer)) => answer,
        sent => return sent,
    };
    if !answer.status.is_some_and(|status| (200..300).contains(&status)) {
        return Err(ApplyFault::Unclear(answer));
    }
    // Such as nothing, where nobody waits.
    match place(asker).await {
        Ok(Place { current: Some(called), .. }) => {
            let response = Some(called.shown());
            Ok(Answer { response, ..Answer::saying("done; the workplace shows who was called") })
        }
        Ok(Place { current: None, .. }) => Err(refused(format!(
            "nobody was called: {}, and nobody is at the workplace",
            answer.message
        ))),
        Err(_) => Err(ApplyFault::Unclear(answer)),
    }
}

/// Refuses a call while somebody else than the wanted one is there.
fn expect_nobody(current: Option<&Service>, wanted: Option<&str>) -> Result<(), ApplyFault> {
    match current {
        Some(one) if wanted != Some(one.id.as_str()) => {
            let fault = refused("there is a visitor at the workplace already");
            Err(who_is_there(fault, current))
        }
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
pub(super) struct InviteNext {
    client_id: String,
}

/// What is seen of the workplace.
pub(super) struct Called {
    current: Option<Service>,
    /// Before: who waits. After: who else was called here since.
    others: Vec<Service>,
    /// How many may have been called here since, and nobody tells.
    unseen: usize,
    /// The server's time, microseconds since 1970 UTC.
    at: i64,
    /// Why it cannot be seen who was called.
    lacks: Option<String>,
}

/// Who waited before.
#[derive(Serialize, Deserialize)]
pub(super) struct WaitingMark {
    /// Service in the ticket, and the ticket.
    waiting: Vec<(String, Option<String>)>,
    /// The server's time then, microseconds since 1970 UTC.
    #[serde(default)]
    at: i64,
    /// How many of those whom no history of these days has are not kept.
    #[serde(default)]
    more: usize,
}

/// The day of a look, by the branch's clock: the history is read from it on.
fn day_of(at: i64, zone: &TimeZone) -> Date {
    Timestamp::from_microsecond(at).unwrap_or_default().to_zoned(zone.clone()).date()
}

/// Who was called at a workplace since a look, as the history of these days has it.
async fn called_since(
    sender: &Sender,
    client_id: &str,
    look: i64,
    seen: &mut Called,
) -> Result<(), Unseen> {
    let hall = match sender.hall() {
        Ok(hall) => hall,
        Err(Unseen::Blind(why)) => {
            seen.lacks = Some(why);
            return Ok(());
        }
        Err(other) => return Err(other),
    };
    let zone = &sender.clock.zone;
    let today = sender.clock.now().date();
    let first = day_of(look, zone).min(today);
    // A command that is older than that is not sent any more anyway.
    let first = first.max(today.yesterday().unwrap_or(today));
    for day in first.series(jiff::Span::new().days(1)).take_while(|day| *day <= today) {
        let list = match hall.list(&sender.forms.interval.of(HISTORY, day, EndDate::Next)).await {
            Ok(list) => list,
            Err(fault @ (Fault::Rejected { .. } | Fault::Misconfigured { .. })) => {
                seen.lacks = Some(fault.to_string());
                return Ok(());
            }
            Err(fault) => return Err(fault.into()),
        };
        let (_, tickets) = list.rows_with_heads::<Json>().map_err(Fault::from)?;
        for ticket in tickets.iter().flatten() {
            let id = text(&ticket["Id"]);
            for service in services(ticket) {
                let Some(at) = service.invited_micros(zone).filter(|at| *at >= look - BACK_MICROS)
                else {
                    continue;
                };
                let mut known = seen.others.iter().chain(&seen.current);
                let is_known = known.any(|one| one.id == service.id);
                let is_here = service.was_called_at(client_id);
                if is_here && !is_known && at >= look + FORTH_MICROS {
                    seen.others.push(service.of_ticket(id.clone()));
                } else if (is_here && !is_known) || service.was_called_anywhere() {
                    seen.unseen += 1;
                }
            }
        }
    }
    Ok(())
}

impl Action for InviteNext {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /operation/invite",
        probe: "who is at the workplace, and who of those who waited was called there meanwhile",
        ..CommandSpec::of("InviteNext", WORKPLACE, Repeat::Never)
    };
    type Seen = Called;
    type Mark = WaitingMark;

    async fn check(&self, scene: &Scene<'_, Sender>) -> Result<(), ApplyFault> {
        expected(scene.command, |_| None)?;
        scene.sender.operator(&self.client_id).map(|_| ()).map_err(unread)
    }

    async fn see(
        &self,
        scene: &Scene<'_, Sender>,
        before: Option<&WaitingMark>,
    ) -> Result<Called, Unseen> {
        let asker = scene.sender.operator(&self.client_id)?;
        let current = place(&asker).await?.current;
        let (others, at) = (Vec::new(), asker.server_micros());
        let mut seen = Called { current, others, unseen: 0, at, lacks: None };
        let Some(before) = before else {
            if seen.current.is_none() {
                seen.others = line(&asker, QUEUE).await?;
            }
            return Ok(seen);
        };
        let waiting = line(&asker, QUEUE).await?;
        for (id, ticket) in &before.waiting {
            if waiting.iter().chain(&seen.current).any(|one| one.id == *id) {
                continue;
            }
            match whereabouts(scene.sender, &asker, id, ticket.as_deref()).await? {
                Some(one) if one.was_called_at(&self.client_id) => seen.others.push(one),
                Some(one) if one.was_called_anywhere() => seen.unseen += 1,
                Some(_) => {}
                None => seen.unseen += 1,
            }
        }
        called_since(scene.sender, &self.client_id, before.at, &mut seen).await?;
        if before.more > 0 {
            let why = "more of those who booked on an earlier day waited than are remembered";
            seen.lacks.get_or_insert(why.to_owned());
        }
        Ok(seen)
    }

    fn admit(&self, _: &Scene<'_, Sender>, seen: &Called) -> Result<(), ApplyFault> {
        expect_nobody(seen.current.as_ref(), None)
    }

    fn mark(&self, scene: &Scene<'_, Sender>, seen: Called) -> WaitingMark {
        let zone = &scene.sender.clock.zone;
        let today = day_of(seen.at, zone);
        let is_in_history =
            |one: &Service| one.made_micros(zone).is_some_and(|made| day_of(made, zone) >= today);
        let mut front = seen.others;
        let behind = front.split_off(KEPT.min(front.len()));
        let mut booked: Vec<Service> =
            behind.into_iter().filter(|one| !is_in_history(one)).collect();
        let more = booked.len().saturating_sub(KEPT_BOOKED);
        booked.truncate(KEPT_BOOKED);
        let waiting = front.into_iter().chain(booked).map(|one| (one.id, one.ticket));
        WaitingMark { waiting: waiting.collect(), at: seen.at, more }
    }

    fn judge(&self, _: &Scene<'_, Sender>, _: &WaitingMark, now: Called) -> Finding {
        match (now.current, now.others.as_slice(), now.unseen, now.lacks) {
            (Some(called), [], _, _) => applied("a visitor was called", &called),
            (None, [one], _, _) => applied("a visitor was called, and is gone again", one),
            (None, [], 0, None) => Finding::Absent,
            (None, [], 0, Some(why)) => {
                unclear(format!("nobody is there, and whether somebody was is not seen: {why}"))
            }
            _ => unclear("several may have been called there, and who of them by this is not told"),
        }
    }

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        let asker = scene.sender.operator(&self.client_id).map_err(unread)?;
        invite(&asker, &Order::plain(Self::SPEC.call), None, permit).await
    }
}

#[derive(Deserialize)]
pub(super) struct InviteTicket {
    client_id: String,
    ticket_product_id: String,
}

/// What is seen of the workplace, and of whom the command names.
pub(super) struct Named {
    current: Option<Service>,
    service: Option<Service>,
}

/// The one who is named, before.
#[derive(Serialize, Deserialize)]
pub(super) struct NamedMark {
    service: Option<Service>,
}

impl Action for InviteTicket {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /operation/invite/{ticketProductId}",
        probe: "who is at the workplace, and the state of the service, before and after",
        ..CommandSpec::of("InviteTicket", WORKPLACE, Repeat::Converges)
    };
    type Seen = Named;
    type Mark = NamedMark;

    async fn check(&self, scene: &Scene<'_, Sender>) -> Result<(), ApplyFault> {
        expected(scene.command, |_| None)?;
        scene.sender.operator(&self.client_id).map(|_| ()).map_err(unread)
    }

    async fn see(
        &self,
        scene: &Scene<'_, Sender>,
        before: Option<&NamedMark>,
    ) -> Result<Named, Unseen> {
        let asker = scene.sender.operator(&self.client_id)?;
        let id = self.ticket_product_id.as_str();
        let current = place(&asker).await?.current;
        if current.as_ref().is_some_and(|one| one.id == id) {
            return Ok(Named { service: current.clone(), current });
        }
        let mut service = None;
        match before.and_then(|before| before.service.as_ref()) {
            Some(earlier) => {
                let ticket = earlier.ticket.as_deref();
                service = whereabouts(scene.sender, &asker, id, ticket).await?;
            }
            None => {
                for endpoint in [QUEUE, PERSONAL] {
                    if service.is_none() {
                        let mut all = line(&asker, endpoint).await?.into_iter();
                        service = all.find(|one| one.id == id);
                    }
                }
            }
        }
        Ok(Named { current, service })
    }

    fn admit(&self, _: &Scene<'_, Sender>, seen: &Named) -> Result<(), ApplyFault> {
        expect_nobody(seen.current.as_ref(), Some(&self.ticket_product_id))
    }

    fn mark(&self, _: &Scene<'_, Sender>, seen: Named) -> NamedMark {
        NamedMark { service: seen.service }
    }

    fn judge(&self, _: &Scene<'_, Sender>, before: &NamedMark, now: Named) -> Finding {
        if let Some(current) = now.current.filter(|one| one.id == self.ticket_product_id) {
            return applied("the visitor is at the workplace", &current);
        }
        let earlier = before.service.as_ref().and_then(|earlier| earlier.state);
        match now.service {
            Some(one) if one.state.is_some() && one.state == earlier => Finding::Absent,
            Some(one) if one.was_called_at(&self.client_id) => {
                applied("the visitor was called, and is gone again", &one)
            }
            Some(one) => unclear(format!("the service is in the state `{}`", word(one.state))),
            None => unclear("where the visitor is, is not seen"),
        }
    }

    fn may_be_so(&self, refusal: &Answer) -> bool {
        refusal.status == Some(409)
    }

    fn is_so(&self, now: &Named) -> bool {
        now.current.as_ref().is_some_and(|one| one.id == self.ticket_product_id)
    }

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        let asker = scene.sender.operator(&self.client_id).map_err(unread)?;
        let order = Order::new(Self::SPEC.call, &[&self.ticket_product_id]);
        invite(&asker, &order, Some(&self.ticket_product_id), permit).await
    }
}
