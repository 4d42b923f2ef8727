//! Tickets, workplaces and devices.

use jiff::civil::{Date, Time};

/// States of a service in a ticket (TicketProductState of the ticket export).
pub(in super::super) mod state {
    pub(in super::super::super) const RESERVED: i64 = 0;
    pub(in super::super::super) const RESERVATION_CANCELLED: i64 = 1;
    pub(in super::super::super) const IN_QUEUE: i64 = 3;
    pub(in super::super::super) const INVITED: i64 = 4;
    pub(in super::super::super) const SERVED_NOW: i64 = 5;
    pub(in super::super::super) const PERSONAL: i64 = 6;
    pub(in super::super::super) const NO_SHOW: i64 = 7;
    pub(in super::super::super) const REDIRECTED: i64 = 8;
    pub(in super::super::super) const SERVED: i64 = 9;
    pub(in super::super::super) const CANCELLED: i64 = 10;
    pub(in super::super::super) const NOT_ACTIVATED: i64 = 14;
    pub(in super::super::super) const CONFIRMED: i64 = 16;
}

#[derive(Clone)]
pub(in super::super) struct Ticket {
    pub(in super::super) id: String,
    pub(in super::super) prefix: &'static str,
    pub(in super::super) number: i64,
    pub(in super::super) pin: String,
    /// What made it: `terminal`, `hall`, `site`.
    pub(in super::super) source: &'static str,
    pub(in super::super) created: i64,
    /// The day in whose list it is.
    pub(in super::super) day: Date,
    pub(in super::super) services: Vec<Service>,
    pub(in super::super) booking: Option<Booking>,
}

/// A service within a ticket. Times are ms since 1970 UTC.
#[derive(Clone)]
pub(in super::super) struct Service {
    pub(in super::super) id: String,
    pub(in super::super) product: usize,
    pub(in super::super) state: i64,
    pub(in super::super) priority: i64,
    pub(in super::super) created: i64,
    pub(in super::super) starts: i64,
    pub(in super::super) queued: Option<i64>,
    pub(in super::super) activated: Option<i64>,
    pub(in super::super) invited: Option<i64>,
    pub(in super::super) operated: Option<i64>,
    pub(in super::super) ended: Option<i64>,
    /// Where the last operation was done, and by whom.
    pub(in super::super) done_at: Option<(usize, usize)>,
    /// The workplace or the user that alone may call it.
    pub(in super::super) for_workplace: Option<usize>,
    pub(in super::super) for_user: Option<usize>,
}

#[derive(Clone)]
pub(in super::super) struct Booking {
    pub(in super::super) date: Date,
    pub(in super::super) time: Time,
    pub(in super::super) identity: String,
    /// When it expires unless it is confirmed.
    pub(in super::super) expires: Option<i64>,
}

pub(in super::super) struct Workplace {
    pub(in super::super) client_id: String,
    pub(in super::super) id: String,
    pub(in super::super) user: usize,
    pub(in super::super) is_on_break: bool,
    /// The ticket and the service that are invited or served here.
    pub(in super::super) current: Option<(usize, usize)>,
}

/// A device that asks visitors.
pub(in super::super) struct Device {
    pub(in super::super) client_id: String,
    /// The survey that runs, and the question that stands.
    pub(in super::super) asks: Option<(String, usize)>,
    /// How the last one ended: `completed` or `aborted`.
    pub(in super::super) last: Option<&'static str>,
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Holder {
    Hall,
    Workplace(usize),
    Visitor(String),
}

/// Where a visitor is redirected to.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Target {
    pub(in super::super) workplace: Option<usize>,
    pub(in super::super) user: Option<usize>,
}

/// Why something cannot be done.
#[derive(Clone, Debug)]
pub(in super::super) struct Refusal {
    pub(in super::super) status: u16,
    pub(in super::super) words: &'static str,
}

impl Refusal {
    pub(in super::super) fn new(status: u16, words: &'static str) -> Refusal {
        Refusal { status, words }
    }
}

impl Ticket {
    /// TicketState of the ticket export.
    pub(in super::super) fn state(&self) -> i64 {
        let any = |of: &[i64]| self.services.iter().any(|service| of.contains(&service.state));
        if any(&[state::INVITED, state::SERVED_NOW]) {
            2
        } else if any(&[state::PERSONAL]) {
            4
        } else if any(&[state::IN_QUEUE]) {
            1
        } else if any(&[state::RESERVED, state::CONFIRMED]) {
            0
        } else {
            3
        }
    }

    /// Whether it is still booked: neither activated nor over.
    pub(in super::super) fn is_booked(&self) -> bool {
        self.booking.is_some() && self.state() == 0
    }

    /// Whether somebody is dealing with it.
    pub(in super::super) fn is_busy(&self) -> bool {
        self.state() == 2
    }
}
