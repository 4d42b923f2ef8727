use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// What a simulator is and how it behaves; everything but the fields marked *start* can be changed
/// while it runs (`Simulator::change_settings`, `POST /_sim/settings`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct Settings {
    /// *Start.* Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// *Start.* The seed of the life.
    pub seed: u64,
    /// *Start.* How many workplaces there are, with ids from 1.
    pub workplaces: i64,
    /// *Start.* How many visitors wait at the start.
    pub visitors: usize,
    /// *Start.* Whether the states of everything are kept, for checkers.
    pub keep_history: bool,

    /// How many random edits happen in a second; 0 keeps everything still.
    pub edits_per_second: f64,
    /// From this workplace on none takes part in random edits, and is left to those who test.
    pub quiet_from: i64,
    /// The login of the one account.
    pub login: String,
    /// Its password as it is typed; the protocol carries its MD5.
    pub password: String,

    /// Whether a field `id` of a request comes back with its answer, as newer builds do.
    pub echo_id: bool,
    /// Whether the token comes back on top of every answer, as newer builds do.
    pub echo_token: bool,
    /// Where the login's token is.
    pub token_place: TokenPlace,
    /// Where the result object of a failure is.
    pub error_place: ErrorPlace,
    /// How the time of the answer is named.
    pub date_name: DateName,
    /// Whether entities have the fields of newer builds (`active`, `last_update`, `alias` …).
    pub newer_fields: bool,
    /// Whether ids, numbers and switches come as strings.
    pub numbers_as_strings: bool,
    /// Whether answers with a visitor close `data` too early, as in the document's samples.
    pub misplaced_data: bool,
    /// Whether the pushes of a change precede the answer to the command that made it.
    pub push_before_reply: bool,
    /// Whether an unknown command is answered with an error, or with silence.
    pub unknown_is_answered: bool,
    /// Whether `info` works without a session.
    pub open_info: bool,
    /// The share of replies, 0–1, that are spelled anew; above 0 all have a field that no document has
    /// ([`crate::noise`]).
    pub noise: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            workplaces: 4,
            visitors: 20,
            keep_history: false,
            edits_per_second: 0.0,
            quiet_from: i64::MAX,
            login: "admin".to_owned(),
            password: "12345".to_owned(),
            echo_id: false,
            echo_token: false,
            token_place: TokenPlace::Data,
            error_place: ErrorPlace::Data,
            date_name: DateName::DateTime,
            newer_fields: false,
            numbers_as_strings: false,
            misplaced_data: false,
            push_before_reply: false,
            unknown_is_answered: true,
            open_info: false,
            noise: 0.0,
        }
    }
}

impl Settings {
    /// The default with [`Settings::noise`], as tests of invariants want it.
    pub fn noisy() -> Self {
        Self { noise: 0.4, ..Self::default() }
    }

    /// These settings with the fields of `patch`, a JSON object, put over them.
    ///
    /// # Errors
    ///
    /// An unknown field, a value of a wrong type, or a field that counts only at the start.
    pub fn changed(&self, patch: &serde_json::Value) -> anyhow::Result<Self> {
        crate::control::patched(self, patch, &START)
    }
}

const START: [&str; 5] = ["listen", "seed", "workplaces", "visitors", "keep_history"];

/// Where the token of a login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenPlace {
    /// In `data`, as in the document.
    Data,
    /// On top.
    Top,
}

/// Where the result object of a failed command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorPlace {
    /// In `data`.
    Data,
    /// In `error` on top, beside an empty `data`.
    Error,
    /// Its fields on top.
    Top,
}

/// How the time of an answer is named: the document's prose and its samples differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateName {
    /// `dateTime`.
    DateTime,
    /// `datetime`.
    Datetime,
}
