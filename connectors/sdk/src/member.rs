//! One field of a JSON object.

use std::borrow::Cow;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The value under `name` on the top level of a JSON object, read no further than that field.
pub(crate) fn member<'r>(row: &'r [u8], name: &str) -> Option<&'r RawValue> {
    let mut found = None;
    let mut json = serde_json::Deserializer::from_slice(row);
    // The visitor stops the deserializer with an error as soon as it has what it wants.
    let _stopped = json.deserialize_map(Peek { name, found: &mut found });
    found
}

struct Peek<'p, 'de> {
    name: &'p str,
    found: &'p mut Option<&'de RawValue>,
}

impl<'de> Visitor<'de> for Peek<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key::<Cow<'de, str>>()? {
            if field != self.name {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            *self.found = Some(map.next_value()?);
            return Err(serde::de::Error::custom("found"));
        }
        Ok(())
    }
}
