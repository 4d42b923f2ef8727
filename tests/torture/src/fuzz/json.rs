//! What the targets ask of JSON without believing the readers under test.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The fields of an object in their order, those of the same name too.
pub(super) struct Fields<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Each)
    }
}

impl Fields<'_> {
    /// Whether no name comes twice.
    pub(super) fn are_distinct(&self) -> bool {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).all(|pair| pair[0] != pair[1])
    }

    /// The same object, written otherwise.
    pub(super) fn backwards(&self) -> Vec<u8> {
        let fields = self.0.iter().rev();
        let fields = fields.map(|(name, value)| {
            format!("{} :\t{}", serde_json::Value::from(name.as_str()), value.get())
        });
        format!(" {{ {} }}\n", fields.collect::<Vec<_>>().join(" ,\r\n")).into_bytes()
    }
}

/// Whether a text is JSON.
pub(super) fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
        && std::str::from_utf8(text).is_ok()
}
