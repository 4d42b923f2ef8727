//! Settings of the connector `enter-export`.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use talon_http::{Credentials, HeaderName};
use talon_sdk::FeedSpec;
use talon_sdk::config::{Importance, Key, Settings};
use talon_sdk::privacy::{self, POLICIES, Policy, Privacy};

use super::day::Day;
use super::entity::Personal;
use super::feeds::all;
use super::zone::Zones;

const DAY_MS: u64 = 24 * 3_600_000;

/// A configured instance's settings.
pub(crate) struct Config {
    pub(crate) http: talon_http::Config,
    pub(crate) token: Option<Credentials>,
    pub(crate) feeds: Vec<Arc<FeedSpec>>,
    pub(crate) catalogue_interval: Duration,
    pub(crate) plan: PlanConfig,
    pub(crate) zones: Zones,
    pub(crate) privacy: Personal,
}

/// What is read when.
#[derive(Debug, Clone)]
pub(crate) struct PlanConfig {
    /// Identifiers; none means all.
    pub(crate) branches: Vec<String>,
    pub(crate) poll_interval: Duration,
    pub(crate) late_interval: Duration,
    /// In days.
    pub(crate) late_max_age: i32,
    pub(crate) settle: Duration,
    pub(crate) backfill_from: Option<Day>,
    pub(crate) newest_first: bool,
    pub(crate) concurrency: usize,
    pub(crate) deletes: bool,
}

impl PlanConfig {
    /// The pace for what can wait.
    pub(crate) fn slow_interval(&self) -> Duration {
        self.late_interval.max(self.poll_interval)
    }

    /// When a day has settled in a zone, milliseconds since 1970 UTC.
    pub(crate) fn settled_ms(&self, day: Day, zone: &TimeZone) -> i64 {
        let settle_ms = i64::try_from(self.settle.as_millis()).unwrap_or(i64::MAX);
        day.end_ms(zone).saturating_add(settle_ms)
    }
}

/// Declares all settings.
pub(crate) fn keys() -> Vec<Key> {
    let mut keys = talon_http::keys();
    keys.extend([
        Key::secret("auth.token")
            .importance(Importance::Medium)
            .doc("System token, sent in the header `Token`. The document describes no authentication; other interfaces of the same server take this header."),
        FeedSpec::key(&all(), "The feeds to read. `ticket_operation` comes with the rows of `ticket` and needs it. Switched on later, it tells only of tickets that change."),
        Key::words("branches")
            .default("all")
            .importance(Importance::Medium)
            .doc("The identifiers of the branches whose tickets are read, or `all`."),
        Key::whole("poll.interval.ms", 10, DAY_MS)
            .default("10000")
            .importance(Importance::High)
            .doc("How often the tickets of today are read, for each branch; and those of yesterday until it has settled."),
        Key::whole("late.poll.interval.ms", 10, 30 * DAY_MS)
            .default("3600000")
            .importance(Importance::Medium)
            .doc("How often days are read again that hold tickets which can still change, and today's tickets of branches that are not connected."),
        Key::whole("late.max.age.days", 0, 3_650)
            .default("100")
            .importance(Importance::Medium)
            .doc("Up to which age such days are read. A booked ticket is found under the day of its creation, and changes on the day of its appointment."),
        Key::whole("catalogue.poll.interval.ms", 10, DAY_MS)
            .default("60000")
            .doc("How often branches and ticket sources are read."),
        Key::whole("day.settle.ms", 0, 7 * DAY_MS)
            .default("7200000")
            .doc("How long after its end a day has settled: only a read after that ends the reading of the day."),
        Key::text("backfill.from")
            .importance(Importance::High)
            .doc("The first day to be read, `2024-01-31`. Without it reading begins with today."),
        Key::choice("backfill.order", &["newest-first", "oldest-first"])
            .default("newest-first")
            .doc("Which days of the past are read first."),
        Key::whole("backfill.concurrency", 1, 64)
            .default("4")
            .importance(Importance::Medium)
            .doc("How many days of the past are read at once. Today has as many places of its own."),
        Key::flag("deletes")
            .default("false")
            .doc("Whether tickets that vanish from a day of a connected branch are deleted. The document describes no deletes. Needs `before.image: full`, and looks at every known ticket after each read."),
        Key::flag("data.fields")
            .default("false")
            .importance(Importance::High)
            .doc("Whether the data that visitors typed in is asked for: names, phone numbers."),
        Key::zone("time.zone")
            .default("Europe/Moscow")
            .importance(Importance::High)
            .doc("Zone of the branches for which neither the upstream nor `time.zone.{branch}` says one."),
        Key::zone("time.zone.{branch}")
            .doc("Zone of the branch with this identifier, where the upstream does not say one."),
    ]);
    keys.extend(privacy::keys(&FeedSpec::contracts(&all())));
    keys.push(
        Key::choice("pii.policy.field.{FieldTypeId}", POLICIES).doc(
            "The policy for the data fields of one type. Without it, `pii.policy.value` holds.",
        ),
    );
    keys
}

