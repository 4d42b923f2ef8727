//! Settings of the connector `connect1c`.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use talon_http::Credentials;
use talon_sdk::FeedSpec;
use talon_sdk::config::{Importance, Key, Settings};
use talon_sdk::feeds::windows;
use talon_sdk::privacy::{self, Privacy};
use talon_sdk::quota::Limits;

use crate::entity::COLUMNS;
use crate::feeds::all;
use crate::soap::Filter;

const DAY_MS: u64 = 24 * 3_600_000;

/// How long it may take to commit that a call is about to be made; after that it is taken in anew.
const COMMIT: Duration = Duration::from_secs(60);

/// A configured instance's settings.
pub(crate) struct Config {
    pub(crate) http: talon_http::Config,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) feeds: Vec<(Arc<FeedSpec>, Duration)>,
    pub(crate) open_interval: Duration,
    pub(crate) plan: windows::Settings,
    pub(crate) quota: Limits,
    pub(crate) filter: Filter,
    pub(crate) zone: TimeZone,
    /// The columns whose times are of another zone.
    pub(crate) zones: Vec<(String, TimeZone)>,
    pub(crate) privacy: Privacy,
}

/// Declares all settings.
pub(crate) fn keys() -> Vec<Key> {
    let feeds = all();
    let mut keys = talon_http::keys();
    keys.extend([
        Key::text("auth.user")
            .required()
            .importance(Importance::High)
            .doc("User of the partner's cabinet, for HTTP Basic authentication. Its interface must be switched on there."),
        Key::secret("auth.password")
            .required()
            .importance(Importance::High)
            .doc("Password of `auth.user`."),
        Key::zone("time.zone")
            .required()
            .importance(Importance::High)
            .doc("Zone of all times: the one that is chosen in the cabinet's settings of the interface. The upstream writes times without an offset."),
        Key::words("time.zone.columns")
            .doc("Columns whose times are of another zone, as `Column=Zone`: `Closed=Europe/Moscow`."),
        FeedSpec::key(&feeds, "The feeds that are read."),
        Key::whole("treatment.poll.interval.ms", 100, DAY_MS)
            .default("900000")
            .importance(Importance::Medium)
            .doc("How often `treatment` reads what was closed lately. Each read is a call of the quota."),
        Key::whole("open_treatment.poll.interval.ms", 100, DAY_MS)
            .default("900000")
            .importance(Importance::Medium)
            .doc("How often `open_treatment` is read. Each read is a call of the quota."),
        Key::text("backfill.from")
            .importance(Importance::High)
            .doc("First day of the past that is read, `2024-01-31`, newest first, in windows of 34 days. Without it `treatment` begins with what is closed from now on."),
        Key::whole("overlap.ms", 0, 7 * DAY_MS)
            .default("3600000")
            .doc("How far a read of what was closed lately reaches back behind the one before it."),
        Key::whole("lag.ms", 1_000, 3_600_000)
            .default("60000")
            .doc("How far such a read stays behind now: what is closed in the same second could be missed."),
        Key::text("sweep.time")
            .default("03:00")
            .doc("From which time of day on the last 34 days are read again, once a day, for ratings that came late. In `time.zone`."),
        Key::whole("quota.day", 1, 1_000_000)
            .default("10")
            .importance(Importance::Medium)
            .doc("Calls of one operation that the upstream allows an hour, by day."),
        Key::whole("quota.night", 1, 1_000_000)
            .default("50")
            .doc("The same by night; see `quota.night.hours`."),
        Key::text("quota.night.hours")
            .doc("When it is night for the upstream, `22:00-07:00`, in `time.zone`. Which hours these are is not documented: without this setting it is always day."),
        Key::whole("quota.reserve", 0, 1_000_000)
            .default("2")
            .importance(Importance::Medium)
            .doc("How many of these calls are left to other programs that use the account."),
        Key::text("client.id").doc("Only treatments of this organisation."),
        Key::text("service.user.id").doc("Only treatments of this account."),
        Key::text("service.id").doc("Only treatments of this support line."),
        Key::text("specialist.id").doc("Only treatments of this specialist."),
    ]);
    keys.extend(privacy::keys(&FeedSpec::contracts(&feeds)));
    keys
}

