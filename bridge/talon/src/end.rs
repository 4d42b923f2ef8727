//! How the program ends; its exit code is made of this.

/// How the program ends.
pub(crate) enum End {
    /// As asked.
    Done,
    /// Something failed; it has been said what.
    Failed,
    /// The configuration is wrong; it has been said how.
    Misconfigured,
}
