use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// What a simulator is and how it behaves; everything but the fields marked *start* can be changed
/// while it runs (`Simulator::change_settings`, `POST /_sim/settings`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct Settings {
    /// *Start.* Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// *Start.* The seed of the life, of tokens and of the order of rows.
    pub seed: u64,
    /// *Start.* How many calls exist at the start, in all stages of their life.
    pub calls: usize,
    /// *Start.* The users that exist at the start; they own the calls in turn.
    pub users: Vec<UserSeed>,
    /// *Start.* Whether every published state is kept for [`super::History`]; about one JSON text
    /// an edit.
    pub keep_history: bool,
    /// *Start.* Whether dates come in mixed forms: with `Z`, with `+03:00`, with a fraction, and as
    /// Moscow time without any offset (the document says only `date-time`). Otherwise all have `Z`.
    pub naive_dates: bool,
    /// *Start.* The usual size of `descriptionHtmlText`, in bytes.
    pub description_bytes: usize,
    /// *Start.* The share of calls, 0–1, with a description of about 20 KB.
    pub large_descriptions: f64,

    /// How many random edits happen in a second; 0 keeps everything still. At most 20,000.
    pub edits_per_second: f64,

    /// The token of the external system.
    pub external_token: String,
    /// The header with that token (the document defines none for ExternalSystemAuth).
    pub external_header: String,
    /// What precedes the token in that header, as `Bearer ` with its space.
    pub external_prefix: String,
    /// What precedes the access token in `Authorization` (UserAuth, `x-user`).
    pub user_prefix: String,
    /// What precedes the service token in `Authorization` (ServiceUserAuth, `x-user-service`).
    pub service_prefix: String,
    /// How long an access token lives, in ms; `None` is forever.
    pub access_lifetime_ms: Option<u64>,
    /// How long a service token lives, in ms; `None` is forever.
    pub service_lifetime_ms: Option<u64>,
    /// Whether a service token works once only: a lost answer then means a new sign-in.
    pub service_token_once: bool,

    /// Whether a read from mark `m` includes rows at `m`.
    pub mark_bound: MarkBound,
    /// How many rows share one mark (at least 1); one row never gets the same mark twice.
    pub marks_shared_by: u64,
    /// The share of random edits, 0–1, whose rows become visible late, with the mark they drew
    /// when they were made, as a database row version behaves in a long transaction.
    pub late_share: f64,
    /// After how many further random edits a late row becomes visible.
    pub late_edits: u64,
    /// After how many ms a late row becomes visible; with both, the later of the two.
    pub late_ms: u64,
    /// Whether an edit of a call's jeopardy or task draws a new mark for the call.
    pub children_bump_call: bool,
    /// Whether a new message draws a new mark for the call.
    pub messages_bump_call: bool,
    /// Whether an edit of the cost estimate draws a new mark for the call.
    pub cost_bumps_call: bool,

    /// What answers success where the document lists both 200 and 204.
    pub plain_success: PlainSuccess,
    /// Whether an answer carries an `ErrorDTO` where the text lists codes while the schema column
    /// says `No Content`; by default the schema column wins and the body is empty.
    pub listed_error_codes: bool,
    /// Client names that `POST /call` does not know (404, code 1).
    pub unknown_clients: Vec<String>,
    /// Service object names that `POST /call` does not know (404, code 2).
    pub unknown_objects: Vec<String>,
    /// The largest attachment, in bytes; above it 422.
    pub attachment_bytes: usize,
    /// The share of replies, 0–1, that are spelled anew; above 0 all have a field that no document has
    /// ([`crate::noise`]).
    pub noise: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            calls: 100,
            users: ["ivanov", "petrova", "sidorov", "kuznetsova", "akhmetov"]
                .map(UserSeed::named)
                .to_vec(),
            keep_history: false,
            naive_dates: false,
            description_bytes: 600,
            large_descriptions: 0.01,
            edits_per_second: 0.0,
            external_token: "external-system-token".to_owned(),
            external_header: "Authorization".to_owned(),
            external_prefix: String::new(),
            user_prefix: String::new(),
            service_prefix: String::new(),
            access_lifetime_ms: Some(30 * 60 * 1000),
            service_lifetime_ms: None,
            service_token_once: false,
            mark_bound: MarkBound::Exclusive,
            marks_shared_by: 1,
            late_share: 0.0,
            late_edits: 5,
            late_ms: 0,
            children_bump_call: true,
            messages_bump_call: false,
            cost_bumps_call: false,
            plain_success: PlainSuccess::Mixed,
            listed_error_codes: false,
            unknown_clients: Vec::new(),
            unknown_objects: Vec::new(),
            attachment_bytes: 10 * 1024 * 1024,
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
    /// An unknown field, a value of a wrong type or out of its bounds, or a field that counts only
    /// at the start.
    pub fn changed(&self, patch: &serde_json::Value) -> anyhow::Result<Self> {
        let changed = crate::control::patched(self, patch, &START)?;
        changed.check()?;
        Ok(changed)
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        let share = 0.0..=1.0;
        anyhow::ensure!(share.contains(&self.late_share), "`late_share` is 0–1");
        anyhow::ensure!(share.contains(&self.large_descriptions), "`large_descriptions` is 0–1");
        anyhow::ensure!(
            (0.0..=20_000.0).contains(&self.edits_per_second),
            "`edits_per_second` is 0–20000"
        );
        anyhow::ensure!(self.marks_shared_by >= 1, "`marks_shared_by` is at least 1");
        anyhow::ensure!(!self.users.is_empty(), "`users` has at least one user");
        Ok(())
    }
}

const START: [&str; 8] = [
    "listen",
    "seed",
    "calls",
    "users",
    "keep_history",
    "naive_dates",
    "description_bytes",
    "large_descriptions",
];

/// Whether `GET /call/modifications/{timestamp}` and its two siblings include rows with exactly the
/// given mark; the document does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkBound {
    /// Rows with a mark above the given one.
    Exclusive,
    /// Rows with the given mark too.
    Inclusive,
}

/// The code of a success without content where the document lists both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlainSuccess {
    /// Always 200; with a body where the document has one for it.
    Ok,
    /// Always 204.
    NoContent,
    /// 200 and 204 in turn.
    Mixed,
}

/// A user that exists at the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSeed {
    /// The unique name.
    pub name: String,
    /// The password as it is typed.
    pub password: String,
}

impl UserSeed {
    /// A user with the password `<name>-пароль`.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), password: format!("{name}-пароль") }
    }
}
