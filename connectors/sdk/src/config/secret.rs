//! References to secrets: `${env:NAME}`, `${file:/path}`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};

use super::stamp::Stamp;

/// How references are resolved.
#[derive(Debug, Clone)]
pub enum Secrets {
    /// Not at all: only their form is checked. For a check without I/O.
    Unresolved,
    /// From these variables, and from files.
    Resolve(Arc<BTreeMap<String, String>>),
}

/// A reference that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// No such variable.
    #[error("refers to the environment variable `{0}`, which is not set")]
    Variable(String),
    /// No such file.
    #[error("refers to a file: {}", crate::unreadable(std::path::Path::new(path), *why))]
    File {
        /// Where it should be.
        path: String,
        /// What the system says.
        why: std::io::ErrorKind,
    },
    /// Not one of the forms.
    #[error("has a reference that is neither `${{env:NAME}}` nor `${{file:/path}}`")]
    Form,
}

/// A value that is never shown, and that follows its file.
#[derive(Debug, Clone)]
pub struct Secret {
    text: Arc<str>,
    secrets: Secrets,
    last: Arc<Mutex<Option<Reading>>>,
}

/// What a secret was when its files were these.
#[derive(Debug)]
struct Reading {
    stamps: Vec<Stamp>,
    value: SecretString,
}

impl Secrets {
    /// Resolves from the process's environment and from files.
    pub fn of_process() -> Secrets {
        // Variables that are not UTF-8 cannot be referred to.
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Secrets::Resolve(Arc::new(variables.collect()))
    }

    /// The text with its references replaced; `Ok(None)` where it has some and they are not resolved.
    /// The line feeds at the end of a file are not part of the secret, nor is a byte order mark before it.
    pub fn expand(&self, text: &str) -> Result<Option<String>, Unresolved> {
        let mut out = String::new();
        let mut rest = text;
        let mut complete = true;
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let body = &rest[start + 2..];
            let end = body.find('}').ok_or(Unresolved::Form)?;
            let (provider, name) = body[..end].split_once(':').ok_or(Unresolved::Form)?;
            match (provider, name) {
                (_, "") => return Err(Unresolved::Form),
                ("env", name) => match self {
                    Secrets::Unresolved => complete = false,
                    Secrets::Resolve(variables) => out.push_str(
                        variables.get(name).ok_or_else(|| Unresolved::Variable(name.to_owned()))?,
                    ),
                },
                ("file", path) => match self {
                    Secrets::Unresolved => complete = false,
                    Secrets::Resolve(_) => {
                        let content = std::fs::read_to_string(path).map_err(|error| {
                            Unresolved::File { path: path.to_owned(), why: error.kind() }
                        })?;
                        let content = content.strip_prefix('\u{feff}').unwrap_or(&content);
                        out.push_str(content.trim_end_matches(['\n', '\r']));
                    }
                },
                _ => return Err(Unresolved::Form),
            }
            rest = &body[end + 1..];
        }
        out.push_str(rest);
        Ok(complete.then_some(out))
    }

    /// A value to be read when it is used.
    pub fn secret(&self, text: &str) -> Secret {
        Secret { text: text.into(), secrets: self.clone(), last: Arc::default() }
    }
}

impl Secret {
    /// A value as it stands, also where it looks like a reference: a token that an upstream gave must
    /// not read a file of ours.
    pub fn fixed(value: &str) -> Secret {
        let reading = Reading { stamps: Vec::new(), value: SecretString::from(value) };
        let last = Arc::new(Mutex::new(Some(reading)));
        Secret { text: "".into(), secrets: Secrets::Unresolved, last }
    }

    /// The value now. A file that has changed is read again; one that has vanished keeps its last
    /// value, so that a rotation in two steps does not interrupt.
    pub fn current(&self) -> SecretString {
        let stamps: Vec<Stamp> = files(&self.text).map(Stamp::of).collect();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = &*last
            && reading.stamps == stamps
        {
            return reading.value.clone();
        }
        match self.secrets.expand(&self.text) {
            Ok(Some(value)) => {
                let value = SecretString::from(value);
                *last = Some(Reading { stamps, value: value.clone() });
                value
            }
            _ => last.as_ref().map_or_else(SecretString::default, |last| last.value.clone()),
        }
    }

    /// The value now, in the open. For the one place that sends it.
    pub fn expose(&self) -> String {
        self.current().expose_secret().to_owned()
    }
}

/// The paths that a text refers to.
fn files(text: &str) -> impl Iterator<Item = &str> {
    text.split("${file:").skip(1).filter_map(|rest| rest.split_once('}').map(|(path, _)| path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::Resolve(Arc::new(BTreeMap::from([("MY-TOKEN_1".to_owned(), "t0ken".to_owned())])))
    }

    #[test]
    fn references_are_replaced_wherever_they_stand() {
        assert_eq!(
            secrets().expand("Bearer ${env:MY-TOKEN_1}!"),
            Ok(Some("Bearer t0ken!".to_owned()))
        );
        assert_eq!(secrets().expand("plain $ {x}"), Ok(Some("plain $ {x}".to_owned())));
        assert_eq!(Secrets::Unresolved.expand("${env:NOT_SET}"), Ok(None));
    }

    #[test]
    fn a_reference_that_leads_nowhere_says_where_it_led() {
        assert_eq!(secrets().expand("${env:NO}"), Err(Unresolved::Variable("NO".to_owned())));
        assert!(matches!(secrets().expand("${file:/no/such}"), Err(Unresolved::File { .. })));
        for text in ["${env:", "${env}", "${vault:x}", "${env:}"] {
            assert_eq!(Secrets::Unresolved.expand(text), Err(Unresolved::Form), "{text}");
        }
    }

    #[test]
    fn a_fixed_value_is_no_reference() {
        for value in ["t0ken", "${file:/etc/passwd}", "${env:PATH}", "${", ""] {
            assert_eq!(Secret::fixed(value).expose(), value);
        }
    }

    #[test]
    fn a_file_that_changes_is_read_again_and_one_that_vanishes_keeps_its_value() {
        let path = std::env::temp_dir().join(format!("talon-secret-{}", std::process::id()));
        std::fs::write(&path, "one\n").unwrap();
        let secret = secrets().secret(&format!("${{file:{}}}", path.display()));
        assert_eq!(secret.expose(), "one");
        std::fs::write(&path, "\u{feff}two\r\n").unwrap();
        assert_eq!(secret.expose(), "two");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(secret.expose(), "two");
        assert!(!format!("{:?}", secret.current()).contains("two"));
    }
}
