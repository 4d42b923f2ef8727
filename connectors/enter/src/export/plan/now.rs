use tokio::time::Instant;

/// The time of day, for dates, and the time that only goes on, for intervals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) ms: i64,
    pub(crate) at: Instant,
}
