//! `talon plugins`: what there is to configure.

use talon_sdk::config::{Key, Type};
use talon_sdk::{Class, Kind};

use crate::commands;
use crate::config;
use crate::connectors::{class, classes};
use crate::end::End;
use crate::print::{self, out};

/// Lists the classes, or one of them with its feeds and settings.
pub(crate) fn plugins(name: Option<&str>) -> anyhow::Result<End> {
    let Some(name) = name else {
        for class in classes() {
            out!("{:12} {}", class.name(), class.doc());
        }
        out!("\n`talon plugins CLASS` shows its feeds and settings.");
        return Ok(End::Done);
    };
    let Some(class) = class(name) else {
        let known: Vec<&str> = classes().iter().map(|class| class.name()).collect();
        anyhow::bail!("no class `{name}`; there are: {}", known.join(", "));
    };
    print::to_stdout(format_args!("{}", page(class.as_ref())));
    Ok(End::Done)
}

/// The reference of a class, as text.
fn page(class: &dyn Class) -> String {
    let mut page = format!("{}\n  {}\n\nFeeds\n", class.name(), class.doc());
    for feed in class.feeds() {
        let kind = match feed.kind {
            Kind::Table => "table",
            Kind::Log => "log",
        };
        page += &format!(
            "  {}\n      {kind}, key: {}, from {}\n      {}\n",
            feed.name, feed.key, feed.from, feed.doc
        );
    }
    if let Some(commands) = class.commands() {
        page.push('\n');
        page += &commands::page(class, commands);
    }
    page += "\nSettings of the connector\n";
    class.keys().iter().for_each(|key| page += &setting(key));
    page += "\nSettings of every connector\n";
    talon_runtime::options::keys().iter().for_each(|key| page += &setting(key));
    page += "\nSettings of the program\n";
    config::keys().iter().for_each(|key| page += &setting(key));
    page += "\nSettings of the bus, one of the two\n";
    page += "  bus.kafka.*\n      Any property of librdkafka; `bootstrap.servers` is required.\n";
    for mut key in talon_nats::keys() {
        key.name = format!("{}{}", talon_nats::SECTION, key.name).into();
        page += &setting(&key);
    }
    page += "\nFurther buses, `buses.NAME.kafka.*` or `buses.NAME.nats.*`, and settings of a relay, `relays.NAME.*`\n";
    config::relay_keys().iter().for_each(|key| page += &setting(key));
    page
}

fn setting(key: &Key) -> String {
    let kind = match &key.kind {
        Type::Choice(words) => words.join(" | "),
        Type::List(words) => format!("list of {}", words.join(", ")),
        Type::Whole { min, max: u64::MAX } => format!("whole number from {min}"),
        Type::Whole { min, max } => format!("whole number, {min} to {max}"),
        Type::Decimal { min, max } => format!("number, {min} to {max}"),
        _ => key.kind_name().to_owned(),
    };
    let default = match &key.default {
        _ if key.required => "required".to_owned(),
        Some(text) if !text.is_empty() => format!("default {text}"),
        _ => "not set by default".to_owned(),
    };
    let importance = format!("{:?}", key.importance).to_lowercase();
    format!("  {}\n      {kind}; {default}; importance {importance}\n      {}\n", key.name, key.doc)
}
