//! A generic Avro value as JSON.

use apache_avro::types::Value;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value as Json;

/// Bytes become base64 text, instants microseconds since 1970 UTC.
pub(crate) fn json_of(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => value.into(),
        Value::Int(value) | Value::Date(value) | Value::TimeMillis(value) => value.into(),
        Value::Long(value)
        | Value::TimeMicros(value)
        | Value::TimestampMicros(value)
        | Value::LocalTimestampMicros(value) => value.into(),
        Value::TimestampMillis(value) | Value::LocalTimestampMillis(value) => {
            value.saturating_mul(1_000).into()
        }
        Value::TimestampNanos(value) | Value::LocalTimestampNanos(value) => (value / 1_000).into(),
        Value::Float(value) => f64::from(value).into(),
        Value::Double(value) => value.into(),
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => BASE64_STANDARD.encode(bytes).into(),
        Value::String(text) | Value::Enum(_, text) => text.into(),
        Value::Union(_, value) => json_of(*value),
        Value::Array(items) => items.into_iter().map(json_of).collect(),
        Value::Map(entries) => {
            entries.into_iter().map(|(key, item)| (key, json_of(item))).collect()
        }
        Value::Record(fields) => {
            fields.into_iter().map(|(key, item)| (key, json_of(item))).collect()
        }
        Value::Uuid(uuid) => uuid.to_string().into(),
        Value::Decimal(_) | Value::BigDecimal(_) | Value::Duration(_) => Json::Null,
    }
}
