//! The life of a ticket, from its beginning to its end, whenever that is.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::words::PREFIXES;
use super::world::{SECOND, World, midnight};
use crate::random::{Guid, Random};

const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 86_400 * SECOND;

/// A whole life; a reply shows what has happened of it.
pub(super) struct Ticket {
    pub(super) id: Guid,
    pub(super) number: String,
    pub(super) source: usize,
    pub(super) created: i64,
    /// When and at which source a booked ticket is activated.
    pub(super) activation: Option<(i64, usize)>,
    pub(super) products: Vec<Product>,
}

/// A service within a ticket.
pub(super) struct Product {
    pub(super) id: Guid,
    pub(super) service: usize,
    pub(super) booked: bool,
    pub(super) starts: i64,
    pub(super) steps: Vec<Step>,
    pub(super) has_fields: bool,
}

pub(super) struct Step {
    pub(super) id: Guid,
    pub(super) state: i64,
    pub(super) at: i64,
    /// The workplace and its operator.
    pub(super) desk: Option<usize>,
}

impl Ticket {
    /// When something about it changes, in order.
    pub(super) fn times(&self) -> BTreeSet<i64> {
        let steps = self.products.iter().flat_map(|product| &product.steps).map(|step| step.at);
        let activation = self.activation.map(|(at, _)| at);
        let all = steps.chain(activation).chain([self.created]);
        all.filter(|at| *at >= self.created).collect()
    }
}

impl Product {
    pub(super) fn created(&self) -> i64 {
        self.steps.first().map_or(0, |step| step.at)
    }
}

/// The tickets of a branch's day, in the order of their creation.
pub(super) fn tickets(world: &World, branch: usize, day: Date) -> impl Iterator<Item = Ticket> {
    let count = if day < world.since { 0 } else { world.tickets_per_day };
    (0..count).map(move |place| ticket(world, branch, day, place))
}

pub(super) fn ticket(world: &World, branch: usize, day: Date, place: usize) -> Ticket {
    let start = midnight(day);
    let mut random =
        Random::at(&[world.seed, 7, branch as u64, (start / DAY) as u64, place as u64]);
    let (from, until) = world.open;
    let share = (place as f64 + random.share()) / world.tickets_per_day as f64;
    let created = start + from + trimmed(((until - from) as f64 * share) as i64, &mut random);
    let id = random.guid();
    let booked = random.share() < world.booked;
    let mut life = Life { random, steps: Vec::new(), at: created, desk: None };
    let mut activation = None;
    let (mut starts, mut outcome) = (created + 2 * SECOND, Outcome::Served);
    if booked {
        life.step(0);
        life.pass(3 * MINUTE, 10 * MINUTE);
        life.step(13);
        let days = 1 + life.random.below(60) as i64;
        starts =
            start + days * DAY + 9 * 3600 * SECOND + life.random.below(16) as i64 * 30 * MINUTE;
        outcome = life.book(starts, start + days * DAY);
        if matches!(outcome, Outcome::Served) {
            activation = Some((life.at, life.random.below(3) as usize));
        }
    } else if life.random.share() < world.forgotten {
        outcome = Outcome::Forgotten;
    }
    let mut products = vec![life.serve(world, outcome, booked, starts)];
    while !booked && products.len() < 3 && life.random.below(5) == 0 {
        // Several services of one kind in one ticket are usual; see the document's sample.
        life.at = created + 2 * SECOND;
        products.push(life.serve(world, Outcome::Served, false, starts));
    }
    let mut random = life.random;
    let source = if booked { 3 + random.below(4) as usize } else { random.below(3) as usize };
    Ticket {
        id,
        number: format!("{}{}", random.pick(&PREFIXES), place + 1),
        source,
        created,
        activation,
        products,
    }
}

enum Outcome {
    /// Queues, and whatever may come of that.
    Served,
    /// Waits or is served for ever.
    Forgotten,
    /// It is over already.
    Over,
}

struct Life {
    random: Random,
    steps: Vec<Step>,
    at: i64,
    desk: Option<usize>,
}

impl Life {
    fn step(&mut self, state: i64) {
        let step = Step { id: self.random.guid(), state, at: self.at, desk: self.desk };
        self.steps.push(step);
    }

    fn pass(&mut self, from: i64, until: i64) {
        let by = from + self.random.below((until - from) as u64) as i64;
        self.at += trimmed(by, &mut self.random).max(SECOND / 1000);
    }

    /// A booking goes on to its day, or ends before.
    fn book(&mut self, starts: i64, day: i64) -> Outcome {
        match self.random.below(10) {
            0..4 => {
                self.at = starts;
                self.pass(0, 5 * MINUTE);
                Outcome::Served
            }
            4..8 => {
                // Not activated: cancelled in the evening of the appointment's day.
                self.at = day + 17 * 3600 * SECOND + 40 * MINUTE;
                self.pass(0, SECOND);
                self.step(14);
                Outcome::Over
            }
            _ => {
                self.pass(MINUTE, 3 * 3600 * SECOND);
                self.step(1);
                Outcome::Over
            }
        }
    }

    fn serve(&mut self, world: &World, outcome: Outcome, booked: bool, starts: i64) -> Product {
        match outcome {
            Outcome::Over => {}
            Outcome::Forgotten => {
                self.step(3);
                if self.random.below(3) == 0 {
                    self.pass(MINUTE, 30 * MINUTE);
                    self.call(&[4, 5]);
                }
            }
            Outcome::Served => {
                self.step(3);
                self.pass(5 * SECOND, 30 * MINUTE);
                let states: &[i64] = match self.random.below(20) {
                    0 => &[10],
                    1 => &[4, 7],
                    2 => &[4, 12, 4, 5, 9],
                    3 => &[4, 5, 8],
                    4 => &[4, 6, 4, 5, 9],
                    5 => &[4, 5, 17],
                    _ => &[4, 5, 9],
                };
                self.call(states);
            }
        }
        let service = self.random.below(world.services.len() as u64) as usize;
        let has_fields = self.random.below(5) == 0;
        self.desk = None;
        Product {
            id: self.random.guid(),
            service,
            booked,
            starts,
            steps: std::mem::take(&mut self.steps),
            has_fields,
        }
    }

    fn call(&mut self, states: &[i64]) {
        for state in states {
            if *state == 4 {
                self.desk = Some(self.random.below(6) as usize);
            }
            self.step(*state);
            self.pass(2 * SECOND, 12 * MINUTE);
        }
    }
}

/// With a fraction of 0, 1, 2, 3 or 7 digits, as in the document's samples.
fn trimmed(time: i64, random: &mut Random) -> i64 {
    let unit = random.pick(&[SECOND, SECOND / 10, SECOND / 100, SECOND / 1000, SECOND / 1000, 1]);
    time / unit * unit
}
