//! The unit of instants: microseconds, or milliseconds where a reader of the topics knows no others.
//!
//! Schema files and codecs have microseconds. A [`Contract`](crate::Contract) in milliseconds is made of
//! the same file, and an entity's encoded datum is put into it by [`Contract::adopt`]: a connector knows
//! nothing of it, and who stays with microseconds pays nothing.
//!
//! # Which unit a message has
//!
//! Logical types do not count in a schema's fingerprint, JSON has no schema, and a registry's check of
//! compatibility does not look at them. So an event in milliseconds says so itself: its `source` has a
//! field `instants` more, which is `millis`. The fingerprints differ by that, one schema's bytes do not
//! fit the other, and a registry that checks takes neither in place of the other.
//!
//! [`Contract::adopt`]: crate::Contract::adopt

use serde_json::{Map, Value as Json, json};

/// The unit of instants in the events of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Instants {
    /// Microseconds since 1970 UTC.
    #[default]
    Micros,
    /// Milliseconds since 1970 UTC.
    Millis,
}

impl Instants {
    /// The word in the setting `instants`, and in an event's `source`.
    pub fn word(self) -> &'static str {
        match self {
            Instants::Micros => "micros",
            Instants::Millis => "millis",
        }
    }

    /// The one that it is not.
    #[must_use]
    pub fn other(self) -> Instants {
        match self {
            Instants::Micros => Instants::Millis,
            Instants::Millis => Instants::Micros,
        }
    }

    /// Of an event in JSON, whichever version wrote it. `None` where it is none, or says another word.
    pub fn in_json(json: &[u8]) -> Option<Instants> {
        #[derive(serde::Deserialize)]
        struct Event {
            source: Source,
        }
        #[derive(serde::Deserialize)]
        struct Source {
            #[serde(default)]
            instants: Option<String>,
        }
        let event: Event = serde_json::from_slice(json).ok()?;
        match event.source.instants.as_deref() {
            None => Some(Instants::Micros),
            Some("millis") => Some(Instants::Millis),
            Some(_) => None,
        }
    }

    /// An instant of the other unit in this one. What falls between two milliseconds is that of the
    /// earlier, also before 1970. `None` where it is too far away.
    pub(crate) fn convert(self, instant: i64) -> Option<i64> {
        match self {
            Instants::Micros => instant.checked_mul(1_000),
            Instants::Millis => Some(instant.div_euclid(1_000)),
        }
    }

    /// Puts a schema with microseconds into this unit.
    pub(crate) fn put(self, schema: &mut Json) {
        if self == Instants::Millis {
            each_object(schema, &mut |map| {
                if map.get("logicalType").is_some_and(|of| of == MICROS) {
                    map.insert("logicalType".to_owned(), json!("timestamp-millis"));
                    map.remove("connect.name");
                    map.remove("connect.version");
                }
                if map.get("name").is_some_and(|name| name == "Source")
                    && map.get("namespace").is_some_and(|of| of == "talon")
                    && let Some(Json::Array(fields)) = map.get_mut("fields")
                {
                    fields.push(json!({"name": "instants", "type": "string",
                        "doc": "The unit of instants in before and after: millis."}));
                }
            });
        }
    }
}

const MICROS: &str = "timestamp-micros";

/// Names the type beside each instant in microseconds as Kafka Connect's converters know it: those go by
/// a name of their own, and take a logical type that they do not know for a plain number.
pub(crate) fn name_for_connect(schema: &mut Json) {
    each_object(schema, &mut |map| {
        if map.get("logicalType").is_some_and(|of| of == MICROS) {
            map.insert("connect.version".to_owned(), json!(1));
            map.insert("connect.name".to_owned(), json!("io.debezium.time.MicroTimestamp"));
        }
    });
}

/// Every object of a schema's JSON, the outer one first.
fn each_object(json: &mut Json, each: &mut impl FnMut(&mut Map<String, Json>)) {
    match json {
        Json::Object(map) => {
            each(map);
            map.values_mut().for_each(|value| each_object(value, each));
        }
        Json::Array(items) => items.iter_mut().for_each(|item| each_object(item, each)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_between_two_milliseconds_is_that_of_the_earlier_also_before_1970() {
        let millis = |micros| Instants::Millis.convert(micros);
        assert_eq!([0, 1, 999, 1_000].map(millis), [0, 0, 0, 1].map(Some));
        assert_eq!([-1, -999, -1_000, -1_001].map(millis), [-1, -1, -1, -2].map(Some));
        assert_eq!(Instants::Micros.convert(-2), Some(-2_000));
        assert_eq!(Instants::Micros.convert(i64::MAX), None);
    }

    #[test]
    fn an_event_in_json_says_its_unit() {
        assert_eq!(Instants::in_json(br#"{"source": {"name": "n"}}"#), Some(Instants::Micros));
        let millis = br#"{"op": "c", "source": {"instants": "millis"}}"#;
        assert_eq!(Instants::in_json(millis), Some(Instants::Millis));
        assert_eq!(Instants::in_json(br#"{"source": {"instants": "days"}}"#), None);
        assert_eq!(Instants::in_json(b"{}"), None);
    }
}
