//! The hall: what there is, and what can happen to it.

mod booking;
mod desk;
mod hall;
mod life;
pub(super) mod model;
mod survey;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::Value;

use model::{Device, Holder, Refusal, Ticket, Workplace};

use super::journal::Effect;
use super::settings::Settings;
use super::world::World;
use crate::random::Random;

pub(super) struct Store {
    pub(super) settings: Settings,
    pub(super) world: World,
    pub(super) zone: TimeZone,
    random: Random,
    /// The time that it is in the hall, ms since 1970 UTC; none before its life began.
    at: Option<i64>,
    /// Until when the life has been led, in whole steps, ms since 1970 UTC.
    lived: i64,
    pub(super) day: Date,
    pub(super) tickets: Vec<Ticket>,
    pub(super) workplaces: Vec<Workplace>,
    pub(super) devices: Vec<Device>,
    pub(super) tokens: HashMap<String, Holder>,
    pub(super) journal: Vec<Effect>,
    pub(super) history: BTreeMap<String, Vec<Value>>,
    number: i64,
    /// How a ticket is shown.
    show: fn(&Store, &Ticket) -> Value,
    /// Whether what happens was asked for.
    pub(super) is_asked: bool,
}

impl Store {
    /// A hall whose life has not begun; `show` is how its tickets are shown.
    pub(super) fn new(settings: Settings, show: fn(&Store, &Ticket) -> Value) -> Store {
        let world = World::new(settings.seed, settings.workplaces, settings.branches);
        let mut random = Random::at(&[settings.seed, 2]);
        let workplaces = (0..settings.workplaces).map(|place| Workplace {
            client_id: format!("window{:02}", place + 1),
            id: random.guid().to_string(),
            user: place,
            is_on_break: false,
            current: None,
        });
        let workplaces = workplaces.collect();
        let devices = (1..=2).map(|place| Device {
            client_id: format!("survey{place:02}"),
            asks: None,
            last: None,
        });
        Store {
            zone: TimeZone::get(&settings.zone).unwrap_or(TimeZone::UTC),
            world,
            random,
            at: None,
            lived: 0,
            day: Date::MIN,
            tickets: Vec::new(),
            workplaces,
            devices: devices.collect(),
            tokens: HashMap::new(),
            journal: Vec::new(),
            history: BTreeMap::new(),
            number: 0,
            show,
            is_asked: false,
            settings,
        }
    }

    /// The time that it is in the hall, ms since 1970 UTC.
    pub(super) fn now(&self) -> i64 {
        self.at.unwrap_or(0)
    }

    /// The branch's clock at a time.
    pub(super) fn local(&self, at_ms: i64) -> DateTime {
        Timestamp::from_millisecond(at_ms)
            .map_or(DateTime::MIN, |at| at.to_zoned(self.zone.clone()).datetime())
    }

    /// When a local time is, ms since 1970 UTC.
    pub(super) fn instant(&self, local: DateTime) -> i64 {
        self.zone.to_timestamp(local).map_or(0, Timestamp::as_millisecond)
    }

    /// Leads the life on, in whole steps, however often it is asked for. A clock that is set back changes
    /// nothing.
    pub(super) fn live_until(&mut self, now: i64) {
        self.is_asked = false;
        let Some(before) = self.at else {
            (self.at, self.lived) = (Some(now), now);
            self.day = self.local(now).date();
            self.begin();
            return;
        };
        while self.lived + self.settings.step_ms <= now {
            self.lived += self.settings.step_ms;
            // Behind `before` only where the steps became shorter.
            self.at = Some(self.lived.max(before));
            self.step();
        }
        self.at = Some(now.max(before));
        self.turn();
    }

    fn begin(&mut self) {
        let (visitors, bookings) = (self.settings.visitors, self.settings.bookings);
        for _ in 0..visitors {
            self.visitor();
        }
        for _ in 0..bookings {
            self.booker();
        }
    }

    fn id(&mut self) -> String {
        self.random.guid().to_string()
    }

    fn note(&mut self, what: &'static str, place: &str, to: &str) {
        let (at_ms, asked) = (self.now(), self.is_asked);
        let (place, to) = (place.to_owned(), to.to_owned());
        self.journal.push(Effect { at_ms, what, place, to, asked });
    }

    /// Keeps the state in which a ticket is now.
    fn keep(&mut self, ticket: usize) {
        let shown = (self.show)(self, &self.tickets[ticket]);
        let states = self.history.entry(self.tickets[ticket].id.clone()).or_default();
        if states.last() != Some(&shown) {
            states.push(shown);
        }
    }

    pub(super) fn ticket(&self, id: &str) -> Result<usize, Refusal> {
        let place = self.tickets.iter().position(|ticket| ticket.id == id);
        place.ok_or(Refusal::new(404, "Талон не найден"))
    }

    /// The ticket and the service under the identifier of a service in a ticket.
    pub(super) fn service(&self, id: &str) -> Result<(usize, usize), Refusal> {
        for (place, ticket) in self.tickets.iter().enumerate() {
            if let Some(at) = ticket.services.iter().position(|service| service.id == id) {
                return Ok((place, at));
            }
        }
        Err(Refusal::new(404, "Услуга в талоне не найдена"))
    }

    pub(super) fn product(&self, id: &str) -> Result<usize, Refusal> {
        self.world.product(id).ok_or(Refusal::new(404, "Услуга не найдена"))
    }

    /// The tickets in the list of today, by place.
    pub(super) fn today(&self) -> impl Iterator<Item = usize> {
        let is_listed = |ticket: &Ticket| {
            ticket.day == self.day
                && !ticket.is_booked()
                && ticket.services.iter().any(|service| service.queued.is_some())
                && (self.settings.lists_done || ticket.state() != 3)
        };
        (0..self.tickets.len()).filter(move |place| is_listed(&self.tickets[*place]))
    }
}
