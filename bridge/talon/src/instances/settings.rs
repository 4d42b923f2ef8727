//! The flat configuration of a connector that comes over REST: checked as that of the file is, and more, since
//! it comes from elsewhere and is kept on the bus.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use talon_runtime::Setup;
use talon_runtime::metrics::Metrics;
use talon_sdk::Clock;
use talon_sdk::config::{Importance, Key, Problem, Secrets, Type};

use super::records::Config;
use crate::config::{self, Configuring};
use crate::connectors;

/// Name of the connector, and of its class, as Connect has them.
pub(crate) const NAME: &str = "name";
pub(crate) const CLASS: &str = "connector.class";

/// What Connect's clients send and what has one value here.
const TASKS: &str = "tasks.max";

/// What makes connectors of configurations.
pub(crate) struct Checks {
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) secrets: Secrets,
    /// Where files lie to which configurations over REST may refer.
    pub(crate) directories: Vec<PathBuf>,
    /// Names that are taken by what is no connector.
    pub(crate) relays: BTreeSet<String>,
}

impl Checks {
    /// Every problem of a configuration, by keys as they were sent, without resolving secrets.
    pub(crate) fn problems(&self, name: &str, config: &Config) -> Vec<Problem> {
        self.read(name, config, &Secrets::Unresolved).1
    }

    /// Makes the connector. Resolves secrets, so it reads files.
    pub(crate) fn make(&self, name: &str, config: &Config) -> Result<Setup, Vec<Problem>> {
        self.made(name, config, &self.secrets)
    }

    /// The connector without its secrets.
    pub(crate) fn setup(&self, name: &str, config: &Config) -> Result<Setup, Vec<Problem>> {
        self.made(name, config, &Secrets::Unresolved)
    }

    fn made(&self, name: &str, config: &Config, secrets: &Secrets) -> Result<Setup, Vec<Problem>> {
        match self.read(name, config, secrets) {
            (Some(setup), problems) if problems.is_empty() => Ok(setup),
            (_, problems) => Err(problems),
        }
    }

    fn read(
        &self,
        name: &str,
        config: &Config,
        secrets: &Secrets,
    ) -> (Option<Setup>, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: String| {
            problems.push(Problem { key: key.to_owned(), message });
        };
        if self.relays.contains(name) {
            problem(NAME, "is the name of a relay; choose another".to_owned());
        }
        if let Some(end) =
            ["_COMMANDS", "_RESULTS", "_DLQ"].iter().find(|end| name.ends_with(**end))
        {
            problem(
                NAME,
                format!(
                    "ends in `{end}`, as streams of another connector may be called; choose another"
                ),
            );
        }
        let tasks = config.get(TASKS).map(|tasks| tasks.parse::<u32>());
        if tasks.is_some_and(|tasks| !matches!(tasks, Ok(1..))) {
            problem(TASKS, format!("is `{}`, expected a number from 1", config[TASKS]));
        }
        let declared = config.get(CLASS).and_then(|class| keys(class)).unwrap_or_default();
        for (key, text) in config {
            if let Some(why) = self.refused(&declared, key, text) {
                problem(key, why);
            }
        }
        let mut texts = config.clone();
        for own in [NAME, TASKS] {
            texts.remove(own);
        }
        if texts.contains_key("class") {
            problem("class", format!("is not a setting here; `{CLASS}` names the class"));
        }
        if let Some(class) = texts.remove(CLASS) {
            texts.insert("class".to_owned(), class);
        }
        // What may not be referred to is not looked at.
        let secrets = if problems.is_empty() { secrets } else { &Secrets::Unresolved };
        let configuring =
            Configuring { prefix: "", secrets, clock: &self.clock, metrics: &self.metrics };
        let setup = config::connector(name.to_owned(), texts, configuring, &mut problems);
        for problem in &mut problems {
            match problem.key.as_str() {
                "class" if !config.contains_key("class") => CLASS.clone_into(&mut problem.key),
                "" => NAME.clone_into(&mut problem.key),
                _ => {}
            }
        }
        problems.sort();
        problems.dedup();
        (setup, problems)
    }

    /// Why a text may not come over REST, if so.
    fn refused(&self, declared: &[Key], key: &str, text: &str) -> Option<String> {
        let exact = declared.iter().find(|known| known.name == *key);
        let known = exact.or_else(|| declared.iter().find(|known| known.is_of(key)));
        let is_secret = known.is_some_and(|known| known.kind == Type::Secret);
        if is_secret && !text.is_empty() && !is_reference(text) {
            return Some(
                "is a secret in the open, which would stand on the bus and in every answer: put it into a variable or a file of the process, and give `${env:NAME}` or `${file:/path}`".to_owned(),
            );
        }
        let outside = files(text).find(|file| !self.is_allowed(Path::new(file)))?;
        let allowed: Vec<String> =
            self.directories.iter().map(|at| format!("`{}`", at.display())).collect();
        Some(match allowed.as_slice() {
            [] => format!(
                "refers to the file `{outside}`, and configurations over REST may refer to none: set `config.file.directories` in the file of the process, or give `${{env:NAME}}`"
            ),
            allowed => format!(
                "refers to the file `{outside}`, which is not in {}: the directories of `config.file.directories`",
                allowed.join(", ")
            ),
        })
    }

