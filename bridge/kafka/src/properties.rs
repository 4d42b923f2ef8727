//! The properties of the clients, which follow the files that they refer to.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::SystemTime;

use talon_sdk::config::{Secret, Secrets};

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
                let changed = std::fs::metadata(&value).and_then(|file| file.modified());
                changed.unwrap_or(SystemTime::UNIX_EPOCH).hash(&mut hasher);
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
    use std::time::Duration;

    use super::*;

    fn touch(path: &std::path::Path, text: &str, later: u64) {
        std::fs::write(path, text).unwrap();
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(later)).unwrap();
    }

    #[test]
    fn a_secret_or_a_certificate_that_changes_is_another_version() {
        let base = std::env::temp_dir().join(format!("talon-properties-{}", std::process::id()));
        let (secret, certificate) = (base.with_extension("txt"), base.with_extension("pem"));
        touch(&secret, "one", 0);
        touch(&certificate, "one", 0);
        let texts = BTreeMap::from([
            ("sasl.password".to_owned(), format!("${{file:{}}}", secret.display())),
            ("ssl.ca.location".to_owned(), certificate.display().to_string()),
        ]);
        let properties = Properties::resolved(&texts, &Secrets::of_process());
        let first = properties.version();
        assert_eq!(properties.get("sasl.password").as_deref(), Some("one"));
        assert_eq!(properties.version(), first);
        touch(&secret, "two", 5);
        let second = properties.version();
        assert_ne!(first, second);
        assert_eq!(properties.current()["sasl.password"], "two");
        touch(&certificate, "two", 9);
        assert_ne!(properties.version(), second);
        for path in [secret, certificate] {
            std::fs::remove_file(path).unwrap();
        }
        assert_eq!(properties.current()["sasl.password"], "two", "it keeps its last value");
    }
}
