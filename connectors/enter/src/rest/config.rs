//! Settings of the connector `enter-rest`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use talon_http::HeaderName;
use talon_sdk::config::{Importance, Key, Settings};
use talon_sdk::feeds::windows;
use talon_sdk::privacy::{self, Privacy};
use talon_sdk::{CommandSpec, FeedSpec};

use super::access::{Account, TokenForm};
use super::commands::config::{self as commands, CommandConfig};
use super::feeds::history::MOST_DAYS;
use super::feeds::{EndDate, INTERVAL_FORMS, Interval, ServerKind, all, interval, is_of};

const DAY_MS: u64 = 24 * 3_600_000;

/// Forms of a date in a path: as people write them, and as `strftime` does.
const DATE_FORMS: &[(&str, &str)] =
    &[("yyyy-MM-dd", "%Y-%m-%d"), ("dd.MM.yyyy", "%d.%m.%Y"), ("yyyyMMdd", "%Y%m%d")];

/// A configured instance's settings.
pub(crate) struct Config {
    pub(crate) http: talon_http::Config,
    pub(crate) feeds: Vec<(Arc<FeedSpec>, Duration)>,
    pub(crate) zone: TimeZone,
    /// How long before midnight the upstream may have turned the day.
    pub(crate) margin: Duration,
    pub(crate) date_form: &'static str,
    pub(crate) interval_form: Interval,
    pub(crate) indicator_end: EndDate,
    /// What `ticket_history` reads when.
    pub(crate) history: windows::Settings,
    pub(crate) token: TokenForm,
    pub(crate) hall: Option<Account>,
    pub(crate) visitor: Option<Account>,
    pub(crate) operators: BTreeMap<String, Account>,
    pub(crate) boards: Vec<String>,
    pub(crate) workplaces: Vec<String>,
    pub(crate) surveys: Vec<String>,
    pub(crate) products: Vec<String>,
    pub(crate) product_parameter: &'static str,
    pub(crate) slot_days: i32,
    pub(crate) booking_menu: bool,
    pub(crate) categories: bool,
    pub(crate) children: Vec<String>,
    pub(crate) pin_code: bool,
    pub(crate) privacy: Privacy,
    pub(crate) commands: CommandConfig,
}

impl Config {
    /// How often a feed is read.
    pub(crate) fn interval(&self, feed: &str) -> Duration {
        let found = self.feeds.iter().find(|(spec, _)| *spec.name == *feed);
        found.map(|(_, interval)| *interval).unwrap_or_default()
    }
}

/// Declares all settings.
pub(crate) fn keys() -> Vec<Key> {
    let mut keys = talon_http::keys();
    keys.extend([
        Key::choice("server.kind", &["branch", "central"])
            .default("branch")
            .importance(Importance::High)
            .doc("Which server it is: that of a `branch`, or the `central` one. It decides which feeds there are, and what `GET queue/statistics` gives."),
        FeedSpec::key(&all(), "The feeds to read. By default those that the server has and for which what they need is configured."),
        Key::zone("time.zone")
            .default("Europe/Moscow")
            .importance(Importance::High)
            .doc("The zone of the server. Its stamps have none, and its day begins and ends by it."),
        Key::whole("day.turn.ms", 0, 6 * 3_600_000)
            .default("600000")
            .doc("By how much the server’s clock may differ. So long before the end of a day, nothing of that day is taken as deleted."),
        Key::choice("date.form", &["yyyy-MM-dd", "dd.MM.yyyy", "yyyyMMdd"])
            .default("yyyy-MM-dd")
            .doc("The form of a date in a path. The document does not say it."),
        Key::choice(
            "interval.date.form",
            &["yyyy-MM-dd", "dd.MM.yyyy", "yyyyMMdd", "yyyy-MM-ddTHH:mm:ss"],
        )
        .default("yyyy-MM-dd")
        .doc("The form of `startDate` and `endDate`. The document does not say it."),
        Key::choice("service_indicator.end.date", &["same", "next"])
            .default("same")
            .doc("What `endDate` is where the indicators of one day are asked for: the `same` day, or the `next` one where the server does not take the last day as a part of the interval. The document does not say it; `ticket_history` does not depend on it."),
        Key::text("auth.token.header")
            .default("Authorization")
            .doc("The header in which tokens are sent."),
        Key::text("auth.token.prefix")
            .default("")
            .doc("What stands before a token in that header, such as `Bearer`."),
        Key::text("auth.admin.login")
            .importance(Importance::High)
            .doc("Login of the hall’s administrator. It and the password stand in the path of a request, percent-encoded: a proxy in between may log them."),
        Key::secret("auth.admin.password")
            .importance(Importance::High)
            .doc("Password of the hall’s administrator."),
        Key::text("auth.operator.{clientId}.login")
            .importance(Importance::Medium)
            .doc("Login of the operator of a workplace of `workplaces`. Signing in takes the workplace over from whoever is signed in there."),
        Key::secret("auth.operator.{clientId}.password")
            .importance(Importance::Medium)
            .doc("Password of that operator."),
        Key::secret("auth.booking.identity")
            .doc("The identity as which the schedule is read, any text. The server takes it from trusted addresses only. Without one, the schedule is read without a token."),
        Key::words("boards")
            .importance(Importance::Medium)
            .doc("The client ids of the boards that are read."),
        Key::words("workplaces")
            .importance(Importance::Medium)
            .doc("The client ids of the workplaces that are read. Each needs `auth.operator.{clientId}.login` and `.password`, and is Talon’s alone: a person who signs in there and Talon take the workplace from each other."),
        Key::words("surveys")
            .importance(Importance::Medium)
            .doc("The client ids of the survey devices that are read."),
        Key::words("booking.products")
            .importance(Importance::Medium)
            .doc("The services whose schedule is read: their Id, their IntegrationId, or links of a menu, as `booking.product.parameter` says."),
        Key::choice("booking.product.parameter", &["productId", "menuLinkId"])
            .default("productId")
            .doc("What names a service in a request for its schedule."),
        Key::whole("booking.slot.days", 0, 366)
            .default("7")
            .doc("For how many days from today the times of a schedule are read, a request each."),
        Key::flag("booking.menu")
            .default("false")
            .doc("Whether `menu_item` has the menu for booking too, as the menu `booking`."),
        Key::flag("product.categories")
            .default("true")
            .doc("Whether `product` has the categories of `GET config/products/simple` too."),
        Key::words("menu.children")
            .default("Items,Children,MenuItems,Elements")
            .doc("Under which names an item of a menu has the items under it; the first that is a list counts. The document does not say it."),
        Key::flag("pin.code")
            .default("false")
            .importance(Importance::High)
            .doc("Whether `PinCode`, by which a visitor activates a booking, is put on topics, as personal data. Otherwise it leaves the process nowhere, dead letters included."),
    ]);
    keys.extend(all().into_iter().map(|spec| {
        Key::whole(format!("{}.poll.interval.ms", spec.name), 10, DAY_MS)
            .default(interval(&spec.name))
            .doc(format!("How often `{}` is read.", spec.name))
    }));
    keys.extend(windows::keys("ticket_history", MOST_DAYS));
    keys.extend(commands::keys());
    keys.extend(privacy::keys(&FeedSpec::contracts(&all())));
    keys
}

