//! The settings `http.auth.*`.

use std::collections::{BTreeMap, BTreeSet};

use talon_sdk::config::{Importance, Key, Secret, Settings};

use super::users;

/// A token with fewer characters could be guessed.
pub(super) const TOKEN: usize = 16;

const USERS: &str = "http.auth.users";
const TOKENS: &str = "http.auth.token.{name}";
const OPERATORS: &str = "http.auth.operators";
const HEALTH: &str = "http.auth.health";
const METRICS: &str = "http.auth.metrics";

/// Who may call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// A file of users and their hashes.
    pub(super) users: Option<Secret>,
    /// Bearer tokens by name.
    pub(super) tokens: BTreeMap<String, Secret>,
    /// Names of those that may operate; the others may read.
    pub(super) operators: BTreeSet<String>,
    /// Whether probes and scrapes need credentials too.
    health: bool,
    metrics: bool,
}

/// Declares the settings.
pub(crate) fn keys() -> Vec<Key> {
    vec![
        Key::secret(USERS).importance(Importance::Medium).doc("Who may call with a name and a password: `${file:/path}` of a file with lines `NAME:HASH`, bcrypt hashes as `htpasswd -B` makes them. It is read again when it changes."),
        Key::secret(TOKENS).importance(Importance::Medium).doc("A bearer token by its name: `${file:/path}` of a file with at least 16 characters. It is read again when it changes."),
        Key::words(OPERATORS).importance(Importance::Medium).doc("Names of users and tokens that may change connectors and see personal data; all others may read."),
        Key::flag(HEALTH).default("false").doc("Whether `/health` and what is below it ask for credentials too, where anything does. Probes bring none."),
        Key::flag(METRICS).default("false").doc("Whether `/metrics` asks for credentials too, where anything does."),
    ]
}

impl Options {
    /// Reads the settings. Where secrets are resolved, what they say is checked too.
    pub(crate) fn read(settings: &mut Settings<'_>, are_resolved: bool) -> Options {
        let named = |name: String| Some((settings.secret(&token_key(&name))?, name));
        let tokens = settings.instances(TOKENS).into_iter().filter_map(named);
        let options = Options {
            users: settings.secret(USERS),
            tokens: tokens.map(|(token, name)| (name, token)).collect(),
            operators: settings.list(OPERATORS).into_iter().collect(),
            health: settings.flag(HEALTH),
            metrics: settings.flag(METRICS),
        };
        for key in [OPERATORS, HEALTH, METRICS] {
            if settings.is_set(key) && !options.asks() {
                settings.problem(
                    key,
                    format!(
                        "has no effect: nobody has to say who they are; set `{USERS}` or `{TOKENS}`"
                    ),
                );
            }
        }
        if are_resolved {
            options.check(settings);
        }
        options
    }

    fn check(&self, settings: &mut Settings<'_>) {
        let users = self.users.as_ref().map(Secret::expose);
        if let Some(file) = &users {
            for problem in users::problems(file) {
                settings.problem(USERS, problem);
            }
        }
        for (name, token) in &self.tokens {
            if token.expose().len() < TOKEN {
                settings.problem(
                    &token_key(name),
                    format!("has fewer than {TOKEN} characters and could be guessed: take `openssl rand -hex 32`"),
                );
            }
        }
        let users = users.unwrap_or_default();
        let known: BTreeSet<&str> =
            users::names(&users).chain(self.tokens.keys().map(String::as_str)).collect();
        let unknown = self.operators.iter().filter(|name| !known.contains(name.as_str()));
        let unknown: Vec<String> = unknown.map(|name| format!("`{name}`")).collect();
        if !unknown.is_empty() && self.asks() {
            let message =
                format!("names {}, which is neither a user nor a token", unknown.join(", "));
            settings.problem(OPERATORS, message);
        }
    }

    /// Whether callers have to say who they are.
    pub(super) fn asks(&self) -> bool {
        self.users.is_some() || !self.tokens.is_empty()
    }

    /// Whether a path asks for no credentials in any case.
    pub(super) fn is_open(&self, path: &str) -> bool {
        let is_health = path == "/health" || path.starts_with("/health/");
        (is_health && !self.health) || (path == "/metrics" && !self.metrics)
    }
}

fn token_key(name: &str) -> String {
    TOKENS.replace("{name}", name)
}
