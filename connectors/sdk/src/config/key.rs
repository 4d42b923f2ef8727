use std::borrow::Cow;

/// What a setting's text must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// Any text.
    Text,
    /// A text that is never shown.
    Secret,
    /// `true` or `false`.
    Flag,
    /// A whole number in a range, both ends included.
    Whole {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// A decimal number in a range, both ends included.
    Decimal {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// One of these.
    Choice(&'static [&'static str]),
    /// Some of these, separated by commas; each once.
    List(Vec<Cow<'static, str>>),
    /// An http or https URL without a query.
    Url,
    /// Http or https URLs, separated by commas.
    Urls,
    /// A ws or wss URL without a query.
    SocketUrl,
    /// A name of the time zone database, `Europe/Moscow`.
    Zone,
}

/// How much a user should care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importance {
    /// Must be thought about.
    High,
    /// Worth a look.
    Medium,
    /// The default is fine.
    Low,
}

/// The declaration of one setting.
#[derive(Debug, Clone)]
pub struct Key {
    /// Dotted lower-case name with the unit last. One part may be in braces, `auth.user.{user}.name`:
    /// the operator chooses what stands there, for as many as there are. Such a key is never
    /// required.
    pub name: Cow<'static, str>,
    /// What its text must be.
    pub kind: Type,
    /// Its text where it is not set; without one it may be empty unless required.
    pub default: Option<Cow<'static, str>>,
    /// Whether it must be set.
    pub required: bool,
    /// How much a user should care.
    pub importance: Importance,
    /// What it means, for the reference.
    pub doc: Cow<'static, str>,
}

impl Key {
    fn new(name: impl Into<Cow<'static, str>>, kind: Type) -> Key {
        Key {
            name: name.into(),
            kind,
            default: None,
            required: false,
            importance: Importance::Low,
            doc: Cow::Borrowed(""),
        }
    }

    /// A setting that takes any text.
    pub fn text(name: impl Into<Cow<'static, str>>) -> Key {
        Key::new(name, Type::Text)
    }

    /// A setting that is never shown.
    pub fn secret(name: impl Into<Cow<'static, str>>) -> Key {
        Key::new(name, Type::Secret)
    }

    /// A switch.
    pub fn flag(name: impl Into<Cow<'static, str>>) -> Key {
        Key::new(name, Type::Flag)
    }

    /// A whole number.
    pub fn whole(name: impl Into<Cow<'static, str>>, min: u64, max: u64) -> Key {
        Key::new(name, Type::Whole { min, max })
    }

    /// A decimal number.
    pub fn decimal(name: impl Into<Cow<'static, str>>, min: f64, max: f64) -> Key {
        Key::new(name, Type::Decimal { min, max })
    }

    /// One of several words.
    pub fn choice(name: impl Into<Cow<'static, str>>, of: &'static [&'static str]) -> Key {
        Key::new(name, Type::Choice(of))
    }

    /// Some of several words.
    pub fn list<W: Into<Cow<'static, str>>>(
        name: impl Into<Cow<'static, str>>,
        of: impl IntoIterator<Item = W>,
    ) -> Key {
        Key::new(name, Type::List(of.into_iter().map(Into::into).collect()))
    }

    /// Any words.
    pub fn words(name: impl Into<Cow<'static, str>>) -> Key {
        Key::new(name, Type::List(Vec::new()))
    }

    /// An http or https URL.
    pub fn url(name: impl Into<Cow<'static, str>>) -> Key {
        Key::new(name, Type::Url)
    }

    /// Http or https URLs, separated by commas.
    pub fn urls(name: impl Into<Cow<'static, str>>) -> Key {
        Key::new(name, Type::Urls)
    }

    /// A ws or wss URL.
    pub fn socket_url(name: impl Into<Cow<'static, str>>) -> Key {
        Key::new(name, Type::SocketUrl)
    }

    /// A time zone.
    pub fn zone(name: impl Into<Cow<'static, str>>) -> Key {
        Key::new(name, Type::Zone)
    }

    /// With a default.
    pub fn default(mut self, text: impl Into<Cow<'static, str>>) -> Key {
        self.default = Some(text.into());
        self
    }

    /// That must be set.
    pub fn required(mut self) -> Key {
        self.required = true;
        self
    }

    /// With an importance other than low.
    pub fn importance(mut self, importance: Importance) -> Key {
        self.importance = importance;
        self
    }

    /// With its documentation.
    pub fn doc(mut self, doc: impl Into<Cow<'static, str>>) -> Key {
        self.doc = doc.into();
        self
    }

    /// Whether a setting is declared by this key.
    pub fn is_of(&self, setting: &str) -> bool {
        self.name == setting || self.instance(setting).is_some()
    }

