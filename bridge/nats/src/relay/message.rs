//! What is read of streams and messages.

use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::jetstream::stream::Info;
use async_nats::{HeaderMap, HeaderName, HeaderValue};

/// When a stream was created, nanoseconds since 1970 UTC: tells it from another of its name.
pub(super) fn created(info: &Info) -> u64 {
    u64::try_from(info.created.unix_timestamp_nanos()).unwrap_or_default()
}

/// How a stream is called among the buses that a record has passed.
pub(super) fn bus_of(stream: &str, created: u64) -> String {
    format!("nats:{stream}@{created}")
}

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or_default()
}

/// Headers as pairs. Those of one name are in their order.
pub(super) fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let of_name = |(name, values): (&HeaderName, &Vec<HeaderValue>)| {
        let name: &str = name.as_ref();
        let pair = |value: &HeaderValue| (name.to_owned(), value.as_str().to_owned());
        values.iter().map(pair).collect::<Vec<_>>()
    };
    headers.iter().flat_map(of_name).collect()
}
