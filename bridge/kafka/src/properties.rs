//! The properties of the clients, which follow the files that they refer to.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use talon_sdk::config::{Secret, Secrets, Stamp};

/// librdkafka's properties, `bootstrap.servers` among them. A value can refer to a file
/// (`${file:/path}`) and is read when a client is made; a property whose name ends in `.location` names
/// a file that the client reads itself, such as a certificate.
#[derive(Debug, Clone, Default)]
pub struct Properties(BTreeMap<String, Secret>);

impl Properties {
    /// With references to be resolved whenever a client is made. They are resolved once now, so that a
    /// file that vanishes later keeps its last value.
    pub fn resolved(texts: &BTreeMap<String, String>, secrets: &Secrets) -> Properties {
        let secret = |(name, text): (&String, &String)| {
            let secret = secrets.secret(text);
            secret.current();
            (name.clone(), secret)
        };
        Properties(texts.iter().map(secret).collect())
    }

    /// As they are now.
    pub(crate) fn current(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(name, secret)| (name.clone(), secret.expose())).collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).map(Secret::expose)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Another number when a value, or a file that a property names, has changed.
    pub(crate) fn version(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (name, value) in self.current() {
            if name.ends_with(".location") {
                Stamp::of(&value).hash(&mut hasher);
            }
            (name, value).hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl From<BTreeMap<String, String>> for Properties {
    /// Values as they stand.
    fn from(values: BTreeMap<String, String>) -> Properties {
        let fixed = |(name, value): (String, String)| (name, Secret::fixed(&value));
        Properties(values.into_iter().map(fixed).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_or_a_certificate_that_changes_is_another_version() {
        let base = std::env::temp_dir().join(format!("talon-properties-{}", std::process::id()));
        let (secret, certificate) = (base.with_extension("txt"), base.with_extension("pem"));
        std::fs::write(&secret, "one").unwrap();
        std::fs::write(&certificate, "one").unwrap();
        let texts = BTreeMap::from([
            ("sasl.password".to_owned(), format!("${{file:{}}}", secret.display())),
            ("ssl.ca.location".to_owned(), certificate.display().to_string()),
        ]);
        let properties = Properties::resolved(&texts, &Secrets::of_process());
        let first = properties.version();
        assert_eq!(properties.get("sasl.password").as_deref(), Some("one"));
        assert_eq!(properties.version(), first);
        std::fs::write(&secret, "two").unwrap();
        let second = properties.version();
        assert_ne!(first, second);
        assert_eq!(properties.current()["sasl.password"], "two");
        std::fs::write(&certificate, "two").unwrap();
        assert_ne!(properties.version(), second);
        for path in [secret, certificate] {
            std::fs::remove_file(path).unwrap();
        }
        assert_eq!(properties.current()["sasl.password"], "two", "it keeps its last value");
    }
}
