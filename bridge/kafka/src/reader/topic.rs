//! What is read.

/// A topic to be read.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) name: String,
    /// Only the newest record of a key counts.
    pub(crate) by_key: bool,
    /// Others write to it too; the keys of this shard begin so.
    pub(crate) own: Option<String>,
}
