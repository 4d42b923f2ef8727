//! Settings of the commands.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use talon_http::HeaderName;
use talon_sdk::config::{Importance, Key, Settings};

use super::attachments::Limits;
use crate::session::{Account, TokenForm};

/// Settings of the commands.
pub(crate) struct CommandConfig {
    pub(super) accounts: Accounts,
    pub(super) form: TokenForm,
    pub(super) marker: Marker,
    pub(super) publish_link: bool,
    pub(super) limits: Limits,
}

impl CommandConfig {
    /// Whether there is a user in whose name commands can be sent.
    pub(crate) fn has_user(&self) -> bool {
        self.accounts.main.is_some() || !self.accounts.named.is_empty()
    }
}

/// The configured users.
pub(super) struct Accounts {
    /// In whose name a command is sent that names none.
    pub(super) main: Option<Account>,
    /// Under the names that commands give in `as`.
    pub(super) named: BTreeMap<String, Account>,
}

/// Where the marker of a created call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// As a comment at the end of `description_html`.
    Html,
    /// At the end of `description_for_field_employee`, where people see it.
    Text,
    Off,
}

const USER_NAME: &str = "auth.user.{user}.name";
const USER_PASSWORD: &str = "auth.user.{user}.password";

pub(crate) fn keys() -> Vec<Key> {
    vec![
        Key::text("auth.user.name")
            .importance(Importance::Medium)
            .doc("Name of the user in whose name commands such as SetCallStatus are sent. Without a user these are off."),
        Key::secret("auth.user.password")
            .importance(Importance::Medium)
            .doc("Password of that user. It is hashed with a fresh salt for each sign-in and never sent itself."),
        Key::text(USER_NAME)
            .doc("Name of one more user; a command is sent in that name where its `as` is what stands for `{user}`."),
        Key::secret(USER_PASSWORD).doc("Password of that user."),
        Key::text("auth.user.header")
            .default("Authorization")
            .doc("Header that carries a user's tokens."),
        Key::text("auth.user.prefix")
            .default("")
            .doc("What stands before the access token, such as `Bearer`; a blank is put between."),
        Key::text("auth.service.prefix")
            .default("")
            .doc("What stands before the service token, with which the access token is renewed."),
        Key::choice("commands.createcall.marker", &["html", "text", "off"])
            .default("html")
            .doc("Where a created call carries the marker by which it is found again after a lost reply: as a comment in the HTML description, as a last line of the description for the field employee, or nowhere. Without it a lost reply of CreateCall ends UNKNOWN as soon as a call like it exists."),
        Key::flag("commands.templink.publish")
            .default("false")
            .doc("Whether the outcome of CreateTempLink has the link in it. Whoever reads the topic of results can then read the customer's data without login."),
        Key::whole("attachments.max.bytes", 1, 1 << 30)
            .default("10485760")
            .doc("The largest file that is attached to a task."),
        Key::text("attachments.file.root")
            .doc("Folder below which `file:` references of AddTaskAttachment may lead. Without it there are none."),
        Key::words("attachments.http.hosts")
            .default("")
            .doc("Hosts, with a port where it is not the usual one, from which http and https references of AddTaskAttachment may be read. Without any there are none."),
    ]
}

pub(crate) fn read(settings: &mut Settings<'_>) -> CommandConfig {
    let accounts = Accounts {
        main: account(settings, "auth.user.name", "auth.user.password"),
        named: named_accounts(settings),
    };
    let root = settings.text("attachments.file.root");
    if settings.is_set("attachments.file.root") && !root.is_empty() && !root.starts_with('/') {
        let quoted = settings.quote("attachments.file.root");
        settings.problem("attachments.file.root", format!("{quoted}, expected an absolute path"));
    }
    let hosts = settings.list("attachments.http.hosts");
    if hosts.iter().any(|host| host.contains(['/', '@', '?', '#', '*', ' '])) {
        settings
            .problem("attachments.http.hosts", "has more than hosts, such as `files.example.org`");
    }
    CommandConfig {
        form: token_form(settings),
        accounts,
        marker: match settings.text("commands.createcall.marker").as_str() {
            "off" => Marker::Off,
            "text" => Marker::Text,
            _ => Marker::Html,
        },
        publish_link: settings.flag("commands.templink.publish"),
        limits: Limits {
            max_bytes: usize::try_from(settings.whole("attachments.max.bytes"))
                .unwrap_or(usize::MAX),
            root: Some(root).filter(|root| !root.is_empty()).map(PathBuf::from),
            hosts,
        },
    }
}

/// A user, where both settings are there.
fn account(settings: &mut Settings<'_>, name: &str, password: &str) -> Option<Account> {
    match (settings.is_set(name), settings.is_set(password)) {
        (true, false) => settings.problem(password, format!("is not set, but `{name}` is")),
        (false, true) => settings.problem(name, format!("is not set, but `{password}` is")),
        (false, false) => return None,
        (true, true) => {}
    }
    Some(Account {
        name: settings.text(name),
        password: settings.secret(password)?,
        name_setting: name.to_owned(),
        password_setting: password.to_owned(),
    })
}

fn named_accounts(settings: &mut Settings<'_>) -> BTreeMap<String, Account> {
    let names = settings.instances(USER_NAME).into_iter();
    let names: BTreeSet<String> = names.chain(settings.instances(USER_PASSWORD)).collect();
    let mut named = BTreeMap::new();
    for user in names {
        let key = |template: &str| template.replace("{user}", &user);
        let account = account(settings, &key(USER_NAME), &key(USER_PASSWORD));
        named.extend(account.map(|account| (user.clone(), account)));
    }
    named
}

fn token_form(settings: &mut Settings<'_>) -> TokenForm {
    let header = HeaderName::try_from(settings.text("auth.user.header"));
    if header.is_err() {
        let quoted = settings.quote("auth.user.header");
        settings.problem("auth.user.header", format!("{quoted}, expected a header name"));
    }
    TokenForm {
        // Where it is none, that is a problem already.
        header: header.unwrap_or(HeaderName::from_static("authorization")),
        access_prefix: settings.text("auth.user.prefix"),
        service_prefix: settings.text("auth.service.prefix"),
    }
}