/// Reads them.
pub(crate) fn read(settings: &mut Settings<'_>) -> Config {
    let kind = match settings.text("server.kind").as_str() {
        "central" => ServerKind::Central,
        _ => ServerKind::Branch,
    };
    let date_form = settings.text("date.form");
    let date_form = DATE_FORMS.iter().find(|(name, _)| *name == date_form);
    let interval_form = settings.text("interval.date.form");
    let interval_form = INTERVAL_FORMS.iter().find(|(name, _)| *name == interval_form);
    let workplaces = settings.list("workplaces");
    let hall = hall(settings);
    let lacks = |spec: &CommandSpec| lacks(spec, hall.as_ref(), &workplaces);
    let commands = commands::read(settings, kind, lacks);
    let zone = settings.zone("time.zone");
    let every = settings.millis("ticket_history.poll.interval.ms");
    let history = windows::read(settings, &zone, every, MOST_DAYS);
    let mut config = Config {
        http: talon_http::read(settings),
        feeds: Vec::new(),
        zone,
        margin: settings.millis("day.turn.ms"),
        date_form: date_form.map_or("%Y-%m-%d", |(_, form)| form),
        interval_form: Interval { form: interval_form.map_or("%Y-%m-%d", |(_, form)| form) },
        indicator_end: match settings.text("service_indicator.end.date").as_str() {
            "next" => EndDate::Next,
            _ => EndDate::Same,
        },
        history,
        token: token_form(settings),
        hall,
        visitor: settings.secret("auth.booking.identity").map(|identity| Account {
            endpoint: "POST /booking/login/{userIdentity}",
            place: None,
            secrets: vec![identity],
            setting: "auth.booking.identity".to_owned(),
        }),
        operators: workplaces.iter().filter_map(|id| operator(settings, id)).collect(),
        boards: settings.list("boards"),
        workplaces,
        surveys: settings.list("surveys"),
        products: settings.list("booking.products"),
        product_parameter: match settings.text("booking.product.parameter").as_str() {
            "menuLinkId" => "menuLinkId",
            _ => "productId",
        },
        slot_days: i32::try_from(settings.whole("booking.slot.days")).unwrap_or(0),
        booking_menu: settings.flag("booking.menu"),
        categories: settings.flag("product.categories"),
        children: settings.list("menu.children"),
        pin_code: settings.flag("pin.code"),
        privacy: Privacy::read(settings, &FeedSpec::contracts(&all())),
        commands,
    };
    for id in settings.instances("auth.operator.{clientId}.login") {
        if !config.workplaces.contains(&id) {
            let key = format!("auth.operator.{id}.login");
            settings.problem(&key, "is of a workplace that `workplaces` does not have");
        }
    }
    if kind == ServerKind::Central && config.hall.is_some() {
        let what = "is set, but a central server has no hall; see `server.kind`";
        settings.problem("auth.admin.login", what);
    }
    config.feeds = feeds(settings, kind, &config);
    config
}

