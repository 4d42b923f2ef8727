//! Settings of the connector `contractor`.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use talon_http::{Credentials, HeaderName};
use talon_sdk::config::{Importance, Key, Settings};
use talon_sdk::privacy::{self, Privacy};
use talon_sdk::{CommandSpec, FeedSpec};

use crate::commands;
use crate::commands::config::CommandConfig;
use crate::feeds;

/// A configured instance's settings.
pub(crate) struct Config {
    pub(crate) http: talon_http::Config,
    pub(crate) external: Option<Credentials>,
    pub(crate) feeds: Vec<(Arc<FeedSpec>, Duration)>,
    pub(crate) overlap: i64,
    /// From one look from the beginning to the next.
    pub(crate) audit_ms: i64,
    pub(crate) cost_cycle: Duration,
    pub(crate) zone: TimeZone,
    pub(crate) privacy: Privacy,
    pub(crate) commands: CommandConfig,
    /// Commands that are switched on.
    pub(crate) enabled: Vec<&'static CommandSpec>,
}

fn interval(feed: &str) -> String {
    format!("{feed}.poll.interval.ms")
}

/// Declares all settings.
pub(crate) fn keys() -> Vec<Key> {
    let feeds = feeds::all();
    let mut keys = talon_http::keys();
    keys.extend([
        Key::secret("auth.external.token")
            .importance(Importance::High)
            .doc("Token of the external (dispatcher) system, for all feeds and its commands, and for reading back what users' commands did. The document leaves its scheme undefined; without this setting no credentials are sent."),
        Key::text("auth.external.header")
            .default("Authorization")
            .doc("Header that carries the token."),
        Key::text("auth.external.prefix")
            .default("")
            .doc("What stands before the token, such as `Bearer`; a blank is put between."),
        FeedSpec::key(
            &feeds,
            "The feeds to read. `call_cost` costs one request for each call that changed.",
        ),
        Key::whole("timestamp.overlap", 0, i64::MAX as u64)
            .default("0")
            .importance(Importance::Medium)
            .doc("Asks the modification feeds again from so far before the highest mark seen. Set it if rows become visible after newer ones, or several share a mark; what comes again costs no event. Its unit is that of the marks, which the document does not state."),
        Key::whole("timestamp.audit.interval.ms", 1_000, 365 * 24 * 3_600_000)
            .default("86400000")
            .doc("How often `call` and `call_jeopardy` are looked at from the beginning, at fixed times, for changes below the highest mark seen, which reading on from it misses. They are published, and the feed is shown as `degraded` until a look finds none."),
        Key::zone("time.zone")
            .default("UTC")
            .importance(Importance::Medium)
            .doc("Zone of instants that come without an offset."),
        Key::whole("call_cost.cycle.interval.ms", 1_000, 30 * 24 * 3_600_000)
            .default("3600000")
            .doc("How often the estimates of all calls are read, changed or not."),
    ]);
    keys.extend(feeds.iter().map(|spec| {
        let feed = &spec.name;
        let default = match &**feed {
            "call_task" => "10000",
            "call_cost" => "5000",
            _ => "2000",
        };
        Key::whole(interval(feed), 10, 24 * 3_600_000)
            .default(default)
            .importance(Importance::Medium)
            .doc(format!(
                "How often `{feed}` is read: from the start of a read to that of the next."
            ))
    }));
    keys.push(commands::ACTIONS.key("RegisterUser, ChangePassword, LockUser and CompleteSharedCall are off unless named here: their parameters carry passwords or tokens in the clear."));
    keys.extend(commands::config::keys());
    keys.extend(privacy::keys(&FeedSpec::contracts(&feeds)));
    keys
}

/// Reads them.
pub(crate) fn read(settings: &mut Settings<'_>) -> Config {
    let header = settings.text("auth.external.header");
    let name = HeaderName::try_from(header.as_str());
    if name.is_err() {
        let quoted = settings.quote("auth.external.header");
        settings.problem("auth.external.header", format!("{quoted}, expected a header name"));
    }
    let external = settings.secret("auth.external.token").zip(name.ok()).map(|(token, name)| {
        let prefix = settings.text("auth.external.prefix");
        Credentials::header(name, &prefix, token, "auth.external.token")
    });
    let all = feeds::all();
    let feeds = FeedSpec::enabled(&all, settings);
    let commands = commands::config::read(settings);
    let enabled = commands::enabled(settings, commands.has_user());
    if feeds.is_empty() && enabled.is_empty() {
        let problem = "names no feed and `commands` no command, so the connector would do nothing";
        settings.problem("feeds", problem);
    }
    Config {
        http: talon_http::read(settings),
        external,
        feeds: feeds
            .into_iter()
            .map(|spec| (spec.clone(), settings.millis(&interval(&spec.name))))
            .collect(),
        overlap: i64::try_from(settings.whole("timestamp.overlap")).unwrap_or(i64::MAX),
        audit_ms: i64::try_from(settings.whole("timestamp.audit.interval.ms")).unwrap_or(i64::MAX),
        cost_cycle: settings.millis("call_cost.cycle.interval.ms"),
        zone: settings.zone("time.zone"),
        privacy: Privacy::read(settings, &FeedSpec::contracts(&all)),
        commands,
        enabled,
    }
}
