//! Settings of the commands.

use std::collections::BTreeMap;

use talon_sdk::CommandSpec;
use talon_sdk::config::{Importance, Key, Secret, Settings};

use super::forms::{FIELDS, RedirectBy, TIME_FORMS};
use super::specs::ACTIONS;
use crate::rest::feeds::ServerKind;

const LOGIN: &str = "auth.user.{user}.login";
const PASSWORD: &str = "auth.user.{user}.password";
const FIELD: &str = "body.field.{field}";

/// Settings of the commands.
pub(crate) struct CommandConfig {
    /// Commands that are switched on.
    pub(crate) enabled: Vec<&'static CommandSpec>,
    pub(crate) unguarded: bool,
    pub(crate) time_form: &'static str,
    pub(crate) redirect_by: RedirectBy,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) source: Option<String>,
    pub(crate) image_max_bytes: usize,
    pub(crate) users: BTreeMap<String, [Secret; 2]>,
}

pub(crate) fn keys() -> Vec<Key> {
    vec![
        ACTIONS.key("By default those for which what they need is configured."),
        Key::flag("commands.unguarded")
            .default("false")
            .importance(Importance::High)
            .doc("Whether a command about the visitor at a workplace is sent without `expect.ticket_product_id`. Such a command hits whoever is there by then."),
        Key::choice("time.form", &["HH:mm", "HH:mm:ss", "HHmm", "HH-mm"])
            .default("HH:mm")
            .doc("The form of a time in a path. The document does not say it."),
        Key::choice("redirect.product", &["ticketProductId", "productId"])
            .default("ticketProductId")
            .doc("What `:productId` of `queue/admin/redirect/:productId` is: the service in the ticket, or that of the catalogue; then the one in the ticket stands in the body. The document does not say it."),
        Key::text(FIELD)
            .doc("Another name of a field that is sent, where `{field}` is one of `products`, `priority`, `userId`, `workPlaceId`, `returnAfter`, `return`, `ticketProductId`. The document names none."),
        Key::text("ticket.source")
            .doc("A text in `Source` by which tickets that the hall’s administrator makes are known, such as its name. Without one, `Source.Type` counts, and where that is not there, a lost reply of NewTicket ends UNKNOWN as soon as there is a ticket like it."),
        Key::whole("ticket.image.max.bytes", 1, 45_000)
            .default("32768")
            .doc("The largest printable ticket that is put into an outcome, in base64."),
        Key::text(LOGIN)
            .doc("Login of a user whom ChangeUser can put at a workplace, under the name that stands for `{user}`."),
        Key::secret(PASSWORD).doc("Password of that user."),
    ]
}

/// Reads them. `lacks` says which setting a command needs that is not there.
pub(crate) fn read(
    settings: &mut Settings<'_>,
    kind: ServerKind,
    lacks: impl Fn(&CommandSpec) -> Option<&'static str>,
) -> CommandConfig {
    let time_form = settings.text("time.form");
    let time_form = TIME_FORMS.iter().find(|(name, _)| *name == time_form);
    CommandConfig {
        enabled: enabled(settings, kind, lacks),
        unguarded: settings.flag("commands.unguarded"),
        time_form: time_form.map_or("%H:%M", |(_, form)| form),
        redirect_by: match settings.text("redirect.product").as_str() {
            "productId" => RedirectBy::Product,
            _ => RedirectBy::TicketProduct,
        },
        fields: fields(settings),
        source: Some(settings.text("ticket.source")).filter(|text| !text.is_empty()),
        image_max_bytes: usize::try_from(settings.whole("ticket.image.max.bytes")).unwrap_or(0),
        users: users(settings),
    }
}

/// The commands that are switched on and that can be done.
fn enabled(
    settings: &mut Settings<'_>,
    kind: ServerKind,
    lacks: impl Fn(&CommandSpec) -> Option<&'static str>,
) -> Vec<&'static CommandSpec> {
    let wanted = ACTIONS.enabled(settings);
    let are_named = settings.is_set("commands");
    if kind == ServerKind::Central {
        if are_named && !wanted.is_empty() {
            settings.problem("commands", "names commands, and a central server has none");
        }
        return Vec::new();
    }
    let mut enabled = Vec::new();
    for spec in wanted {
        match lacks(spec) {
            None => enabled.push(spec),
            Some(key) if are_named => {
                let what = format!("is not set, and the command `{}` needs it", spec.name);
                settings.problem(key, what);
            }
            Some(_) => {}
        }
    }
    enabled
}

fn fields(settings: &mut Settings<'_>) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for field in settings.instances(FIELD) {
        let key = FIELD.replace("{field}", &field);
        let name = settings.text(&key);
        if !FIELDS.contains(&field.as_str()) {
            let there = FIELDS.join(", ");
            settings.problem(&key, format!("is of a field that is not sent; there are {there}"));
        } else if name.is_empty() {
            settings.problem(&key, "is empty");
        }
        fields.insert(field, name);
    }
    fields
}

fn users(settings: &mut Settings<'_>) -> BTreeMap<String, [Secret; 2]> {
    let mut names = settings.instances(LOGIN);
    names.extend(settings.instances(PASSWORD));
    let mut users = BTreeMap::new();
    for user in names {
        let keys = [LOGIN, PASSWORD].map(|key| key.replace("{user}", &user));
        let [login, password] = [&keys[0], &keys[1]].map(|key| settings.secret(key));
        match (login, password) {
            (Some(login), Some(password)) => {
                users.insert(user, [login, password]);
            }
            (None, _) => settings.problem(&keys[0], "is not set, but the password is"),
            (_, None) => settings.problem(&keys[1], "is not set, but the login is"),
        }
    }
    users
}
