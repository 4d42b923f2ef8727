//! What happens to personal data before it leaves the process.
//!
//! Schemas mark fields with `talon.pii`. Each connector has a setting `pii.policy` and one
//! `pii.policy.{field}` per marked field; a connector asks [`Privacy`] for every marked field while it
//! maps a row.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use talon_schemas::Contract;

use crate::config::{Importance, Key, Settings};

/// What to do with a marked field.
///
/// In the order of how little they let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// As it is.
    Keep,
    /// A text becomes `****`, another value null.
    Mask,
    /// A text becomes the SHA-256 of salt and text in hex, another value null.
    Hash,
    /// Null.
    Drop,
}

/// The policies in words, for settings.
pub const POLICIES: &[&str] = &["keep", "mask", "hash", "drop"];

/// The policies of one connector instance.
#[derive(Debug, Clone)]
pub struct Privacy {
    fields: BTreeMap<String, Policy>,
    salt: String,
    keeps_all: bool,
}

/// The settings for the marked fields of these contracts.
pub fn keys(contracts: &[&Contract]) -> Vec<Key> {
    let mut keys = vec![
        Key::choice("pii.policy", POLICIES)
            .default("keep")
            .importance(Importance::Medium)
            .doc("What happens to personal data on topics: `keep`; `mask` (texts become ****, other values null); `hash` (texts become SHA-256 of salt and text); `drop` (null). Logs never show it."),
        Key::secret("pii.hash.salt")
            .default("")
            .doc("Salt for `hash`. Without one, short values such as phone numbers can be guessed from their hashes."),
    ];
    keys.extend(fields(contracts).into_iter().map(|field| {
        Key::choice(format!("pii.policy.{field}"), POLICIES)
            .doc(format!("The same for the field `{field}` alone. Without it, `pii.policy` holds."))
    }));
    keys
}

fn fields(contracts: &[&Contract]) -> Vec<String> {
    let mut fields: Vec<String> =
        contracts.iter().flat_map(|contract| contract.pii().iter().cloned()).collect();
    fields.sort();
    fields.dedup();
    fields
}

impl Privacy {
    fn of(fields: BTreeMap<String, Policy>, salt: String) -> Privacy {
        let keeps_all = fields.values().all(|policy| *policy == Policy::Keep);
        Privacy { fields, salt, keeps_all }
    }

    /// Reads the settings that [`keys`] declares.
    pub fn read(settings: &mut Settings<'_>, contracts: &[&Contract]) -> Privacy {
        let general = settings.text("pii.policy");
        let salt = settings.text("pii.hash.salt");
        let fields = fields(contracts)
            .into_iter()
            .map(|field| {
                let own = settings.text(&format!("pii.policy.{field}"));
                let policy = Policy::of(if own.is_empty() { &general } else { &own });
                (field, policy)
            })
            .collect();
        Privacy::of(fields, salt)
    }

    /// Everything is kept. For benchmarks and tests.
    pub fn keep_all(contracts: &[&Contract]) -> Privacy {
        let fields = fields(contracts).into_iter().map(|field| (field, Policy::Keep)).collect();
        Privacy::of(fields, String::new())
    }

    /// One policy for every marked field. For tests.
    pub fn everywhere(contracts: &[&Contract], policy: Policy) -> Privacy {
        let fields = fields(contracts).into_iter().map(|field| (field, policy)).collect();
        Privacy::of(fields, String::new())
    }

    /// Whether nothing is personal, or all of it is kept.
    pub fn keeps_all(&self) -> bool {
        self.keeps_all
    }

    /// The policy of a field, looked up once when a connector is configured.
    ///
    /// # Panics
    /// Where no contract marks the field: code and schema disagree, which the connector's tests show.
    pub fn field(&self, name: &str) -> Policy {
        *self.fields.get(name).unwrap_or_else(|| panic!("no schema marks `{name}` as personal"))
    }

    /// A text under a policy.
    pub fn text<'a>(&self, policy: Policy, text: Option<Cow<'a, str>>) -> Option<Cow<'a, str>> {
        match policy {
            Policy::Keep => text,
            Policy::Mask => text.map(|_| Cow::Borrowed("****")),
            Policy::Hash => text.map(|text| {
                let digest =
                    Sha256::new().chain_update(&self.salt).chain_update(text.as_bytes()).finalize();
                Cow::Owned(digest.iter().map(|byte| format!("{byte:02x}")).collect())
            }),
            Policy::Drop => None,
        }
    }

    /// A number under a policy.
    pub fn number(&self, policy: Policy, number: Option<f64>) -> Option<f64> {
        number.filter(|_| policy == Policy::Keep)
    }
}

impl Policy {
    /// The policy of a word of [`POLICIES`].
    pub fn of(word: &str) -> Policy {
        match word {
            "mask" => Policy::Mask,
            "hash" => Policy::Hash,
            "drop" => Policy::Drop,
            _ => Policy::Keep,
        }
    }
}
