//! Bookings: made by sites, confirmed or not, activated on their day or not.

use jiff::ToSpan;
use jiff::civil::{Date, Time};

use super::Store;
use super::model::{Booking, Refusal, state};

/// How many days ahead can be booked.
const DAYS: i32 = 20;

impl Store {
    /// POST booking/book/:date/:time
    pub(in super::super) fn book(
        &mut self,
        identity: &str,
        product: usize,
        (date, time): (Date, Time),
        is_confirmed: bool,
    ) -> Result<usize, Refusal> {
        let is_free = self.free_days().contains(&(date, true))
            && self.free_times(date).contains(&(time, true));
        if !is_free {
            return Err(Refusal::new(409, "Время недоступно для записи"));
        }
        let starts = self.instant(date.to_datetime(time));
        let state = if is_confirmed { state::CONFIRMED } else { state::RESERVED };
        let service = self.new_service(product, starts, state);
        let place = self.make_ticket("site", vec![service]);
        let expires = (!is_confirmed).then(|| self.now() + self.settings.booking_expires_ms);
        self.tickets[place].day = date;
        self.tickets[place].booking =
            Some(Booking { date, time, identity: identity.to_owned(), expires });
        let id = self.tickets[place].id.clone();
        self.note("book", identity, &id);
        self.keep(place);
        Ok(place)
    }

    /// The booking of an identity.
    pub(in super::super) fn booking(&self, identity: &str, id: &str) -> Result<usize, Refusal> {
        let place = self.ticket(id)?;
        let booking = self.tickets[place].booking.as_ref();
        if booking.is_some_and(|booking| booking.identity == identity) {
            Ok(place)
        } else {
            Err(Refusal::new(404, "Талон не найден"))
        }
    }

    /// POST booking/tickets/:ticketId/confirm
    pub(in super::super) fn confirm(&mut self, ticket: usize) -> Result<(), Refusal> {
        if !self.tickets[ticket].is_booked() {
            return Err(Refusal::new(409, "Запись отменена"));
        }
        self.put_booking(ticket, state::CONFIRMED, "confirm");
        Ok(())
    }

    /// POST booking/tickets/:ticketId/cancel
    pub(in super::super) fn cancel_booking(&mut self, ticket: usize) -> Result<(), Refusal> {
        if !self.tickets[ticket].is_booked() {
            return Err(Refusal::new(409, "Запись отменена"));
        }
        self.put_booking(ticket, state::CANCELLED, "cancel_booking");
        Ok(())
    }

    fn put_booking(&mut self, ticket: usize, to: i64, what: &'static str) {
        let now = self.now();
        let mut identity = String::new();
        if let Some(booking) = &mut self.tickets[ticket].booking {
            booking.expires = None;
            identity.clone_from(&booking.identity);
        }
        for service in &mut self.tickets[ticket].services {
            service.state = to;
            service.ended = (to != state::CONFIRMED).then_some(now);
        }
        let id = self.tickets[ticket].id.clone();
        self.note(what, &identity, &id);
        self.keep(ticket);
    }

    /// What time does to bookings: expiry, activation, the end of their day.
    pub(super) fn age_bookings(&mut self) {
        let now = self.now();
        for ticket in 0..self.tickets.len() {
            if !self.tickets[ticket].is_booked() {
                continue;
            }
            let Some(booking) = self.tickets[ticket].booking.clone() else { continue };
            if booking.expires.is_some_and(|at| at <= now) {
                self.put_booking(ticket, state::RESERVATION_CANCELLED, "expire");
            } else if booking.date < self.day {
                self.put_booking(ticket, state::NOT_ACTIVATED, "not_activated");
            } else if booking.expires.is_none()
                && self.instant(booking.date.to_datetime(booking.time)) <= now
                && self.random.below(3) == 0
            {
                for service in &mut self.tickets[ticket].services {
                    service.state = state::IN_QUEUE;
                    (service.queued, service.activated) = (Some(now), Some(now));
                }
                let id = self.tickets[ticket].id.clone();
                self.note("activate", "", &id);
                self.keep(ticket);
            }
        }
    }

    /// The days that are shown for booking, and whether there is a free place.
    pub(in super::super) fn free_days(&self) -> Vec<(Date, bool)> {
        let day = |ahead: i32| self.day.checked_add(ahead.days()).ok();
        (0..DAYS)
            .filter_map(day)
            .map(|date| (date, self.free_times(date).iter().any(|(_, is_free)| *is_free)))
            .collect()
    }

    /// The times of a day that are shown: those to come, half an hour each, and whether they are free.
    pub(in super::super) fn free_times(&self, date: Date) -> Vec<(Time, bool)> {
        let taken: Vec<Time> = self
            .tickets
            .iter()
            .filter(|ticket| ticket.is_booked())
            .filter_map(|ticket| ticket.booking.as_ref())
            .filter(|booking| booking.date == date)
            .map(|booking| booking.time)
            .collect();
        let now = self.local(self.now());
        (18..36)
            .map(|half| Time::constant(half / 2, (half % 2) * 30, 0, 0))
            .filter(|time| date.to_datetime(*time) > now)
            .map(|time| (time, !taken.contains(&time)))
            .collect()
    }
}
