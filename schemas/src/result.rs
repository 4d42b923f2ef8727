//! What became of a command: the records of the topic `{prefix}.{name}.results`.

use std::sync::LazyLock;

use crate::Message;

/// The schema of intents and outcomes, the same for all connectors.
pub static RESULT: LazyLock<Message> = LazyLock::new(|| {
    let text = include_str!("../talon/result.avsc");
    Message::of(serde_json::from_str(text).expect("a schema file is JSON"))
});
