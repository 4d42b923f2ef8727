//! Plain clients of the buses: what bounds Talon.

pub(crate) mod kafka;
pub(crate) mod nats;

use std::time::Duration;

/// How long a broker may be silent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Produces a list as plainly as the client allows, and as safely as Talon does.
pub(crate) trait Producer {
    /// Before a list.
    fn begin(&mut self) -> anyhow::Result<()>;

    fn send(&mut self, key: &str, value: &[u8]) -> anyhow::Result<()>;

    /// After a list: when this returns, all of it is stored.
    fn commit(&mut self) -> anyhow::Result<()>;
}

/// An event id: something that compresses as badly as a hash.
fn event_id(sent: u32) -> String {
    let id = u128::from(sent).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let digits = format!("{id:032x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
