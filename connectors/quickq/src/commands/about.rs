use serde_json::Value;
use talon_sdk::Command;

/// What a command is about.
pub(super) trait About {
    fn key_is_place(&self) -> bool;
    fn number(&self, name: &str) -> Option<i64>;
}

impl About for Command {
    fn key_is_place(&self) -> bool {
        self.params.contains_key("workplace_id")
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.params.get(name).and_then(Value::as_i64)
    }
}

/// What a registered visitor is found by: a hash, because ids of commands are the sender's.
pub(super) fn marker(id: &str) -> String {
    use md5::{Digest, Md5};
    let hash: String = Md5::digest(id).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[talon:{}]", &hash[..16])
}
