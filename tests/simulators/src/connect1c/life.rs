//! Treatments: what has happened to each by a moment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::call::Filter;
use super::settings::Settings;
use crate::random::Random;

/// How many organisations, users, lines and specialists there are.
const CLIENTS: u64 = 40;
const LINES: u64 = 6;
const SPECIALISTS: u64 = 12;

/// The upstream's stand-in for "no time".
pub(super) const NO_TIME: &str = "0001-01-01T00:00:00";
/// The upstream's stand-in for "nobody".
pub(super) const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// A treatment as it is at a moment. Times are milliseconds since 1970 UTC, whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Treatment {
    /// `ServiceTreatmentID`.
    pub id: String,
    /// `ClientID`.
    pub client: String,
    /// `ServiceUserID`.
    pub user: String,
    /// `ServiceID`.
    pub line: String,
    /// `Initialized`.
    pub opened_ms: i64,
    /// `SpecAppointed`.
    pub appointed_ms: Option<i64>,
    /// `QueueWaitingTime`; a specialist was there at once if there is none.
    pub waited_seconds: Option<i64>,
    /// `QueueLength`.
    pub queue: i64,
    /// `ClosedSpecialistID`, or `CurrentSpecialist`.
    pub specialist: Option<String>,
    /// `ReactionStarted`.
    pub reaction_ms: Option<i64>,
    /// `Closed`.
    pub closed_ms: Option<i64>,
    /// `Duration`.
    pub seconds: i64,
    /// `ServiceQualityAssessment`; 0 is none.
    pub rating: i64,
    /// When it was rated, if that has happened.
    pub rated_ms: Option<i64>,
    /// What was asked about, in a column that no document has.
    pub topic: String,
}

/// All that ever happens to treatments.
pub(super) struct World {
    seed: u64,
    pub(super) zone: TimeZone,
    since_ms: i64,
    every_ms: i64,
    lasts_ms: (i64, i64),
    rated: f64,
    rated_late: f64,
    rated_after_ms: (i64, i64),
    abandoned: f64,
}

impl World {
    pub(super) fn new(settings: &Settings) -> World {
        World {
            seed: settings.seed,
            zone: TimeZone::get(&settings.zone).unwrap_or(TimeZone::UTC),
            since_ms: settings.since.parse::<Timestamp>().map_or(0, |at| at.as_millisecond()),
            every_ms: settings.opened_every_ms,
            lasts_ms: settings.lasts_ms,
            rated: settings.rated,
            rated_late: settings.rated_late,
            rated_after_ms: settings.rated_after_ms,
            abandoned: settings.abandoned,
        }
    }

    /// A moment on the cabinet's clock.
    pub(super) fn local(&self, ms: i64) -> DateTime {
        let at = Timestamp::from_millisecond(ms).unwrap_or_default();
        at.to_zoned(self.zone.clone()).datetime()
    }

    /// A local time as a moment.
    fn moment(&self, local: DateTime) -> i64 {
        self.zone.to_timestamp(local).map_or(0, |at| at.as_millisecond())
    }

    /// The numbers of the treatments that were opened in a stretch of time, first and behind the last.
    fn numbers(&self, from_ms: i64, until_ms: i64) -> (i64, i64) {
        // An opening is up to one stretch later than its number says.
        let number = |ms: i64| (ms - self.since_ms).div_euclid(self.every_ms);
        ((number(from_ms) - 1).max(0), (number(until_ms) + 1).max(0))
    }