    fn is_allowed(&self, file: &Path) -> bool {
        let is_plain = file.components().all(|part| !matches!(part, Component::ParentDir));
        file.is_absolute() && is_plain && self.directories.iter().any(|at| file.starts_with(at))
    }
}

/// All settings of a class, as they are declared; none where there is no such class.
pub(crate) fn keys(class: &str) -> Option<Vec<Key>> {
    let class = connectors::class(class)?;
    let mut keys = vec![
        Key::text(NAME)
            .required()
            .importance(Importance::High)
            .doc("Name of the connector: letters, digits, `_`, `-`."),
        Key::text(CLASS).required().importance(Importance::High).doc("The class of the connector."),
        Key::whole(TASKS, 1, u64::from(u32::MAX))
            .default("1")
            .doc("Taken for clients of Kafka Connect; a connector is one task."),
    ];
    keys.extend(class.keys());
    keys.extend(talon_runtime::options::keys());
    Some(keys)
}

/// Whether a text is references and nothing else.
pub(super) fn is_reference(text: &str) -> bool {
    let mut rest = text;
    while let Some(body) = rest.strip_prefix("${") {
        let Some((reference, after)) = body.split_once('}') else { return false };
        if !reference.contains(':') {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

/// The files that a text refers to.
fn files(text: &str) -> impl Iterator<Item = &str> {
    text.split("${file:").skip(1).map(|rest| rest.split('}').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A setting that is a secret, and stands by itself.
    const SECRET: &str = "auth.external.token";

    fn checks(directories: &[&str]) -> Checks {
        Checks {
            clock: Clock::System,
            metrics: Metrics::new().unwrap(),
            secrets: Secrets::Unresolved,
            directories: directories.iter().map(PathBuf::from).collect(),
            relays: BTreeSet::from(["to-edge".to_owned()]),
        }
    }

    fn config(settings: &[(&str, &str)]) -> Config {
        let mut config = Config::from([
            (CLASS.to_owned(), "contractor".to_owned()),
            ("upstream.url".to_owned(), "http://localhost:1".to_owned()),
        ]);
        config.extend(settings.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())));
        config
    }

    fn of(problems: &[Problem], key: &str) -> String {
        let found = problems.iter().filter(|problem| problem.key == key);
        found.map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_secret_in_the_open_is_refused_with_the_remedy_and_never_quoted() {
        let secret = SECRET;
        let plain = checks(&[]).problems("c", &config(&[(secret, "hunter2")]));
        assert!(of(&plain, secret).contains("`${env:NAME}`"), "{plain:?}");
        for text in ["pre${env:A}", "${env:A}x", "${env:A", "${vault}"] {
            let odd = checks(&[]).problems("c", &config(&[(secret, text)]));
            assert!(!of(&odd, secret).is_empty(), "{text}");
        }
        assert!(!format!("{plain:?}").contains("hunter2"));
        let reference = checks(&[]).problems("c", &config(&[(secret, "${env:PASSWORD}")]));
        assert_eq!(of(&reference, secret), "");
    }

    #[test]
    fn files_are_referred_to_within_allowed_directories_alone() {
        let secret = SECRET;
        let told = |directories: &[&str], file: &str| {
            let config = config(&[(secret, &format!("${{file:{file}}}"))]);
            of(&checks(directories).problems("c", &config), secret)
        };
        assert!(told(&[], "/run/secrets/a").contains("config.file.directories"));
        assert_eq!(told(&["/run/secrets"], "/run/secrets/a"), "");
        for outside in ["/run/secrets/../passwd", "/run/secretsx/a", "run/secrets/a", "/etc/passwd"]
        {
            assert!(told(&["/run/secrets"], outside).contains("`/run/secrets`"), "{outside}");
        }
        // Not in a setting that is none, either.
        let other = config(&[("upstream.url", "${file:/etc/passwd}")]);
        assert!(!of(&checks(&[]).problems("c", &other), "upstream.url").is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_by_the_keys_that_were_sent() {
        let checks = checks(&[]);
        let none = checks.problems("c", &Config::new());
        assert!(of(&none, CLASS).contains("is not set"), "{none:?}");
        let other = checks.problems("c", &config(&[(CLASS, "io.debezium.Mysql")]));
        assert!(of(&other, CLASS).contains("io.debezium.Mysql"), "{other:?}");
        let odd = config(&[("no.such.setting", "1"), (TASKS, "many"), ("class", "x")]);
        let odd = checks.problems("a name", &odd);
        assert!(!of(&odd, NAME).is_empty(), "{odd:?}");
        assert!(!of(&odd, TASKS).is_empty() && !of(&odd, "no.such.setting").is_empty(), "{odd:?}");
        assert!(!of(&checks.problems("to-edge", &config(&[])), NAME).is_empty());
    }
}
