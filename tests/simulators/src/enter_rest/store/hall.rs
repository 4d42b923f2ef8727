//! What the hall's administrator does, and what visitors do at a terminal.

use super::Store;
use super::model::{Refusal, Service, Target, Ticket, state};

impl Store {
    /// A service that is not queued yet.
    pub(super) fn new_service(&mut self, product: usize, starts: i64, state: i64) -> Service {
        let (id, created) = (self.id(), self.now());
        Service {
            id,
            product,
            state,
            priority: 0,
            created,
            starts,
            queued: (state == state::IN_QUEUE).then_some(created),
            activated: None,
            invited: None,
            operated: None,
            ended: None,
            done_at: None,
            for_workplace: None,
            for_user: None,
        }
    }

    /// A ticket that was made now.
    pub(super) fn make_ticket(&mut self, source: &'static str, services: Vec<Service>) -> usize {
        self.number += 1;
        let ticket = Ticket {
            id: self.id(),
            prefix: self.random.pick(&["A", "Т", "M"]),
            number: self.number,
            pin: format!("pin-{:06}", self.random.below(1_000_000)),
            source,
            created: self.now(),
            day: self.day,
            services,
            booking: None,
        };
        self.tickets.push(ticket);
        self.tickets.len() - 1
    }

    /// POST queue/admin/tickets/new, and what a terminal does.
    pub(in super::super) fn new_ticket(
        &mut self,
        source: &'static str,
        products: &[usize],
        priority: i64,
    ) -> Result<usize, Refusal> {
        if products.is_empty() {
            return Err(Refusal::new(400, "Не указаны услуги"));
        }
        let now = self.now();
        let mut services = Vec::new();
        for product in products {
            let service = self.new_service(*product, now, state::IN_QUEUE);
            services.push(Service { priority, ..service });
        }
        let place = self.make_ticket(source, services);
        let id = self.tickets[place].id.clone();
        self.note("new_ticket", "", &id);
        self.keep(place);
        Ok(place)
    }

    /// POST queue/admin/tickets/:ticketId/addProduct/:productId
    pub(in super::super) fn add_product(
        &mut self,
        ticket: usize,
        product: usize,
    ) -> Result<usize, Refusal> {
        if self.tickets[ticket].state() == 3 {
            return Err(Refusal::new(409, "Талон уже обслужен"));
        }
        let service = self.new_service(product, self.now(), state::IN_QUEUE);
        let id = service.id.clone();
        self.tickets[ticket].services.push(service);
        self.note("add_product", "", &id);
        self.keep(ticket);
        Ok(self.tickets[ticket].services.len() - 1)
    }

    /// POST queue/admin/tickets/:ticketId/:ticketProductId/cancel
    pub(in super::super) fn cancel(&mut self, ticket: usize, at: usize) -> Result<(), Refusal> {
        let now = self.now();
        let service = &mut self.tickets[ticket].services[at];
        if !matches!(service.state, state::IN_QUEUE | state::PERSONAL | state::RESERVED) {
            return Err(Refusal::new(409, "Услуга не ожидает обслуживания"));
        }
        (service.state, service.ended) = (state::CANCELLED, Some(now));
        let id = service.id.clone();
        self.note("cancel_product", "", &id);
        self.keep(ticket);
        Ok(())
    }

    /// POST queue/admin/tickets/:ticketId/:ticketProductId/setPriority
    pub(in super::super) fn set_priority(&mut self, ticket: usize, at: usize, priority: i64) {
        self.tickets[ticket].services[at].priority = priority;
        let id = self.tickets[ticket].services[at].id.clone();
        self.note("set_priority", "", &id);
        self.keep(ticket);
    }

    /// POST queue/admin/redirect/:productId: a service that waits goes to somebody.
    pub(in super::super) fn redirect_waiting(
        &mut self,
        (ticket, at): (usize, usize),
        target: &Target,
        priority: Option<i64>,
    ) -> Result<(), Refusal> {
        let service = &mut self.tickets[ticket].services[at];
        if service.state != state::IN_QUEUE {
            return Err(Refusal::new(409, "Услуга не ожидает обслуживания"));
        }
        (service.for_workplace, service.for_user) = (target.workplace, target.user);
        service.priority = priority.unwrap_or(service.priority);
        let id = service.id.clone();
        self.note("redirect_ticket", "", &id);
        self.keep(ticket);
        Ok(())
    }
}
