//! What an operator does at a workplace.

use super::Store;
use super::model::{Refusal, Target, state};

const NOBODY: Refusal =
    Refusal { status: 409, words: "Нет текущего посетителя" };

impl Store {
    /// The services that wait for a workplace, in the order in which they are called.
    pub(in super::super) fn queue(&self, place: usize) -> Vec<(usize, usize)> {
        let user = self.workplaces[place].user;
        let mut waiting: Vec<(usize, usize)> = Vec::new();
        for (ticket, of) in self.tickets.iter().enumerate().filter(|(_, of)| of.day == self.day) {
            for (at, service) in of.services.iter().enumerate() {
                let is_ours = service.for_workplace.is_none_or(|of| of == place)
                    && service.for_user.is_none_or(|of| of == user);
                if service.state == state::IN_QUEUE && is_ours {
                    waiting.push((ticket, at));
                }
            }
        }
        waiting.sort_by_key(|(ticket, at)| {
            let service = &self.tickets[*ticket].services[*at];
            (-service.priority, service.queued)
        });
        waiting
    }

    /// The services that are held for a workplace.
    pub(in super::super) fn personal(&self, place: usize) -> Vec<(usize, usize)> {
        let mut held = Vec::new();
        for (ticket, of) in self.tickets.iter().enumerate() {
            for (at, service) in of.services.iter().enumerate() {
                if service.state == state::PERSONAL && service.for_workplace == Some(place) {
                    held.push((ticket, at));
                }
            }
        }
        held
    }

    /// POST operation/invite: the next one of whom nobody takes care.
    pub(in super::super) fn invite(&mut self, place: usize) -> Result<(usize, usize), Refusal> {
        let queue = self.queue(place);
        let next = queue.into_iter().find(|(ticket, _)| !self.tickets[*ticket].is_busy());
        let next = next.ok_or(Refusal::new(409, "Очередь пуста"))?;
        self.call(place, next)
    }

    /// POST operation/invite/:ticketProductId
    pub(in super::super) fn invite_one(
        &mut self,
        place: usize,
        (ticket, at): (usize, usize),
    ) -> Result<(usize, usize), Refusal> {
        let waits =
            matches!(self.tickets[ticket].services[at].state, state::IN_QUEUE | state::PERSONAL);
        if !waits || self.tickets[ticket].is_busy() {
            return Err(Refusal::new(409, "Посетитель не ожидает вызова"));
        }
        self.call(place, (ticket, at))
    }

    fn call(
        &mut self,
        place: usize,
        (ticket, at): (usize, usize),
    ) -> Result<(usize, usize), Refusal> {
        if self.workplaces[place].current.is_some() {
            return Err(Refusal::new(409, "Посетитель уже приглашён"));
        }
        if self.workplaces[place].is_on_break {
            return Err(Refusal::new(409, "Рабочее место на перерыве"));
        }
        self.workplaces[place].current = Some((ticket, at));
        self.tickets[ticket].services[at].for_workplace = None;
        self.tickets[ticket].services[at].for_user = None;
        self.turn_to(place, (ticket, at), state::INVITED, "invite");
        Ok((ticket, at))
    }

    /// Puts the service of a workplace into a state.
    fn turn_to(&mut self, place: usize, (ticket, at): (usize, usize), to: i64, what: &'static str) {
        let (now, user) = (self.now(), self.workplaces[place].user);
        let service = &mut self.tickets[ticket].services[at];
        service.state = to;
        service.done_at = Some((place, user));
        match to {
            state::INVITED => service.invited = service.invited.or(Some(now)),
            state::SERVED_NOW => service.operated = service.operated.or(Some(now)),
            state::PERSONAL => service.for_workplace = Some(place),
            _ => service.ended = Some(now),
        }
        let (id, client_id) = (service.id.clone(), self.workplaces[place].client_id.clone());
        self.note(what, &client_id, &id);
        self.keep(ticket);
    }

    /// The service that a workplace deals with, in one of these states.
    fn current(&self, place: usize, states: &[i64]) -> Result<(usize, usize), Refusal> {
        let (ticket, at) = self.workplaces[place].current.ok_or(NOBODY)?;
        let state = self.tickets[ticket].services[at].state;
        if states.contains(&state) { Ok((ticket, at)) } else { Err(NOBODY) }
    }

    /// POST operation/start
    pub(in super::super) fn start(&mut self, place: usize) -> Result<(), Refusal> {
        let current = self.current(place, &[state::INVITED])?;
        self.turn_to(place, current, state::SERVED_NOW, "start");
        Ok(())
    }

    /// POST operation/reject, operation/complete, operation/hold
    pub(in super::super) fn end(
        &mut self,
        place: usize,
        what: &'static str,
    ) -> Result<(), Refusal> {
        let (from, to) = match what {
            "reject" => (state::INVITED, state::NO_SHOW),
            "hold" => (state::SERVED_NOW, state::PERSONAL),
            _ => (state::SERVED_NOW, state::SERVED),
        };
        let current = self.current(place, &[from])?;
        self.workplaces[place].current = None;
        self.turn_to(place, current, to, what);
        Ok(())
    }

    /// POST operation/redirect/:menuLinkId: the visitor goes on with a service, at somebody's.
    pub(in super::super) fn redirect(
        &mut self,
        place: usize,
        product: usize,
        target: &Target,
    ) -> Result<(), Refusal> {
        let current = self.current(place, &[state::INVITED, state::SERVED_NOW])?;
        self.workplaces[place].current = None;
        self.turn_to(place, current, state::REDIRECTED, "redirect");
        let mut service = self.new_service(product, self.now(), state::IN_QUEUE);
        (service.for_workplace, service.for_user) = (target.workplace, target.user);
        self.tickets[current.0].services.push(service);
        self.keep(current.0);
        Ok(())
    }

    /// POST operation/break/begin, operation/break/end
    pub(in super::super) fn pause(&mut self, place: usize, begins: bool) -> Result<(), Refusal> {
        let workplace = &mut self.workplaces[place];
        if workplace.current.is_some() {
            return Err(Refusal::new(409, "Сначала завершите обслуживание"));
        }
        if workplace.is_on_break != begins {
            workplace.is_on_break = begins;
            let client_id = workplace.client_id.clone();
            self.note(if begins { "break_begin" } else { "break_end" }, &client_id, "");
        }
        Ok(())
    }

    /// POST operation/login/:login/:password
    pub(in super::super) fn change_user(&mut self, place: usize, user: usize) {
        self.workplaces[place].user = user;
        let (client_id, id) =
            (self.workplaces[place].client_id.clone(), self.world.users[user].id.clone());
        self.note("change_user", &client_id, &id);
    }
}
