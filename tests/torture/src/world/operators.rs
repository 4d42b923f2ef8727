//! What an operator has asked of connectors at run time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicUsize;

use serde_json::{Map, Value};
use tokio::sync::Mutex;

/// The operator of a run, and what he knows.
pub(super) struct Operators {
    pub(super) connectors: Vec<Mutex<Asked>>,
    /// Where the secrets are that configurations refer to.
    secrets: tempfile::TempDir,
    /// Whom he asks next.
    pub(super) turn: AtomicUsize,
}

/// What was asked of a connector.
pub(super) struct Asked {
    /// Its settings now.
    pub(super) config: Map<String, Value>,
    /// All that were sent.
    pub(super) sent: Vec<Value>,
}

impl Operators {
    /// Of connectors with these settings; secrets are put into files.
    pub(super) fn new(connectors: Vec<BTreeMap<String, String>>) -> anyhow::Result<Operators> {
        let secrets = tempfile::tempdir()?;
        let mut asked = Vec::new();
        for (place, settings) in connectors.into_iter().enumerate() {
            let mut config = Map::new();
            for (key, text) in settings {
                let text = match is_secret(&key) {
                    true => {
                        let file = secrets.path().join(format!("{place}-{key}"));
                        std::fs::write(&file, text)?;
                        format!("${{file:{}}}", file.display())
                    }
                    false => text,
                };
                let key = if key == "class" { "connector.class".to_owned() } else { key };
                config.insert(key, text.into());
            }
            asked.push(Mutex::new(Asked { config, sent: Vec::new() }));
        }
        Ok(Operators { connectors: asked, secrets, turn: AtomicUsize::new(0) })
    }

    /// Where the secrets are.
    pub(super) fn directory(&self) -> &Path {
        self.secrets.path()
    }
}

/// Logins and passwords all begin like this.
fn is_secret(key: &str) -> bool {
    ["password", "token", "identity"].iter().any(|word| key.ends_with(word))
}
