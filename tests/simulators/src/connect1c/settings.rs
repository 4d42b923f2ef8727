use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// What a simulator is and how it behaves; everything but the fields marked *start* can be changed
/// while it runs (`Simulator::change_settings`, `POST /_sim/settings`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct Settings {
    /// *Start.* Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// *Start.* The seed of everything.
    pub seed: u64,
    /// *Start.* The cabinet's zone, in which all times are.
    pub zone: String,
    /// *Start.* When the first treatment is opened, UTC: `2023-01-01T00:00:00Z`.
    pub since: String,
    /// *Start.* How long from one opening to the next, ms.
    pub opened_every_ms: i64,
    /// *Start.* How long treatments last, ms: from the shortest to the longest.
    pub lasts_ms: (i64, i64),
    /// *Start.* The share of treatments that are rated, 0–1.
    pub rated: f64,
    /// *Start.* The share of ratings that come after the closing, 0–1.
    pub rated_late: f64,
    /// *Start.* How long after the closing such ratings come, ms.
    pub rated_after_ms: (i64, i64),
    /// *Start.* The share of treatments that no specialist ever took, 0–1: their times and ids are the
    /// upstream's stand-ins for "none".
    pub abandoned: f64,

    /// Logins and passwords.
    pub accounts: BTreeMap<String, String>,
    /// Calls an hour by day, for each account and operation.
    pub day_limit: u32,
    /// Calls an hour by night.
    pub night_limit: u32,
    /// The hours of the day, in the cabinet's zone: from, until. Until the same hour is no night at all.
    pub day_hours: (u8, u8),
    /// How calls are counted.
    pub counting: Counting,
    /// Whether calls over the limit count too.
    pub counts_refused: bool,
    /// Calls an hour that other programs make with the same account, spread evenly.
    pub others_per_hour: u32,
    /// The most calendar days of a window by day.
    pub most_days: i64,

    /// The share of replies, 0–1, that are spelled anew: other prefixes and indentation, columns in
    /// another order, CDATA, references, nil and empty values.
    pub noise: f64,
    /// Whether there is a column that no document has.
    pub extra_column: bool,
    /// The version of SOAP of all replies; that of the request by default.
    pub answers_as: Option<SoapVersion>,
}

/// How the calls of an hour are counted; no document says which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counting {
    /// Those of the last sixty minutes.
    Sliding,
    /// Those since the last full hour, in the cabinet's zone.
    ClockHour,
    /// Those of the hour that begins with the first call after the last such hour.
    FirstCall,
}

/// A version of SOAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SoapVersion {
    /// 1.1
    #[serde(rename = "1.1")]
    V11,
    /// 1.2
    #[serde(rename = "1.2")]
    V12,
}

impl SoapVersion {
    pub(super) fn namespace(self) -> &'static str {
        match self {
            SoapVersion::V11 => "http://schemas.xmlsoap.org/soap/envelope/",
            SoapVersion::V12 => "http://www.w3.org/2003/05/soap-envelope",
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            SoapVersion::V11 => "text/xml; charset=utf-8",
            SoapVersion::V12 => "application/soap+xml; charset=utf-8",
        }
    }
}

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            zone: "Asia/Yekaterinburg".to_owned(),
            since: "2023-01-01T00:00:00Z".to_owned(),
            opened_every_ms: HOUR / 4,
            lasts_ms: (60_000, 2 * DAY),
            rated: 0.6,
            rated_late: 0.3,
            rated_after_ms: (HOUR, 20 * DAY),
            abandoned: 0.1,
            accounts: BTreeMap::from([("partner".to_owned(), "пароль:1".to_owned())]),
            day_limit: 10,
            night_limit: 50,
            day_hours: (8, 20),
            counting: Counting::Sliding,
            counts_refused: true,
            others_per_hour: 0,
            most_days: 35,
            noise: 0.0,
            extra_column: false,
            answers_as: None,
        }
    }
}

const START: [&str; 10] = [
    "listen",
    "seed",
    "zone",
    "since",
    "opened_every_ms",
    "lasts_ms",
    "rated",
    "rated_late",
    "rated_after_ms",
    "abandoned",
];

impl Settings {
    /// The default with [`Settings::noise`] and a column more, as tests of invariants want it.
    pub fn noisy() -> Self {
        Self { noise: 0.6, extra_column: true, ..Self::default() }
    }

    /// These settings with the fields of `patch`, a JSON object, put over them.
    ///
    /// # Errors
    ///
    /// An unknown field, a value of a wrong type or out of its bounds, or a field that counts only
    /// at the start.
    pub fn changed(&self, patch: &serde_json::Value) -> anyhow::Result<Self> {
        let changed = crate::control::patched(self, patch, &START)?;
        changed.check()?;
        Ok(changed)
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        let shares = [self.rated, self.rated_late, self.abandoned, self.noise];
        anyhow::ensure!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "shares are 0–1");
        anyhow::ensure!(self.opened_every_ms > 0, "`opened_every_ms` is at least 1");
        for (name, (from, until)) in
            [("lasts_ms", self.lasts_ms), ("rated_after_ms", self.rated_after_ms)]
        {
            anyhow::ensure!(0 <= from && from <= until, "`{name}` is from the least to the most");
        }
        let (from, until) = self.day_hours;
        anyhow::ensure!(from < 24 && until <= 24, "`day_hours` are hours");
        anyhow::ensure!(TimeZone::get(&self.zone).is_ok(), "there is no zone `{}`", self.zone);
        self.since.parse::<jiff::Timestamp>()?;
        Ok(())
    }
}
