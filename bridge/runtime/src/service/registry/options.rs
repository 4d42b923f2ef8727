//! The settings of the schema registry.

use std::path::PathBuf;

use talon_http::{Proxy, proxy};
use talon_sdk::config::{Importance, Key, Secret, Settings};

use super::level::Level;
use super::tls::{Shown, Tls};

const URL: &str = "schema.registry.url";
const USER_INFO: &str = "schema.registry.basic.auth.user.info";
const COMPATIBILITY: &str = "schema.registry.compatibility";
const AUTO_REGISTER: &str = "schema.registry.auto.register.schemas";
const USE_LATEST: &str = "schema.registry.use.latest.version";
const CA: &str = "schema.registry.ssl.ca.location";
const CERTIFICATE: &str = "schema.registry.ssl.certificate.location";
const KEY: &str = "schema.registry.ssl.key.location";

/// Declares them.
pub fn keys() -> Vec<Key> {
    let mut keys = vec![
        Key::urls(URL).importance(Importance::High).doc("Schema registry with Confluent's API, with its path (Apicurio: `/apis/ccompat/v7`). Several addresses of one registry are separated by commas; the next is asked where one does not answer. Without it events are written in Avro single-object encoding."),
        Key::secret(USER_INFO).doc("`user:password` for the schema registry."),
        Key::choice(COMPATIBILITY, &Level::NAMES)
            .default("FULL_TRANSITIVE")
            .importance(Importance::Medium)
            .doc("How a schema that is to be registered must go with those that its subject has. Talon compares them itself, whatever rule the registry has, and is stricter in two things: names of records are compared with their namespace, and the unit of an instant may not change. The transitive ones compare with every version, the others with the newest; `NONE` compares nothing."),
        Key::flag(AUTO_REGISTER)
            .default("true")
            .importance(Importance::Medium)
            .doc("Whether a schema that is not there is registered. With `false` a connector whose schemas are not there does not start; `talon schemas --register` registers them. Looking up is all that Talon needs to be allowed then."),
        Key::flag(USE_LATEST)
            .default("false")
            .doc("Whether values are written under the id of the subject's newest version, which may differ from Talon's schema in docs, aliases and properties alone; nothing is registered then."),
        Key::text(CA).doc("A PEM file with certificates of authorities to trust for the schema registry besides the machine's own. Read again when it changes."),
        Key::text(CERTIFICATE).doc("A PEM file with the certificate, and its chain, that is shown to the schema registry. Read again when it changes."),
        Key::text(KEY).doc("A PEM file with the private key of `schema.registry.ssl.certificate.location`, not encrypted. Read again when it changes."),
    ];
    keys.extend(proxy::keys("schema.registry"));
    keys
}

/// How the schema registry is reached and used.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its addresses, without a slash at the end; not empty.
    pub urls: Vec<String>,
    /// `user:password`.
    pub user_info: Option<Secret>,
    /// How new schemas must go with registered ones.
    pub compatibility: Level,
    /// Whether schemas that are not there are registered.
    pub auto_register: bool,
    /// Whether the newest version's id is taken.
    pub use_latest: bool,
    /// What stands before it.
    pub proxy: Proxy,
    pub(super) tls: Tls,
}

impl Options {
    /// The defaults, for one address.
    pub fn of(url: &str) -> Options {
        Options {
            urls: vec![url.trim_end_matches('/').to_owned()],
            user_info: None,
            compatibility: Level::named("FULL_TRANSITIVE"),
            auto_register: true,
            use_latest: false,
            proxy: Proxy::default(),
            tls: Tls::default(),
        }
    }

    /// Reads them; `None` where there is no registry. Does no I/O.
    pub fn read(settings: &mut Settings<'_>) -> Option<Options> {
        let file = |settings: &Settings<'_>, name: &str| {
            Some(settings.text(name)).filter(|path| !path.is_empty()).map(PathBuf::from)
        };
        match (settings.is_set(CERTIFICATE), settings.is_set(KEY)) {
            (true, false) => settings.problem(KEY, format!("is not set, but `{CERTIFICATE}` is")),
            (false, true) => settings.problem(CERTIFICATE, format!("is not set, but `{KEY}` is")),
            _ => {}
        }
        let shown = file(settings, CERTIFICATE)
            .zip(file(settings, KEY))
            .map(|(certificate, key)| Shown { certificate, key });
        let proxy = proxy::read(settings, "schema.registry");
        let urls: Vec<String> =
            settings.list(URL).iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
        if !urls.is_empty() && urls.iter().all(|url| url.starts_with("http://")) {
            for name in [CA, CERTIFICATE] {
                if settings.is_set(name) {
                    settings.problem(name, format!("has no effect, since `{URL}` is http"));
                }
            }
        }
        (!urls.is_empty()).then(|| Options {
            urls,
            user_info: settings.secret(USER_INFO),
            compatibility: Level::named(&settings.text(COMPATIBILITY)),
            auto_register: settings.flag(AUTO_REGISTER),
            use_latest: settings.flag(USE_LATEST),
            proxy,
            tls: Tls { ca: file(settings, CA), shown },
        })
    }
}

#[cfg(test)]
mod tests {
    use talon_sdk::config::Secrets;

    use super::*;

    fn read(texts: &[(&str, &str)]) -> (Option<Options>, Vec<String>) {
        let texts = texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        let (keys, secrets) = (keys(), Secrets::Unresolved);
        let mut settings = Settings::new("", &keys, texts.collect(), &secrets);
        let options = Options::read(&mut settings);
        (options, settings.into_problems().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_not_set_compares_with_every_version_and_registers() {
        let (options, problems) = read(&[(URL, "http://one:8081/,https://two/apis/ccompat/v7")]);
        let options = options.unwrap();
        assert_eq!(problems, [""; 0]);
        assert_eq!(options.urls, ["http://one:8081", "https://two/apis/ccompat/v7"]);
        assert_eq!(options.compatibility, Level::named("FULL_TRANSITIVE"));
        assert!(options.auto_register && !options.use_latest);
        assert!(read(&[]).0.is_none());
    }

    #[test]
    fn what_is_wrong_with_the_settings_is_told_with_the_nearest_key() {
        for (texts, part) in [
            (vec![(URL, "http://one,two")], "is no URL"),
            (vec![(URL, "http://me:secret@one")], "user or password"),
            (
                vec![(URL, "https://one"), (CERTIFICATE, "/c.pem")],
                "`schema.registry.ssl.key.location` is not set",
            ),
            (
                vec![(URL, "https://one"), (KEY, "/k.pem")],
                "`schema.registry.ssl.certificate.location` is not set",
            ),
            (vec![(URL, "http://one"), (CA, "/ca.pem")], "has no effect"),
            (
                vec![("schema.registry.ssl.ca.file", "/ca.pem")],
                "did you mean `schema.registry.ssl.ca.location`?",
            ),
            (vec![(COMPATIBILITY, "SOME")], "expected one of `BACKWARD`"),
            (vec![(AUTO_REGISTER, "yes")], "expected `true` or `false`"),
        ] {
            let (_, problems) = read(&texts);
            assert!(problems.len() == 1 && problems[0].contains(part), "{texts:?}: {problems:?}");
            assert!(!problems[0].contains("secret@"), "{problems:?}");
        }
    }
}