/// Reads them.
pub(crate) fn read(settings: &mut Settings<'_>) -> Config {
    let http = talon_http::read(settings);
    let user = settings.text("auth.user");
    if user.contains(':') {
        settings.problem("auth.user", "has a `:`, which no user of Basic authentication can have");
    }
    let credentials = settings.secret("auth.password");
    let credentials =
        credentials.map(|password| Credentials::basic(&user, password, "auth.password"));
    let feeds = FeedSpec::enabled(&all(), settings);
    if feeds.is_empty() {
        settings.problem("feeds", "names no feed, so the connector would do nothing");
    }
    let zone = settings.zone("time.zone");
    let interval = settings.millis("treatment.poll.interval.ms");
    let open_interval = settings.millis("open_treatment.poll.interval.ms");
    let intervals = |spec: Arc<FeedSpec>| {
        let interval = if *spec.name == *"treatment" { interval } else { open_interval };
        (spec, interval)
    };
    let quota = quota(settings, &zone, http.request_timeout);
    for (spec, interval) in feeds.iter().cloned().map(intervals) {
        let calls = 3_600_000 / interval.as_millis().max(1);
        let allowed = u128::from(quota.day.saturating_sub(quota.reserve));
        if calls > allowed {
            settings.problem(
                &format!("{}.poll.interval.ms", spec.name),
                format!("means {calls} calls an hour, but `quota.day` less `quota.reserve` allows {allowed}"),
            );
        }
    }
    let plan = windows::Settings {
        zone: zone.clone(),
        backfill_from: parsed::<Date>(settings, "backfill.from", "a day such as `2024-01-31`"),
        interval,
        overlap: settings.millis("overlap.ms"),
        lag: settings.millis("lag.ms"),
        // The upstream allows 35 by day; 34 leave one for a zone that is another than configured.
        most_days: 34,
        sweep_at: parsed::<Time>(settings, "sweep.time", "a time of day such as `03:00`")
            .unwrap_or_default(),
    };
    let id = |name: &str| Some(settings.text(name)).filter(|text| !text.is_empty());
    let filter = Filter {
        client: id("client.id"),
        user: id("service.user.id"),
        line: id("service.id"),
        specialist: id("specialist.id"),
    };
    Config {
        credentials,
        feeds: feeds.into_iter().map(intervals).collect(),
        open_interval,
        plan,
        quota,
        filter,
        zones: zones(settings),
        zone,
        privacy: Privacy::read(settings, &FeedSpec::contracts(&all())),
        http,
    }
}

fn quota(settings: &mut Settings<'_>, zone: &TimeZone, timeout: Duration) -> Limits {
    let whole = |name: &str| u32::try_from(settings.whole(name)).unwrap_or(u32::MAX);
    let (day, night, reserve) = (whole("quota.day"), whole("quota.night"), whole("quota.reserve"));
    if reserve >= day {
        settings.problem(
            "quota.reserve",
            format!("is {reserve}, which leaves nothing of the {day} calls of `quota.day`"),
        );
    }
    let text = settings.text("quota.night.hours");
    let night_hours = text.split_once('-').and_then(|(from, until)| {
        Some((from.trim().parse::<Time>().ok()?, until.trim().parse::<Time>().ok()?))
    });
    if night_hours.is_none() && !text.is_empty() {
        let quoted = settings.quote("quota.night.hours");
        settings.problem("quota.night.hours", format!("{quoted}, expected `22:00-07:00`"));
    }
    Limits { day, night, reserve, night_hours, zone: zone.clone(), latest: timeout + COMMIT }
}

/// A setting that may be empty.
fn parsed<T: std::str::FromStr>(
    settings: &mut Settings<'_>,
    name: &str,
    expected: &str,
) -> Option<T> {
    let text = settings.text(name);
    let parsed = text.parse().ok();
    if parsed.is_none() && !text.is_empty() {
        let quoted = settings.quote(name);
        settings.problem(name, format!("{quoted}, expected {expected}"));
    }
    parsed
}

fn zones(settings: &mut Settings<'_>) -> Vec<(String, TimeZone)> {
    let mut zones = Vec::new();
    for text in settings.list("time.zone.columns") {
        let column = text.split_once('=').and_then(|(column, zone)| {
            let known = COLUMNS.iter().find(|known| known.eq_ignore_ascii_case(column.trim()))?;
            Some(((*known).to_owned(), TimeZone::get(zone.trim()).ok()?))
        });
        match column {
            Some(column) => zones.push(column),
            None => settings.problem(
                "time.zone.columns",
                format!(
                    "has `{text}`, expected a column of times and its zone, `Closed=Europe/Moscow`"
                ),
            ),
        }
    }
    zones
}
