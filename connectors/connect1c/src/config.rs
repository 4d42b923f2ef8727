//! Settings of the connector `connect1c`.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use talon_http::Credentials;
use talon_sdk::FeedSpec;
use talon_sdk::config::{Importance, Key, Settings};
use talon_sdk::feeds::windows;
use talon_sdk::privacy::{self, Privacy};
use talon_sdk::quota::{self, Limits};

use crate::entity::COLUMNS;
use crate::feeds::specs::all;
use crate::soap::Filter;

const DAY_MS: u64 = 24 * 3_600_000;

/// The most days of a window. The upstream allows 35 by day; 34 leave one for a zone that is another than
/// configured.
const MOST_DAYS: i32 = 34;

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
        Key::text("client.id").doc("Only treatments of this organisation."),
        Key::text("service.user.id").doc("Only treatments of this account."),
        Key::text("service.id").doc("Only treatments of this support line."),
        Key::text("specialist.id").doc("Only treatments of this specialist."),
    ]);
    keys.extend(windows::keys("treatment", MOST_DAYS));
    keys.extend(quota::keys(10, 50));
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
    let quota = quota::read(settings, &zone, http.request_timeout);
    let interval = quota::read_interval(settings, &quota, "treatment.poll.interval.ms");
    let open_interval = quota::read_interval(settings, &quota, "open_treatment.poll.interval.ms");
    let plan = windows::read(settings, &zone, interval, MOST_DAYS);
    let intervals = |spec: Arc<FeedSpec>| {
        let interval = if *spec.name == *"treatment" { interval } else { open_interval };
        (spec, interval)
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
