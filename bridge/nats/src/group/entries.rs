//! What stands in the bucket of the leases.

use std::fs;

use serde::{Deserialize, Serialize};

/// The entry of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    /// The member that runs it; none after it was let go.
    pub(crate) owner: Option<String>,
    /// What its process is called, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) process: Option<String>,
}

/// The entry of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Presence {
    /// The shards that it is configured for.
    pub(crate) shards: Vec<String>,
    /// What its process is called, for people.
    #[serde(default)]
    pub(crate) process: String,
}

impl Lease {
    /// Of nobody.
    pub(crate) const FREE: Lease = Lease { owner: None, process: None };
}

/// The key of a shard. Names of connectors are letters, digits, `_` and `-`.
pub(crate) fn shard_key(shard: &str) -> String {
    format!("shard.{shard}")
}

/// The key of a member.
pub(crate) fn member_key(member: &str) -> String {
    format!("member.{member}")
}

/// What a key is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum About<'k> {
    Shard(&'k str),
    Member(&'k str),
}

/// What a key is about; `None` where that is nothing of ours.
pub(crate) fn about(key: &str) -> Option<About<'_>> {
    let member = || key.strip_prefix("member.").map(About::Member);
    key.strip_prefix("shard.").map(About::Shard).or_else(member)
}

/// What this process is called, for people: its host and its number there.
pub(crate) fn process() -> String {
    let of_file = |path: &str| fs::read_to_string(path).ok();
    let host = std::env::var("HOSTNAME")
        .ok()
        .or_else(|| of_file("/proc/sys/kernel/hostname"))
        .or_else(|| of_file("/etc/hostname"))
        .unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "localhost" } else { host };
    format!("{host}:{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_an_earlier_version_are_read() {
        let lease: Lease = serde_json::from_str(r#"{"owner":"x"}"#).unwrap();
        assert_eq!(lease, Lease { owner: Some("x".to_owned()), process: None });
        let presence: Presence = serde_json::from_str(r#"{"shards":["a"]}"#).unwrap();
        assert_eq!(presence.process, "");
        assert_eq!(serde_json::to_string(&Lease::FREE).unwrap(), r#"{"owner":null}"#);
    }

    #[test]
    fn keys_tell_what_they_are_about() {
        assert_eq!(about(&shard_key("a-b_c")), Some(About::Shard("a-b_c")));
        assert_eq!(about(&member_key("X1")), Some(About::Member("X1")));
        assert_eq!(about("other"), None);
    }
}
