use std::net::{Ipv4Addr, SocketAddr};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The server of one queue.
    Branch,
    /// The server above the branches.
    Central,
}

/// Whose names of fields it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Names {
    /// Those of the old public pages: `Created`, `FullNumber`, `CompletedEndTime`.
    Old,
    /// Those of the ticket export: `CreatedTime`, `Number` as a text, `EndTime`.
    New,
}

/// How moments are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dates {
    /// `2024-07-10T12:00:00.5`, by the branch's clock.
    Local,
    /// The same with the offset.
    Offset,
}

/// How bookings are grouped by days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Groups {
    /// `[{"Date": "…", "Tickets": […]}]`
    List,
    /// `{"2024-07-10": […]}`
    Object,
}

/// What a refusal looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorForm {
    /// Its words as plain text.
    Text,
    /// `{"UserMessage": "…"}`
    UserMessage,
    /// Nothing.
    Empty,
    /// A page.
    Html,
}

/// What a simulator is and how it behaves; everything but the fields marked *start* can be changed
/// while it runs (`Simulator::change_settings`, `POST /_sim/settings`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct Settings {
    /// *Start.* Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// *Start.* The seed of everything.
    pub seed: u64,
    /// *Start.* Branch or central server.
    pub kind: Kind,
    /// *Start.* The zone of the branch.
    pub zone: String,
    /// *Start.* How many workplaces there are: `window01`, `window02`, …
    pub workplaces: usize,
    /// *Start.* How many branches the central server has.
    pub branches: usize,
    /// *Start.* How many visitors wait at the start.
    pub visitors: usize,
    /// *Start.* How many bookings there are at the start.
    pub bookings: usize,

    /// How long a step of the life is, ms.
    pub step_ms: i64,
    /// From which hour of the local day visitors come, 0–24.
    pub opens_at: f64,
    /// Until which hour, 0–24.
    pub closes_at: f64,
    /// How many visitors come in an hour.
    pub visitors_per_hour: f64,
    /// How many bookings are made in an hour.
    pub bookings_per_hour: f64,
    /// Whether operators work by themselves.
    pub operators_work: bool,
    /// The workplaces from this one on, counted from 0, are left alone by the life.
    pub quiet_from: usize,
    /// Whether devices are answered by themselves.
    pub surveys_run: bool,
    /// After how long a booking that is not confirmed expires, ms.
    pub booking_expires_ms: i64,
    /// Whether the list of today's tickets has those that are done with.
    pub lists_done: bool,

    /// Login and password of the hall's administrator.
    pub hall: (String, String),
    /// The password of all operators: `operator01`, `operator02`, …
    pub operator_password: String,
    /// The header of the token.
    pub token_header: String,
    /// Whether requests for which the document names a token need it.
    pub wants_token: bool,
    /// Whether a token is a JSON string.
    pub quoted_token: bool,
    /// Names of fields.
    pub names: Names,
    /// Whether numbers are written as texts.
    pub numbers_as_text: bool,
    /// How moments are written.
    pub dates: Dates,
    /// The date in a path, as jiff's `strftime` has it.
    pub date_form: String,
    /// The date in a query, as jiff's `strftime` has it.
    pub query_date_form: String,
    /// Whether `endDate` does not belong to the interval.
    pub ends_before: bool,
    /// The time in a path, as jiff's `strftime` has it.
    pub time_form: String,
    /// How bookings are grouped.
    pub groups: Groups,
    /// Under which name items of a menu have their items.
    pub children: String,
    /// What a refusal looks like.
    pub errors: ErrorForm,
    /// The share of replies, 0–1, that are spelled anew; above 0 all have a field that no document has
    /// ([`crate::noise`]).
    pub noise: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            kind: Kind::Branch,
            zone: "Europe/Moscow".to_owned(),
            workplaces: 4,
            branches: 3,
            visitors: 12,
            bookings: 6,
            step_ms: 20_000,
            opens_at: 0.0,
            closes_at: 24.0,
            visitors_per_hour: 30.0,
            bookings_per_hour: 4.0,
            operators_work: true,
            quiet_from: usize::MAX,
            surveys_run: true,
            booking_expires_ms: 30 * 60_000,
            lists_done: false,
            hall: ("admin".to_owned(), "12345".to_owned()),
            operator_password: "54321".to_owned(),
            token_header: "Authorization".to_owned(),
            wants_token: true,
            quoted_token: true,
            names: Names::Old,
            numbers_as_text: false,
            dates: Dates::Local,
            date_form: "%Y-%m-%d".to_owned(),
            query_date_form: "%Y-%m-%d".to_owned(),
            ends_before: false,
            time_form: "%H:%M".to_owned(),
            groups: Groups::List,
            children: "Items".to_owned(),
            errors: ErrorForm::UserMessage,
            noise: 0.0,
        }
    }
}

const START: [&str; 8] =
    ["listen", "seed", "kind", "zone", "workplaces", "branches", "visitors", "bookings"];

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
    pub fn changed(&self, patch: &Value) -> anyhow::Result<Self> {
        let changed = crate::control::patched(self, patch, &START)?;
        changed.check()?;
        Ok(changed)
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.step_ms > 0, "`step_ms` is at least 1");
        anyhow::ensure!((0.0..=1.0).contains(&self.noise), "`noise` is 0–1");
        anyhow::ensure!(TimeZone::get(&self.zone).is_ok(), "there is no zone `{}`", self.zone);
        Ok(())
    }
}
