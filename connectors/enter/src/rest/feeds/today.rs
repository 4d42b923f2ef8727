//! The feed `ticket`: the list of today.
//!
//! The upstream begins the list anew at midnight, which deletes nothing. So the scope of a ticket is its
//! day, and the list of a day tells of the absence of that day's tickets alone:
//!
//! * A ticket's day is that of its newest stamp of being created, queued or activated, by the branch's zone.
//!   A ticket of yesterday that is still in the list stays one of yesterday.
//! * Today is the branch's day, or the day of the newest ticket where that is later: the upstream's clock
//!   may be ahead.
//! * Shortly before midnight the upstream may have turned the day already, so nothing is told absent then.
//! * An empty list is what the turn of the day looks like, also where the zone is not configured right.
//!   It tells nothing; the last tickets are told absent with the next list of that day that is not empty,
//!   and stay as they were seen last where none comes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;
use talon_http::order::Order;
use talon_sdk::{Coverage, Cursor, Fault, Feed, Observation, Rows};

use super::day::BranchClock;
use crate::rest::client::{As, Shared};

/// What of a ticket tells its day: nothing else is kept of the many.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Head {
    #[serde(rename = "Created")]
    created: Value,
    #[serde(rename = "CreatedTime")]
    created_time: Value,
    #[serde(rename = "Products")]
    services: Vec<Option<ServiceHead>>,
}

/// What of a service tells the day of its ticket.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ServiceHead {
    created: Value,
    created_time: Value,
    in_queue_start_time: Value,
    activated_start_time: Value,
    start_time: Value,
}

impl Head {
    fn services(&self) -> impl Iterator<Item = &ServiceHead> {
        self.services.iter().flatten()
    }

    /// When it was created, queued or activated.
    fn certain(&self) -> impl Iterator<Item = &str> {
        let of_services = self.services().flat_map(|of| {
            [&of.created, &of.created_time, &of.in_queue_start_time, &of.activated_start_time]
        });
        [&self.created, &self.created_time].into_iter().chain(of_services).filter_map(Value::as_str)
    }

    /// The times that are booked.
    fn booked(&self) -> impl Iterator<Item = &str> {
        self.services().filter_map(|of| of.start_time.as_str())
    }
}

pub(crate) struct Today {
    upstream: Shared,
    clock: BranchClock,
    /// Observations of the last read that are still to be given.
    round: VecDeque<Observation>,
    follows: Arc<[String]>,
}

impl Today {
    pub(crate) fn new(upstream: Shared, clock: BranchClock) -> Today {
        Today { upstream, clock, round: VecDeque::new(), follows: Arc::default() }
    }

    /// The day of each ticket, and which is today.
    fn days(&self, heads: &[Option<Head>]) -> (Vec<Date>, Date) {
        let here = self.clock.now().date();
        // No clock is ahead by more than a day.
        let latest = here.checked_add(1.day()).unwrap_or(here);
        let certain: Vec<Option<Date>> = heads
            .iter()
            .map(|head| {
                let stamps = head.iter().flat_map(Head::certain);
                stamps.filter_map(|at| self.clock.day_of(at)).filter(|day| *day <= latest).max()
            })
            .collect();
        let today = certain.iter().flatten().copied().max().unwrap_or(here).max(here);
        let days = heads.iter().zip(&certain).map(|(head, certain)| {
            let booked = head.iter().flat_map(Head::booked);
            let booked = booked.filter_map(|at| self.clock.day_of(at)).filter(|day| *day <= today);
            // One that tells no day stands in the list of today.
            booked.chain(*certain).max().unwrap_or(today)
        });
        (days.collect(), today)
    }

    async fn read(&mut self, is_first: bool) -> Result<(), Fault> {
        let as_of_ms = self.clock.now_ms();
        let order = Order::plain("GET /queue/admin/tickets");
        let (rows, heads) =
            self.upstream.read(As::Hall, &order).await?.rows_with_heads::<Head>()?;
        let (days, today) = self.days(&heads);
        let mut by_day: BTreeMap<Date, Rows> = BTreeMap::new();
        by_day.insert(today, Rows::default());
        for day in days.iter().copied().chain([today]) {
            by_day.entry(day).or_default();
        }
        for (day, of) in &mut by_day {
            *of = rows.clone();
            of.retain(|place| days.get(place) == Some(day));
        }
        let is_over = self.clock.soon().date() > today;
        self.round = by_day
            .into_iter()
            .map(|(day, rows)| {
                let tells = day == today && !rows.is_empty() && !is_over;
                Observation {
                    scope: day.to_string(),
                    coverage: if tells { Coverage::Full } else { Coverage::Delta },
                    rows,
                    cursor: None,
                    snapshot: is_first,
                    as_of_ms,
                }
            })
            .collect();
        if let Some(last) = self.round.back_mut() {
            last.cursor = Some(Cursor("read".to_owned()));
        }
        self.follows = [today.to_string()].into();
        Ok(())
    }
}

#[async_trait]
impl Feed for Today {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        if self.round.is_empty() {
            self.read(from.is_none()).await?;
        }
        // A read gives at least that of today.
        self.round
            .pop_front()
            .ok_or_else(|| Fault::Internal { reason: "a list of tickets without a day".to_owned() })
    }

    fn due(&self) -> Option<std::time::Duration> {
        (!self.round.is_empty()).then_some(std::time::Duration::ZERO)
    }

    fn follows(&mut self) -> Option<Arc<[String]>> {
        Some(self.follows.clone())
    }
}
