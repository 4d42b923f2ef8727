use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Key, Secret, Secrets};

/// Something wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Full key: `connectors.field-service.upstream.url`.
    pub key: String,
    /// What is wrong and what to do, without quoting a secret.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` {}", self.key, self.message)
    }
}

/// A flat map of settings, read by declarations. Collects every problem.
pub struct Settings<'a> {
    prefix: &'a str,
    keys: &'a [Key],
    texts: BTreeMap<String, String>,
    secrets: &'a Secrets,
    problems: Vec<Problem>,
}

impl<'a> Settings<'a> {
    /// Checks `texts`, whose keys stand below `prefix` (`connectors.field-service.`, or empty), against
    /// the declarations: unknown keys, missing ones, wrong values, references.
    ///
    /// Texts may refer to secrets (`${env:NAME}`, `${file:/path}`). Without I/O a reference is only
    /// checked for its form; where `secrets` resolves, it is resolved, and an unresolved one is a
    /// problem.
    pub fn new(
        prefix: &'a str,
        keys: &'a [Key],
        texts: BTreeMap<String, String>,
        secrets: &'a Secrets,
    ) -> Settings<'a> {
        let mut settings = Settings { prefix, keys, texts, secrets, problems: Vec::new() };
        settings.check();
        settings
    }

    fn check(&mut self) {
        let texts = std::mem::take(&mut self.texts);
        for (name, text) in &texts {
            // A setting of its own name before one of a family.
            let exact = self.keys.iter().find(|key| key.name == *name);
            let Some(key) = exact.or_else(|| self.keys.iter().find(|key| key.is_of(name))) else {
                self.problem(name, unknown(name, self.keys));
                continue;
            };
            match self.secrets.expand(text) {
                Err(unresolved) => self.problem(name, unresolved.to_string()),
                // A reference that is not resolved yet has no value to check.
                Ok(None) => {}
                Ok(Some(value)) => {
                    if key.required && value.is_empty() {
                        self.problem(name, "is empty".to_owned());
                    } else if let Err(message) = key.check(&value) {
                        let from_secret = *text != value && key.kind != super::Type::Secret;
                        let message = if from_secret {
                            format!("refers to a secret whose value is no {}", key.kind_name())
                        } else {
                            message
                        };
                        self.problem(name, message);
                    }
                }
            }
        }
        for key in self.keys {
            if key.required && !texts.contains_key(&*key.name) {
                self.problem(&key.name, format!("is not set; {}", first_sentence(&key.doc)));
            }
        }
        self.texts = texts;
    }

    /// Notes a problem that only the reader can see.
    pub fn problem(&mut self, name: &str, message: impl Into<String>) {
        let problem = Problem { key: format!("{}{name}", self.prefix), message: message.into() };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// All problems so far.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The problems, at the end.
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Whether the setting stands in the configuration.
    pub fn is_set(&self, name: &str) -> bool {
        self.texts.contains_key(name)
    }

    /// What stands in the configuration for the `{…}` of a key, in order:
    /// `auth.user.{user}.name` gives `anna` where `auth.user.anna.name` is set.
    pub fn instances(&self, name: &str) -> Vec<String> {
        let key = self.key(name);
        self.texts.keys().filter_map(|text| key.instance(text)).map(str::to_owned).collect()
    }

    /// The setting's text, its default, or nothing.
    ///
    /// # Panics
    /// As all readers here, where the setting is not declared: a defect that every test of the
    /// connector's configuration shows.
    pub fn text(&self, name: &str) -> String {
        let key = self.key(name);
        let own = self.texts.get(name).and_then(|text| self.secrets.expand(text).ok().flatten());
        own.or_else(|| key.default.as_ref().map(|text| text.clone().into_owned()))
            .unwrap_or_default()
    }

    /// The beginning of a problem with the setting's value: quotes it, unless it came from a
    /// reference and may be a secret.
    pub fn quote(&self, name: &str) -> String {
        let value = self.text(name);
        match self.texts.get(name) {
            Some(text) if *text != value => {
                "refers to a secret whose value does not fit".to_owned()
            }
            _ => format!("is `{value}`"),
        }
    }

    /// A value that must not be shown; its file is read again when it changes. `None` where it is
    /// not set and has no default.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        let key = self.key(name);
        let text = self.texts.get(name).map(String::as_str).or(key.default.as_deref())?;
        (!text.is_empty()).then(|| self.secrets.secret(text))
    }

    /// A whole number; its smallest where the text is wrong, which is a problem already.
    pub fn whole(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_default()
    }

    /// A decimal number.
    pub fn decimal(&self, name: &str) -> f64 {
        self.text(name).parse().unwrap_or_default()
    }

    /// A switch.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    /// A time in milliseconds.
    pub fn millis(&self, name: &str) -> Duration {
        Duration::from_millis(self.whole(name))
    }

    /// The items of a list.
    pub fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name);
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// A time zone; UTC where the text is wrong, which is a problem already.
    pub fn zone(&self, name: &str) -> TimeZone {
        TimeZone::get(&self.text(name)).unwrap_or(TimeZone::UTC)
    }

    fn key(&self, name: &str) -> &'a Key {
        let exact = self.keys.iter().find(|key| key.name == name);
        let found = exact.or_else(|| self.keys.iter().find(|key| key.is_of(name)));
        found.unwrap_or_else(|| panic!("the setting `{name}` is not declared"))
    }
}

/// What to say of a key that nobody declared: the nearest one, where one is near.
pub(crate) fn unknown(name: &str, keys: &[Key]) -> String {
    let nearest = keys
        .iter()
        .map(|key| (strsim::damerau_levenshtein(name, &key.name), &key.name))
        .min()
        .filter(|(distance, _)| *distance <= 2.max(name.len() / 3));
    match nearest {
        Some((_, nearest)) => format!("is unknown; did you mean `{nearest}`?"),
        None => "is unknown".to_owned(),
    }
}

fn first_sentence(doc: &str) -> &str {
    doc.split(". ").next().unwrap_or(doc).trim_end_matches('.')
}
