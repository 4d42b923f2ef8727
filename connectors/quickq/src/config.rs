//! Settings of the connector `quickq`.

use std::sync::Arc;
use std::time::Duration;

use talon_sdk::FeedSpec;
use talon_sdk::config::{Importance, Key, Settings};
use talon_sdk::privacy::{self, Privacy};

use crate::books::{BOOKS, Commands};
use crate::commands::ACTIONS;
use crate::feeds;
use crate::options::{Login, Password, SocketConfig, Statistics};

/// A configured instance's settings.
pub(crate) struct Config {
    pub(crate) socket: SocketConfig,
    pub(crate) login: Login,
    pub(crate) feeds: Vec<Arc<FeedSpec>>,
    /// Commands that are switched on.
    pub(crate) enabled: Vec<&'static talon_sdk::CommandSpec>,
    pub(crate) workplaces: Vec<i64>,
    pub(crate) detailed: bool,
    pub(crate) refresh: Duration,
    /// Of each book, in the order of [`BOOKS`].
    pub(crate) commands: Vec<Commands>,
    pub(crate) statistics: Statistics,
    pub(crate) info_interval: Duration,
    pub(crate) privacy: Privacy,
}

const COMPONENTS: &[&str] = &["workplace", "registrator", "qboard"];

const DAY_MS: u64 = 24 * 3_600_000;

/// Declares all settings.
pub(crate) fn keys() -> Vec<Key> {
    let mut keys = vec![
        Key::socket_url("upstream.url")
            .required()
            .importance(Importance::High)
            .doc("Where the upstream is, such as `wss://queue.example.org/logic`. Over ws the password's hash, which is as good as the password, crosses the network in the clear."),
        Key::text("auth.login")
            .required()
            .importance(Importance::High)
            .doc("The login of the account."),
        Key::secret("auth.password")
            .importance(Importance::High)
            .doc("Its password as it is typed; it is sent as the protocol wants it, as MD5."),
        Key::secret("auth.password.md5")
            .doc("Instead of `auth.password`: lower-case hex of the MD5 of the password."),
        Key::choice("auth.component", COMPONENTS)
            .default("workplace")
            .doc("As what to log in. Only a workplace needs a password."),
        Key::whole("auth.workplace", 0, i64::MAX as u64)
            .importance(Importance::Medium)
            .doc("The id of the workplace to log in at, where the account needs one."),
        FeedSpec::key(&feeds::all(), "The feeds to read. `queue` needs `queue.workplaces`.")
            .default("operation,service,ticket_range,workplace,user_role,user,qboard,scoreboard,registrator,consumer,consumer_preregistered,operation_state,server_info"),
        Key::words("queue.workplaces")
            .default("")
            .importance(Importance::Medium)
            .doc("The ids of the workplaces whose queues the feed `queue` follows; each takes a socket of its own."),
        Key::flag("queue.detailed")
            .default("true")
            .doc("Whether the visitors in a queue come with their operations."),
        Key::whole("refresh.interval.ms", 1_000, DAY_MS)
            .default("60000")
            .importance(Importance::Medium)
            .doc("A list of which no push came for so long is read again, in case a push was lost."),
        Key::whole("statistics.poll.interval.ms", 10, DAY_MS)
            .default("10000")
            .importance(Importance::Medium)
            .doc("How often `operation_state` is read."),
        Key::whole("statistics.history.ms", 1_000, 3650 * DAY_MS)
            .default("86400000")
            .importance(Importance::Medium)
            .doc("How far back the first read of `operation_state` reaches."),
        Key::whole("statistics.window.max.ms", 1_000, 366 * DAY_MS)
            .default("86400000")
            .doc("The longest time that one request asks for; a longer one is read in pieces."),
        Key::whole("statistics.overlap.ms", 0, 30 * DAY_MS)
            .default("7200000")
            .importance(Importance::Medium)
            .doc("How far each read reaches back behind the last one. Must be longer than a visitor stays, because the document does not say whether the window is one of arrival or of completion; what comes again costs no event."),
        Key::whole("server_info.poll.interval.ms", 10, DAY_MS)
            .default("60000")
            .doc("How often `server_info` is read."),
        Key::whole("upstream.connect.timeout.ms", 1, 600_000)
            .default("5000")
            .doc("How long a connection may take, with the name's resolution and the handshakes."),
        Key::whole("upstream.request.timeout.ms", 1, 3_600_000)
            .default("30000")
            .importance(Importance::Medium)
            .doc("How long the answer to a command may take."),
        Key::decimal("upstream.requests.per.second", 0.01, 100_000.0)
            .default("50")
            .importance(Importance::Medium)
            .doc("How many requests and connections a second there may be, over all sockets. After a pause, one second's worth goes at once."),
        Key::whole("upstream.message.max.bytes", 1024, 1 << 30)
            .default("67108864")
            .doc("The largest message. A larger one ends the connection."),
        Key::whole("upstream.ping.interval.ms", 10, 3_600_000)
            .default("10000")
            .doc("After so long without a message the peer is asked whether it lives: by a ping, and by the command `info`."),
        Key::whole("upstream.idle.timeout.ms", 10, 3_600_000)
            .default("30000")
            .importance(Importance::Medium)
            .doc("After so long without a message, though it was asked, the peer is taken for dead."),
    ];
    keys.push(
        ACTIONS.key("Those that remove items of the books for good are off unless named here."),
    );
    keys.extend(talon_http::tls_keys());
    keys.extend(talon_http::proxy::keys("upstream"));
    keys.extend(BOOKS.into_iter().flat_map(crate::books::Book::keys));
    keys.extend(privacy::keys(&FeedSpec::contracts(&feeds::all())));
    keys
}

