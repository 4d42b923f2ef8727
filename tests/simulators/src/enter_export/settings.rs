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
    /// *Start.* How many branches there are.
    pub branches: usize,
    /// *Start.* The zones of the branches, in turn.
    pub zones: Vec<String>,
    /// *Start.* How many tickets a branch makes in a day.
    pub tickets_per_day: usize,
    /// *Start.* From which hour of the local day tickets are made, 0–24.
    pub opens_at: f64,
    /// *Start.* Until which hour, 0–24.
    pub closes_at: f64,
    /// *Start.* The share of tickets that are booked, 0–1.
    pub booked: f64,
    /// *Start.* The share of tickets that never come to an end, 0–1.
    pub forgotten: f64,
    /// *Start.* The first day with tickets, `2020-01-01`.
    pub since: String,
    /// *Start.* Text that makes the names of services longer, in bytes: rows become large.
    pub padding: usize,

    /// Whether the method with the history exists; without it, 404 as on an old server.
    pub history_method: bool,
    /// Whether replies with history say the branch's zone (only the document's sample has it).
    pub tells_zone: bool,
    /// Branches, by their place, that are not connected.
    pub offline: Vec<usize>,
    /// Branches, by their place, that speak a wrong protocol.
    pub wrong_protocol: Vec<usize>,
    /// Whether one product of each day is in the state 11, which the document does not know.
    pub unknown_state: bool,
    /// The token in the header `Token`; without one, everybody is let in.
    pub token: Option<String>,
    /// The share of replies, 0–1, that are spelled anew; above 0 all have a field that no document has
    /// ([`crate::noise`]).
    pub noise: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            branches: 3,
            zones: ["Europe/Moscow", "Europe/Kaliningrad", "Asia/Kamchatka", "Asia/Yekaterinburg"]
                .map(str::to_owned)
                .to_vec(),
            tickets_per_day: 20,
            opens_at: 8.0,
            closes_at: 20.0,
            booked: 0.15,
            forgotten: 0.02,
            since: "2020-01-01".to_owned(),
            padding: 0,
            history_method: true,
            tells_zone: true,
            offline: Vec::new(),
            wrong_protocol: Vec::new(),
            unknown_state: false,
            token: None,
            noise: 0.0,
        }
    }
}

const START: [&str; 11] = [
    "listen",
    "seed",
    "branches",
    "zones",
    "tickets_per_day",
    "opens_at",
    "closes_at",
    "booked",
    "forgotten",
    "since",
    "padding",
];

impl Settings {
    /// The default with [`Settings::noise`], as tests of invariants want it.
    pub fn noisy() -> Self {
        Self { noise: 0.4, ..Self::default() }
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
        let (share, hours) = (0.0..=1.0, 0.0..=24.0);
        anyhow::ensure!(share.contains(&self.booked), "`booked` is 0–1");
        anyhow::ensure!(share.contains(&self.forgotten), "`forgotten` is 0–1");
        anyhow::ensure!(
            hours.contains(&self.opens_at)
                && hours.contains(&self.closes_at)
                && self.opens_at < self.closes_at,
            "`opens_at` and `closes_at` are hours of a day, in this order"
        );
        anyhow::ensure!(!self.zones.is_empty(), "`zones` has at least one zone");
        for zone in &self.zones {
            anyhow::ensure!(TimeZone::get(zone).is_ok(), "there is no zone `{zone}`");
        }
        self.since.parse::<jiff::civil::Date>()?;
        Ok(())
    }
}
