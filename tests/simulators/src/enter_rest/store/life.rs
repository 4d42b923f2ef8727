//! What happens by itself.

use super::Store;
use super::model::{Target, state};

impl Store {
    /// One step of the life.
    pub(super) fn step(&mut self) {
        self.turn();
        let hour = f64::from(self.local(self.now()).hour());
        let is_open = (self.settings.opens_at..self.settings.closes_at).contains(&hour);
        let share = self.settings.step_ms as f64 / 3_600_000.0;
        if is_open && self.random.share() < self.settings.visitors_per_hour * share {
            self.visitor();
        }
        if self.random.share() < self.settings.bookings_per_hour * share {
            self.booker();
        }
        self.age_bookings();
        if self.settings.operators_work {
            for place in 0..self.workplaces.len().min(self.settings.quiet_from) {
                self.work(place);
            }
        }
        if self.settings.surveys_run {
            for device in 0..self.devices.len() {
                self.ask(device);
            }
        }
    }

    /// The turn of the day: numbers begin anew, and who still waits went home.
    pub(super) fn turn(&mut self) {
        let today = self.local(self.now()).date();
        if today <= self.day {
            return;
        }
        (self.day, self.number) = (today, 0);
        self.age_bookings();
        for workplace in &mut self.workplaces {
            workplace.current = None;
        }
        self.note("midnight", "", "");
    }

    /// A visitor takes a ticket.
    pub(super) fn visitor(&mut self) {
        let count = [1, 1, 1, 2, 3][self.random.below(5) as usize];
        let all = self.world.products.len() as u64;
        let products: Vec<usize> = (0..count).map(|_| self.random.below(all) as usize).collect();
        // With at least one service it is made.
        drop(self.new_ticket("terminal", &products, 0));
    }

    /// Somebody books a time.
    pub(super) fn booker(&mut self) {
        let days: Vec<_> = self.free_days().into_iter().filter(|(_, is_free)| *is_free).collect();
        let Some((date, _)) = days.get(self.random.below(days.len() as u64) as usize).copied()
        else {
            return;
        };
        let times: Vec<_> =
            self.free_times(date).into_iter().filter(|(_, is_free)| *is_free).collect();
        let Some((time, _)) = times.get(self.random.below(times.len() as u64) as usize).copied()
        else {
            return;
        };
        let identity = format!("visitor{}", self.random.below(1_000));
        let product = self.random.below(self.world.products.len() as u64) as usize;
        let is_confirmed = self.random.below(3) > 0;
        // The time is free.
        drop(self.book(&identity, product, (date, time), is_confirmed));
    }

    /// The operator of a workplace does what is next.
    pub(in super::super) fn work(&mut self, place: usize) {
        let chance = self.random.below(20);
        let current = self.workplaces[place].current;
        let state = current.map(|(ticket, at)| self.tickets[ticket].services[at].state);
        // What is refused does not happen.
        match (state, chance) {
            (None, 0) => drop(self.pause(place, true)),
            (None, 1..4) if self.workplaces[place].is_on_break => drop(self.pause(place, false)),
            (None, 4..8) => {
                if let Some(held) = self.personal(place).first().copied() {
                    drop(self.invite_one(place, held));
                }
            }
            (None, _) => drop(self.invite(place)),
            (Some(state::INVITED), 0..2) => drop(self.end(place, "reject")),
            (Some(state::INVITED), 2..14) => drop(self.start(place)),
            (Some(state::SERVED_NOW), 0) => drop(self.end(place, "hold")),
            (Some(state::SERVED_NOW), 1) => {
                let product = self.random.below(self.world.products.len() as u64) as usize;
                let workplace = self.random.below(self.workplaces.len() as u64) as usize;
                let target = Target { workplace: Some(workplace), user: None };
                drop(self.redirect(place, product, &target));
            }
            (Some(state::SERVED_NOW), 2..7) => drop(self.end(place, "complete")),
            _ => {}
        }
    }

    fn ask(&mut self, device: usize) {
        let is_asking = self.devices[device].asks.is_some();
        match (is_asking, self.random.below(10)) {
            (false, 0) => drop(self.begin_survey(device)),
            (true, 0) => drop(self.end_survey(device)),
            (true, 1..5) => drop(self.answer(device)),
            _ => {}
        }
    }
}