    /// The treatment of a number as it is at a moment; `None` before it is opened.
    fn treatment(&self, number: i64, now_ms: i64) -> Option<Treatment> {
        let mut random = Random::at(&[self.seed, 11, number as u64]);
        let second = |ms: i64| ms.div_euclid(1000) * 1000;
        let within = |random: &mut Random, (from, until): (i64, i64)| {
            from + random.below((until - from + 1) as u64) as i64
        };
        let opened = second(
            self.since_ms + number * self.every_ms + within(&mut random, (0, self.every_ms - 1)),
        );
        let lasts = within(&mut random, self.lasts_ms).max(0);
        let closed = second(opened + lasts);
        let id = random.guid().to_string();
        let guid = |what: u64, place: u64| Random::at(&[self.seed, what, place]).guid().to_string();
        let client = random.below(CLIENTS);
        let user = client * 3 + random.below(3);
        let line = random.below(LINES);
        let specialist = random.below(SPECIALISTS);
        let is_abandoned = random.share() < self.abandoned;
        let waits = random.share() < 0.7;
        let wait = if waits { second(within(&mut random, (0, lasts / 4))) } else { 0 };
        let reaction = second(opened + wait + within(&mut random, (0, lasts / 4)));
        let queue = random.below(5) as i64;
        let rating = if random.share() < self.rated { 1 + random.below(5) as i64 } else { 0 };
        let is_late = random.share() < self.rated_late;
        let rated = closed + if is_late { within(&mut random, self.rated_after_ms) } else { 0 };
        let topic = TOPICS[(number as usize) % TOPICS.len()].to_owned();
        if opened > now_ms {
            return None;
        }
        let happened = |at: i64| (!is_abandoned && at <= now_ms).then_some(at);
        let appointed = happened(opened + wait);
        let is_closed = closed <= now_ms;
        Some(Treatment {
            id,
            client: guid(21, client),
            user: guid(22, user),
            line: guid(23, line),
            opened_ms: opened,
            appointed_ms: appointed,
            waited_seconds: appointed.filter(|_| waits).map(|_| wait / 1000),
            queue,
            specialist: appointed.map(|_| guid(24, specialist)),
            reaction_ms: happened(reaction),
            closed_ms: is_closed.then_some(closed),
            seconds: (closed - opened) / 1000,
            rating: if is_closed && rated <= now_ms { rating } else { 0 },
            rated_ms: (rating > 0 && rated <= now_ms).then_some(rated),
            topic,
        })
    }

    /// The treatments of a filter that are closed, or open, at a moment.
    pub(super) fn select(&self, filter: &Filter, closed: bool, now_ms: i64) -> Selection {
        let moment = |local: Option<DateTime>| local.map(|local| self.moment(local));
        let opened = (moment(filter.opened_from), moment(filter.opened_to));
        let ended = (moment(filter.closed_from), moment(filter.closed_to));
        let longest = self.lasts_ms.1 + 1000;
        let last_end = if closed { ended.0 } else { Some(now_ms) };
        let earliest = [opened.0, last_end.map(|from| from - longest)];
        let earliest = earliest.into_iter().flatten().max().unwrap_or(self.since_ms);
        let latest = [opened.1, ended.1].into_iter().flatten().min().unwrap_or(now_ms);
        let (next, behind) = self.numbers(earliest, latest.min(now_ms));
        Selection { filter: filter.clone(), opened, ended, closed, now_ms, next, behind }
    }

    /// The treatments that were closed in a stretch of time, both ends included.
    pub(super) fn closed_between(&self, from_ms: i64, to_ms: i64, now_ms: i64) -> Vec<Treatment> {
        let filter = Filter {
            closed_from: Some(self.local(from_ms)),
            closed_to: Some(self.local(to_ms)),
            ..Filter::default()
        };
        self.select(&filter, true, now_ms).rest(self)
    }
}

/// Treatments that are made one after another, in the order of their opening.
pub(super) struct Selection {
    filter: Filter,
    opened: (Option<i64>, Option<i64>),
    ended: (Option<i64>, Option<i64>),
    closed: bool,
    now_ms: i64,
    next: i64,
    behind: i64,
}

impl Selection {
    /// The next one.
    pub(super) fn next(&mut self, world: &World) -> Option<Treatment> {
        while self.next < self.behind {
            self.next += 1;
            let treatment = world.treatment(self.next - 1, self.now_ms);
            if let Some(treatment) = treatment.filter(|treatment| self.has(treatment)) {
                return Some(treatment);
            }
        }
        None
    }

    /// All that are left.
    pub(super) fn rest(mut self, world: &World) -> Vec<Treatment> {
        std::iter::from_fn(|| self.next(world)).collect()
    }

    fn has(&self, one: &Treatment) -> bool {
        let within = |at: i64, (from, to): (Option<i64>, Option<i64>)| {
            from.is_none_or(|from| at >= from) && to.is_none_or(|to| at <= to)
        };
        let is = |own: &str, wanted: &Option<String>| wanted.as_deref().is_none_or(|id| id == own);
        one.closed_ms.is_some() == self.closed
            && within(one.opened_ms, self.opened)
            && one.closed_ms.is_none_or(|at| within(at, self.ended))
            && is(&one.client, &self.filter.client)
            && is(&one.user, &self.filter.user)
            && is(&one.line, &self.filter.service)
            && is(one.specialist.as_deref().unwrap_or(NOBODY), &self.filter.specialist)
    }
}

