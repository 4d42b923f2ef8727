//! The schema files: a folder for each class, a file for each feed, and one for its commands.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::path::Path;
use std::sync::LazyLock;

use talon_schemas::Contract;
use talon_schemas::command::CommandContract;

/// Folders that are no class's.
const OTHERS: [&str; 6] = ["golden", "released", "src", "talon", "target", "tests"];

/// Class, feed and text of each file.
static FILES: LazyLock<Vec<(String, String, String)>> = LazyLock::new(|| {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in std::fs::read_dir(root).unwrap().flatten() {
        let class = folder.file_name().into_string().unwrap();
        if !folder.path().is_dir() || OTHERS.contains(&class.as_str()) {
            continue;
        }
        for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
            let feed = file.path().file_stem().unwrap().to_str().unwrap().to_owned();
            files.push((class.clone(), feed, std::fs::read_to_string(file.path()).unwrap()));
        }
    }
    files.sort();
    files
});

static CONTRACTS: LazyLock<Vec<(String, Contract)>> = LazyLock::new(|| {
    let feeds = FILES.iter().filter(|(_, feed, _)| feed != "commands");
    let contract = |(class, feed, text): &(String, String, String)| {
        (format!("{class}.{feed}"), Contract::of(class, feed, text))
    };
    feeds.map(contract).collect()
});

static COMMANDS: LazyLock<Vec<(String, CommandContract)>> = LazyLock::new(|| {
    let commands = FILES.iter().filter(|(_, feed, _)| feed == "commands");
    commands.map(|(class, _, text)| (class.clone(), CommandContract::of(text))).collect()
});

/// The contracts of all feeds, by `{class}.{feed}`.
pub(crate) fn contracts() -> Vec<(&'static str, &'static Contract)> {
    CONTRACTS.iter().map(|(name, contract)| (name.as_str(), contract)).collect()
}

/// The contracts of all commands, by class.
pub(crate) fn commands() -> Vec<(&'static str, &'static CommandContract)> {
    COMMANDS.iter().map(|(class, contract)| (class.as_str(), contract)).collect()
}

/// The contract of a feed.
pub(crate) fn contract(name: &str) -> &'static Contract {
    &CONTRACTS.iter().find(|(of, _)| of == name).unwrap_or_else(|| panic!("no `{name}`")).1
}

/// The contract of the commands of a class.
pub(crate) fn commands_of(class: &str) -> &'static CommandContract {
    &COMMANDS.iter().find(|(of, _)| of == class).unwrap_or_else(|| panic!("no `{class}`")).1
}