    /// What stands in a setting for the part in braces.
    pub(crate) fn instance<'s>(&self, setting: &'s str) -> Option<&'s str> {
        let (before, rest) = self.name.split_once('{')?;
        let (_, after) = rest.split_once('}')?;
        let chosen = setting.strip_prefix(before)?.strip_suffix(after)?;
        (!chosen.is_empty() && !chosen.contains(['.', '{', '}'])).then_some(chosen)
    }

    /// What is wrong with a text, as the end of the sentence "`key` …"; never quotes a secret.
    pub fn check(&self, text: &str) -> Result<(), String> {
        let show = |expected: String| Err(format!("is `{text}`, expected {expected}"));
        match &self.kind {
            Type::Text | Type::Secret => Ok(()),
            Type::Flag if matches!(text, "true" | "false") => Ok(()),
            Type::Flag => show("`true` or `false`".to_owned()),
            Type::Whole { min, max } => match text.parse::<u64>() {
                Ok(number) if (*min..=*max).contains(&number) => Ok(()),
                _ if *max == u64::MAX => show(format!("a whole number from {min}")),
                _ => show(format!("a whole number from {min} to {max}")),
            },
            Type::Decimal { min, max } => match text.parse::<f64>() {
                Ok(number) if (*min..=*max).contains(&number) => Ok(()),
                _ => show(format!("a number from {min} to {max}")),
            },
            Type::Choice(words) if words.contains(&text) => Ok(()),
            Type::Choice(words) => show(format!("one of {}", quote(words))),
            Type::List(words) => {
                let mut seen = Vec::new();
                for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
                    if !words.is_empty() && !words.iter().any(|known| known == word) {
                        return Err(format!("has `{word}`, expected some of {}", quote(words)));
                    }
                    if seen.contains(&word) {
                        return Err(format!("has `{word}` twice"));
                    }
                    seen.push(word);
                }
                Ok(())
            }
            Type::Url => check_url(text, ["http", "https"]),
            Type::Urls => {
                text.split(',').try_for_each(|url| check_url(url.trim(), ["http", "https"]))
            }
            Type::SocketUrl => check_url(text, ["ws", "wss"]),
            Type::Zone => match jiff::tz::TimeZone::get(text) {
                Ok(_) => Ok(()),
                Err(_) => show("a time zone such as `Europe/Moscow`".to_owned()),
            },
        }
    }

    /// The kind in a word, for the reference.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Type::Text => "text",
            Type::Secret => "secret",
            Type::Flag => "flag",
            Type::Whole { .. } => "whole number",
            Type::Decimal { .. } => "number",
            Type::Choice(_) => "choice",
            Type::List(_) => "list",
            Type::Url => "URL",
            Type::Urls => "list of URLs",
            Type::SocketUrl => "WebSocket URL",
            Type::Zone => "time zone",
        }
    }
}

/// A URL may carry a password, so it is not quoted.
fn check_url(text: &str, schemes: [&str; 2]) -> Result<(), String> {
    let rest = text.split_once("://").filter(|(scheme, _)| schemes.contains(scheme));
    match rest.map(|(_, rest)| rest) {
        Some(rest) if rest.contains('@') => {
            Err("has a user or password in it; use the settings for credentials".to_owned())
        }
        Some(rest) if rest.contains(['?', '#', ' ']) => {
            Err("has a query, a fragment or a blank; expected only scheme, host, port and path"
                .to_owned())
        }
        Some(rest) if !rest.is_empty() && !rest.starts_with(['/', ':']) => Ok(()),
        _ => {
            let [plain, secure] = schemes;
            Err(format!("is no URL, expected `{plain}://host` or `{secure}://host`"))
        }
    }
}

fn quote<W: std::fmt::Display>(words: &[W]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Secrets, Settings};

    #[test]
    fn a_part_in_braces_is_the_operators_to_choose() {
        let keys = [Key::text("auth.user.name"), Key::text("auth.user.{user}.name").default("x")];
        let texts = ["auth.user.name", "auth.user.anna.name", "auth.user.b-2.name"];
        let wrong = ["auth.user..name", "auth.user.a.b.name", "auth.user.anna.nmae"];
        let all = texts.iter().chain(&wrong);
        let texts: BTreeMap<_, _> =
            all.map(|name| ((*name).to_owned(), format!("of {name}"))).collect();
        let settings = Settings::new("", &keys, texts, &Secrets::Unresolved);
        assert_eq!(settings.instances("auth.user.{user}.name"), ["anna", "b-2"]);
        assert_eq!(settings.text("auth.user.anna.name"), "of auth.user.anna.name");
        assert_eq!(settings.text("auth.user.other.name"), "x");
        let problems: Vec<_> = settings.problems().iter().map(|one| one.key.as_str()).collect();
        assert_eq!(problems, ["auth.user..name", "auth.user.a.b.name", "auth.user.anna.nmae"]);
    }
}
