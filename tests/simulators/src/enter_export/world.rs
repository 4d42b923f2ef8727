//! What there is: branches, sources, services, workplaces, operators. All of it follows from the
//! seed.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::settings::Settings;
use super::words::{GIVEN_NAMES, SERVICES, SOURCES, SURNAMES, TOWNS};
use crate::random::{Guid, Random};

/// Workplaces and operators of a branch, each.
const DESKS: usize = 6;

/// A stretch of 100 ns, which is what the upstream counts in.
pub(super) const SECOND: i64 = 10_000_000;

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) branches: Vec<Branch>,
    pub(super) sources: Vec<Source>,
    pub(super) services: Vec<Service>,
    pub(super) tickets_per_day: usize,
    /// Local time of the day, in [`SECOND`]s.
    pub(super) open: (i64, i64),
    pub(super) booked: f64,
    pub(super) forgotten: f64,
    pub(super) since: Date,
}

pub(super) struct Branch {
    pub(super) id: Guid,
    pub(super) name: String,
    pub(super) zone: TimeZone,
    pub(super) zone_id: String,
    pub(super) integration_id: Option<String>,
    pub(super) workplaces: Vec<Guid>,
    pub(super) operators: Vec<Operator>,
}

pub(super) struct Operator {
    pub(super) id: Guid,
    pub(super) login: String,
    pub(super) name: &'static str,
    pub(super) surname: &'static str,
}

pub(super) struct Source {
    pub(super) id: Guid,
    pub(super) name: &'static str,
    pub(super) kind: i64,
    pub(super) external_system: Guid,
}

pub(super) struct Service {
    pub(super) id: Guid,
    /// As a JSON string.
    pub(super) name: String,
    pub(super) integration_id: &'static str,
}

impl World {
    pub(super) fn new(settings: &Settings) -> Self {
        let seed = settings.seed;
        let guid = |what: u64, place: usize| Random::at(&[seed, what, place as u64]).guid();
        let branches = (0..settings.branches).map(|place| {
            let zone_id = settings.zones[place % settings.zones.len()].clone();
            let mut random = Random::at(&[seed, 3, place as u64]);
            Branch {
                id: guid(1, place),
                name: format!("МФЦ-{}-{}", TOWNS[place % TOWNS.len()], place + 1),
                zone: TimeZone::get(&zone_id).unwrap_or(TimeZone::UTC),
                zone_id,
                integration_id: (place % 3 == 0).then(|| format!("{}", 20 + place)),
                workplaces: (0..DESKS).map(|_| random.guid()).collect(),
                operators: (0..DESKS)
                    .map(|desk| Operator {
                        id: random.guid(),
                        login: format!("operator{}-{}", place + 1, desk + 1),
                        name: random.pick(&GIVEN_NAMES),
                        surname: random.pick(&SURNAMES),
                    })
                    .collect(),
            }
        });
        let sources = SOURCES.iter().enumerate().map(|(place, &(name, kind))| Source {
            id: guid(4, place),
            name,
            kind,
            external_system: guid(5, place),
        });
        let padding = "я".repeat(settings.padding / 2);
        let services =
            SERVICES.iter().enumerate().map(|(place, &(name, integration_id))| Service {
                id: guid(6, place),
                name: serde_json::Value::from(format!("{name}{padding}")).to_string(),
                integration_id,
            });
        let hour = |hour: f64| (hour * 3600.0) as i64 * SECOND;
        Self {
            seed,
            branches: branches.collect(),
            sources: sources.collect(),
            services: services.collect(),
            tickets_per_day: settings.tickets_per_day,
            open: (hour(settings.opens_at), hour(settings.closes_at)),
            booked: settings.booked,
            forgotten: settings.forgotten,
            since: settings.since.parse().unwrap_or(Date::MIN),
        }
    }

    /// The branch under an identifier.
    pub(super) fn find(&self, id: &str) -> Option<usize> {
        self.branches.iter().position(|branch| branch.id.to_string() == id)
    }
}

impl Branch {
    /// The branch's clock: 100 ns of local time since 1970.
    pub(super) fn local(&self, now_ms: i64) -> i64 {
        let offset =
            Timestamp::from_millisecond(now_ms).map_or(0, |now| self.zone.to_offset(now).seconds());
        now_ms * (SECOND / 1000) + i64::from(offset) * SECOND
    }
}

/// Midnight of a day, in local time since 1970.
pub(super) fn midnight(day: Date) -> i64 {
    let days = day
        .since((jiff::Unit::Day, Date::constant(1970, 1, 1)))
        .map_or(0, |span| i64::from(span.get_days()));
    days * 86_400 * SECOND
}