/// The feeds that are read, and how often.
fn feeds(
    settings: &mut Settings<'_>,
    kind: ServerKind,
    config: &Config,
) -> Vec<(Arc<FeedSpec>, Duration)> {
    let are_named = settings.is_set("feeds");
    let mut feeds = Vec::new();
    for spec in FeedSpec::enabled(&all(), settings) {
        let missing = missing(&spec.name, config);
        if !is_of(&spec.name, kind) {
            if are_named {
                let server = settings.text("server.kind");
                let what = format!("has `{}`, which a {server} server does not have", spec.name);
                settings.problem("feeds", what);
            }
        } else if let Some((key, is_needed)) = missing {
            if are_named || is_needed {
                settings.problem(key, format!("is not set, and the feed `{}` needs it", spec.name));
            }
        } else {
            let interval = settings.millis(&format!("{}.poll.interval.ms", spec.name));
            feeds.push((spec, interval));
        }
    }
    let is_idle = feeds.is_empty() && config.commands.enabled.is_empty();
    if is_idle && settings.problems().is_empty() {
        let what = "names no feed and `commands` no command, so the connector would do nothing";
        settings.problem("feeds", what);
    }
    feeds
}

/// What a feed needs and is not there, and whether that is a mistake also where no feed is named.
fn missing(feed: &str, config: &Config) -> Option<(&'static str, bool)> {
    match feed {
        "ticket" | "booking" if config.hall.is_none() => Some(("auth.admin.login", true)),
        "board_call" if config.boards.is_empty() => Some(("boards", false)),
        "survey" if config.surveys.is_empty() => Some(("surveys", false)),
        "workplace" | "operator_queue" | "personal_queue" if config.workplaces.is_empty() => {
            Some(("workplaces", false))
        }
        "booking_day" | "booking_slot" if config.products.is_empty() => {
            Some(("booking.products", false))
        }
        _ => None,
    }
}

/// What a command needs and is not there.
fn lacks(
    spec: &CommandSpec,
    hall: Option<&Account>,
    workplaces: &[String],
) -> Option<&'static str> {
    if spec.call.starts_with("POST /queue/admin/") && hall.is_none() {
        return Some("auth.admin.login");
    }
    (spec.call.starts_with("POST /operation/") && workplaces.is_empty()).then_some("workplaces")
}

fn token_form(settings: &mut Settings<'_>) -> TokenForm {
    let header = HeaderName::try_from(settings.text("auth.token.header"));
    if header.is_err() {
        let quoted = settings.quote("auth.token.header");
        settings.problem("auth.token.header", format!("{quoted}, which is no name of a header"));
    }
    TokenForm {
        header: header.unwrap_or(talon_http::AUTHORIZATION),
        prefix: settings.text("auth.token.prefix"),
    }
}

fn hall(settings: &mut Settings<'_>) -> Option<Account> {
    let login = settings.secret("auth.admin.login");
    let password = settings.secret("auth.admin.password");
    let (login, password) = both(settings, "auth.admin", login, password)?;
    Some(Account {
        endpoint: "POST /queue/admin/login/{login}/{password}",
        place: None,
        secrets: vec![login, password],
        setting: "auth.admin.password".to_owned(),
    })
}

fn operator(settings: &mut Settings<'_>, client_id: &str) -> Option<(String, Account)> {
    if client_id.contains(['.', '{', '}']) {
        let what =
            format!("has `{client_id}`; a client id with a dot or a brace cannot be configured");
        settings.problem("workplaces", what);
        return None;
    }
    let prefix = format!("auth.operator.{client_id}");
    let login = settings.secret(&format!("{prefix}.login"));
    let password = settings.secret(&format!("{prefix}.password"));
    if login.is_none() && password.is_none() {
        let what = format!("is not set, and the workplace `{client_id}` needs it");
        settings.problem(&format!("{prefix}.login"), what);
    }
    let (login, password) = both(settings, &prefix, login, password)?;
    let account = Account {
        endpoint: "POST /operation/identify/{clientId}/{login}/{password}",
        place: Some(client_id.to_owned()),
        secrets: vec![login, password],
        setting: format!("{prefix}.password"),
    };
    Some((client_id.to_owned(), account))
}

/// Login and password; one without the other is a problem.
fn both<S>(
    settings: &mut Settings<'_>,
    prefix: &str,
    login: Option<S>,
    password: Option<S>,
) -> Option<(S, S)> {
    match (login, password) {
        (Some(login), Some(password)) => return Some((login, password)),
        (Some(_), None) => {
            settings.problem(&format!("{prefix}.password"), "is not set, but the login is");
        }
        (None, Some(_)) => {
            settings.problem(&format!("{prefix}.login"), "is not set, but the password is");
        }
        (None, None) => {}
    }
    None
}