impl World {
    /// The states that each treatment was in until now, oldest first, as rows of an operation's table; none
    /// where it is not in the table any more.
    pub(super) fn states(
        &self,
        closed: bool,
        has_topic: bool,
        now_ms: i64,
    ) -> BTreeMap<String, Vec<Option<Value>>> {
        let (first, behind) = self.numbers(self.since_ms, now_ms);
        let mut all = BTreeMap::new();
        for number in first..behind {
            let Some(last) = self.treatment(number, i64::MAX) else { continue };
            let mut moments = vec![last.opened_ms];
            moments.extend(last.appointed_ms.into_iter().chain(last.reaction_ms));
            moments.extend(last.closed_ms.into_iter().chain(last.rated_ms));
            moments.retain(|at| *at <= now_ms);
            moments.sort_unstable();
            let mut states: Vec<Option<Value>> = Vec::new();
            for at in moments {
                let Some(treatment) = self.treatment(number, at) else { continue };
                let is_there = treatment.closed_ms.is_some() == closed;
                let row = is_there.then(|| treatment.row(closed, has_topic, self));
                if states.last().unwrap_or(&None) != &row {
                    states.push(row);
                }
            }
            if !states.is_empty() {
                all.insert(last.id, states);
            }
        }
        all
    }
}

impl Treatment {
    /// As a row of the table of closed ones, or of open ones, with the names of its columns.
    fn row(&self, closed: bool, has_topic: bool, world: &World) -> Value {
        let local = |ms: Option<i64>| {
            ms.map(|ms| world.local(ms).strftime("%Y-%m-%dT%H:%M:%S").to_string())
        };
        let mut row = json!({
            "ServiceTreatmentID": self.id,
            "ClientID": self.client,
            "ServiceUserID": self.user,
            "ServiceID": self.line,
            "Initialized": local(Some(self.opened_ms)),
            "SpecAppointed": local(self.appointed_ms),
            "QueueWaitingTime": self.waited_seconds,
            "QueueLength": self.queue,
            "ReactionStarted": local(self.reaction_ms),
        });
        if has_topic {
            row["Topic"] = json!(self.topic);
        }
        if closed {
            row["ClosedSpecialistID"] = json!(self.specialist);
            row["Closed"] = json!(local(self.closed_ms));
            row["Duration"] = json!(self.seconds);
            row["ServiceQualityAssessment"] = json!(self.rating);
        } else {
            row["CurrentSpecialist"] = json!(self.specialist);
        }
        row
    }

    /// As events are to have it: names as the document's columns, instants in UTC microseconds.
    pub fn truth(&self) -> Value {
        let micros = |ms: Option<i64>| ms.map(|ms| ms * 1000);
        json!({
            "ServiceTreatmentID": self.id,
            "ClientID": self.client,
            "ServiceUserID": self.user,
            "ServiceID": self.line,
            "Initialized": micros(Some(self.opened_ms)),
            "SpecAppointed": micros(self.appointed_ms),
            "QueueWaitingTime": self.waited_seconds,
            "QueueLength": self.queue,
            "Specialist": self.specialist,
            "ReactionStarted": micros(self.reaction_ms),
            "Closed": micros(self.closed_ms),
            "Duration": self.closed_ms.map(|_| self.seconds),
            "ServiceQualityAssessment": (self.rating > 0).then_some(self.rating),
        })
    }
}

/// An event's value in the form of [`Treatment::truth`].
pub fn by_document(entity: &Value) -> Value {
    let of = |name: &str| entity.get(name).cloned().unwrap_or_default();
    json!({
        "ServiceTreatmentID": of("id"),
        "ClientID": of("client_id"),
        "ServiceUserID": of("service_user_id"),
        "ServiceID": of("service_id"),
        "Initialized": of("opened_at"),
        "SpecAppointed": of("specialist_appointed_at"),
        "QueueWaitingTime": of("queue_waiting_seconds"),
        "QueueLength": of("queue_length"),
        "Specialist": entity.get("closed_by_specialist_id").or(entity.get("current_specialist_id")),
        "ReactionStarted": of("reaction_started_at"),
        "Closed": of("closed_at"),
        "Duration": of("duration_seconds"),
        "ServiceQualityAssessment": of("rating"),
    })
}

const TOPICS: [&str; 5] = [
    "Обновление конфигурации",
    "Иванов & Петров: счёт <не выставлен>",
    "\"Закрытие месяца\" – ошибка ]]> в отчёте",
    "",
    "  строка\nи ещё одна\tстрока  ",
];
