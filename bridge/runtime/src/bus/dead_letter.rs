//! Dead letters: their headers, which are Kafka Connect's, and what is left of one that is too large.

/// What is left of the value of a dead letter that the bus does not take as a whole, bytes.
pub(crate) const CUT_VALUE: usize = 64 * 1024;

/// What is left of its key, bytes.
pub(crate) const CUT_KEY: usize = 1024;

/// Header with the size of the whole value, where it was cut.
pub(crate) const VALUE_BYTES: &str = "__talon.errors.value.bytes";

/// Where an input came from, and why it was put aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// The topic that it was meant for, or from which it came.
    pub topic: &'a str,
    /// Name of the connector.
    pub connector: &'a str,
    /// As in `talon_dead_letters_total`.
    pub stage: &'a str,
    /// The kind of fault.
    pub fault: &'static str,
    /// The reason, without content.
    pub message: &'a str,
}

impl<'a> Origin<'a> {
    /// The headers that all dead letters have.
    pub(crate) fn headers(self) -> [(&'static str, &'a [u8]); 6] {
        [
            ("__connect.errors.topic", self.topic.as_bytes()),
            ("__connect.errors.connector.name", self.connector.as_bytes()),
            ("__connect.errors.task.id", b"0"),
            ("__connect.errors.stage", self.stage.as_bytes()),
            ("__connect.errors.exception.class.name", self.fault.as_bytes()),
            ("__connect.errors.exception.message", self.message.as_bytes()),
        ]
    }
}

/// The beginning of a key, no longer than [`CUT_KEY`].
pub(crate) fn cut_key(key: &str) -> &str {
    let end = (0..=CUT_KEY.min(key.len())).rev().find(|end| key.is_char_boundary(*end));
    &key[..end.unwrap_or(0)]
}
