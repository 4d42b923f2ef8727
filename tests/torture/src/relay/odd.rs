//! Records of every kind that a bus can hold.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Name of the header that tells each record from all others.
pub(super) const ID: &str = "id";

/// Name of the header with the buses that a record has passed. It is the relay's own.
const HOPS: &str = "talon-relay-hops";

/// A record, as any bus gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    /// None is null.
    pub(super) key: Option<Vec<u8>>,
    /// None is a tombstone.
    pub(super) value: Option<Vec<u8>>,
    /// In their order.
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since 1970 UTC.
    pub(super) at_ms: Option<i64>,
}

impl Whole {
    /// Tells it from all others.
    pub(super) fn id(&self) -> String {
        let id = self.headers.iter().find(|(name, _)| name == ID);
        let id = id.and_then(|(_, value)| value.as_deref()).unwrap_or_default();
        String::from_utf8_lossy(id).into_owned()
    }

    /// Without what a relay adds.
    pub(super) fn without_hops(mut self) -> Whole {
        self.headers.retain(|(name, _)| name != HOPS);
        self
    }
}

/// Headers that something on the way could take for an order, or could lose.
const NAMES: [&str; 10] = [
    "n",
    "ce_id",
    "traceparent",
    "content-type",
    "Nats-Rollup",
    "Nats-TTL",
    "Nats-Expected-Last-Sequence",
    "Talon-Relay-Tombstone",
    "a b:c",
    "имя",
];

/// A record of some kind, from few keys.
pub(super) fn record(random: &mut ChaCha8Rng, id: String, is_keyed: bool, now_ms: i64) -> Whole {
    let number = random.random_range(0..6);
    let key = match random.random_range(0..8) {
        0 if !is_keyed => None,
        1 => Some(Vec::new()),
        2 => Some(vec![0xff, 0, number, b'.', 0x80]),
        3 => Some(format!("a.b c*>%{number}").into_bytes()),
        _ => Some(format!("k{number}").into_bytes()),
    };
    let value = match random.random_range(0..10) {
        0 => None,
        1 => Some(Vec::new()),
        2 => Some((0..=255).collect()),
        3 => Some(vec![number; random.random_range(0..20_000)]),
        _ => Some(format!("{id} of {now_ms}").into_bytes()),
    };
    let mut headers = vec![(ID.to_owned(), Some(id.into_bytes()))];
    for _ in 0..random.random_range(0..4) {
        let name = NAMES[random.random_range(0..NAMES.len())].to_owned();
        headers.push((name, header(random)));
    }
    let at_ms = Some(now_ms - random.random_range(0..600_000));
    Whole { key, value, headers, at_ms }
}

fn header(random: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    match random.random_range(0..6) {
        0 => None,
        1 => Some(Vec::new()),
        2 => Some(vec![0xfe, 0, 0xff, b'\n']),
        3 => Some(b" blanks ".to_vec()),
        _ => Some(b"all".to_vec()),
    }
}
