//! Settings of the commands.

use talon_sdk::CommandSpec;
use talon_sdk::config::{Importance, Key, Settings};

use super::specs::{NAMES, SPECS, is_dangerous};

/// Declares the settings.
pub(crate) fn keys() -> Vec<Key> {
    let usual = NAMES.iter().filter(|name| !is_dangerous(name));
    let usual: Vec<&str> = usual.copied().collect();
    vec![
        Key::list("commands", NAMES.iter().copied())
            .default(usual.join(","))
            .importance(Importance::Medium)
            .doc("The commands that are carried; empty for none. Those that remove items of the books for good are off unless named here."),
    ]
}

/// The commands that are switched on.
pub(crate) fn read(settings: &mut Settings<'_>) -> Vec<&'static CommandSpec> {
    let wanted = settings.list("commands");
    SPECS.iter().filter(|spec| wanted.iter().any(|name| name == spec.name)).collect()
}