/// Reads them.
pub(crate) fn read(settings: &mut Settings<'_>) -> Config {
    let component = settings.text("auth.component");
    let plain = settings.secret("auth.password");
    let hashed = settings.secret("auth.password.md5");
    if plain.is_some() && hashed.is_some() {
        settings.problem("auth.password.md5", "is set, and so is `auth.password`; one is enough");
    }
    if plain.is_none() && hashed.is_none() && component == "workplace" {
        settings.problem("auth.password", "is not set; a workplace logs in with a password");
    }
    let workplaces = workplaces(settings);
    let all = feeds::all();
    let mut feeds = FeedSpec::enabled(&all, settings);
    let enabled = ACTIONS.enabled(settings);
    if feeds.is_empty() && enabled.is_empty() {
        let problem = "names no feed and `commands` no command, so the connector would do nothing";
        settings.problem("feeds", problem);
    }
    let follows_queue = feeds.iter().any(|spec| &*spec.name == "queue");
    match (follows_queue, workplaces.is_empty()) {
        (true, true) => settings.problem("queue.workplaces", "is empty, but `feeds` has `queue`"),
        (false, false) if !settings.is_set("feeds") => {
            feeds.extend(all.iter().filter(|spec| &*spec.name == "queue").cloned().map(Arc::new))
        }
        _ => {}
    }
    let whole = |name: &str| i64::try_from(settings.whole(name)).unwrap_or(i64::MAX);
    let workplace = settings.is_set("auth.workplace").then(|| whole("auth.workplace"));
    let max_bytes = settings.whole("upstream.message.max.bytes");
    Config {
        login: Login {
            component,
            login: settings.text("auth.login"),
            password: plain.map(Password::Plain).or(hashed.map(Password::Md5)),
            workplace,
        },
        commands: BOOKS.into_iter().map(|book| book.commands(settings)).collect(),
        feeds,
        enabled,
        workplaces,
        detailed: settings.flag("queue.detailed"),
        refresh: settings.millis("refresh.interval.ms"),
        statistics: Statistics {
            interval: settings.millis("statistics.poll.interval.ms"),
            history: settings.millis("statistics.history.ms"),
            window: settings.millis("statistics.window.max.ms"),
            overlap: settings.millis("statistics.overlap.ms"),
        },
        info_interval: settings.millis("server_info.poll.interval.ms"),
        socket: SocketConfig {
            url: settings.text("upstream.url"),
            tls: talon_http::read_tls(settings),
            proxy: talon_http::proxy::read(settings, "upstream"),
            requests_per_second: settings.decimal("upstream.requests.per.second"),
            connect_timeout: settings.millis("upstream.connect.timeout.ms"),
            request_timeout: settings.millis("upstream.request.timeout.ms"),
            message_max_bytes: usize::try_from(max_bytes).unwrap_or(usize::MAX),
            ping_interval: settings.millis("upstream.ping.interval.ms"),
            idle_timeout: settings.millis("upstream.idle.timeout.ms"),
        },
        privacy: Privacy::read(settings, &FeedSpec::contracts(&all)),
    }
}

fn workplaces(settings: &mut Settings<'_>) -> Vec<i64> {
    let mut ids = Vec::new();
    for text in settings.list("queue.workplaces") {
        match text.parse::<i64>() {
            Ok(id) if id >= 0 => ids.push(id),
            _ => {
                let quoted = settings.quote("queue.workplaces");
                settings.problem("queue.workplaces", format!("{quoted}, expected numbers"));
            }
        }
    }
    ids
}
