//! Following topics as any consumer would.

/// Where following a topic begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With its oldest record.
    Beginning,
    /// With what the bus took at this time or later, milliseconds since 1970 UTC.
    Time(i64),
}

/// A record as a consumer sees it.
#[derive(Debug)]
pub struct Tailed<'a> {
    /// Full name of its topic.
    pub topic: &'a str,
    /// Its key.
    pub key: &'a str,
    /// Its value; none is a tombstone.
    pub value: Option<&'a [u8]>,
}