/// Reads them.
pub(crate) fn read(settings: &mut Settings<'_>) -> Config {
    let token = settings.secret("auth.token").map(|token| {
        Credentials::header(HeaderName::from_static("token"), "", token, "auth.token")
    });
    let feeds = FeedSpec::enabled(&all(), settings);
    if feeds.is_empty() {
        settings.problem("feeds", "names no feed, so the connector would do nothing");
    }
    let has = |name: &str| feeds.iter().any(|spec| *spec.name == *name);
    if has("ticket_operation") && !has("ticket") {
        settings.problem("feeds", "has `ticket_operation` without `ticket`, whose rows tell it");
    }
    let deletes = settings.flag("deletes");
    if deletes && settings.is_set("before.image") && settings.text("before.image") == "none" {
        settings.problem(
            "deletes",
            "is `true`, but with `before.image: none` nobody knows the day of a ticket that \
             vanished; set `before.image: full`, or `deletes: false`",
        );
    }
    let branches = settings.list("branches");
    let branches = branches.iter().map(|id| id.to_lowercase()).collect::<Vec<_>>();
    Config {
        http: talon_http::read(settings),
        token,
        feeds,
        catalogue_interval: settings.millis("catalogue.poll.interval.ms"),
        plan: PlanConfig {
            branches: if branches == ["all"] { Vec::new() } else { branches },
            poll_interval: settings.millis("poll.interval.ms"),
            late_interval: settings.millis("late.poll.interval.ms"),
            late_max_age: i32::try_from(settings.whole("late.max.age.days")).unwrap_or(i32::MAX),
            settle: settings.millis("day.settle.ms"),
            backfill_from: backfill_from(settings),
            newest_first: settings.text("backfill.order") != "oldest-first",
            concurrency: usize::try_from(settings.whole("backfill.concurrency")).unwrap_or(1),
            deletes,
        },
        zones: Zones::read(settings),
        privacy: Personal {
            privacy: Privacy::read(settings, &FeedSpec::contracts(&all())),
            data_fields: settings.flag("data.fields"),
            field_types: settings
                .instances("pii.policy.field.{FieldTypeId}")
                .into_iter()
                .map(|id| {
                    let word = settings.text(&format!("pii.policy.field.{id}"));
                    (id.to_lowercase(), Policy::of(&word))
                })
                .collect(),
        },
    }
}

fn backfill_from(settings: &mut Settings<'_>) -> Option<Day> {
    let text = settings.text("backfill.from");
    if text.is_empty() {
        return None;
    }
    let day = Day::parse(&text);
    if day.is_none() {
        let quoted = settings.quote("backfill.from");
        settings.problem("backfill.from", format!("{quoted}, expected a day such as `2024-01-31`"));
    }
    day
}
