//! The levels of `statistics`.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use talon_sdk::entity::Int;
use talon_sdk::record::Text;
use talon_sdk::spelling::read;

/// A level of `statistics`: its children apart from the rest of it.
pub(crate) struct Level<'a> {
    pub(crate) id: Int,
    pub(crate) children: Vec<&'a RawValue>,
    /// The object without the children.
    pub(crate) rest: String,
}

impl<'a> Level<'a> {
    /// `None` where it is no object with this id and a list of these children.
    pub(crate) fn split(
        text: &'a str,
        children: &'static str,
        id: &'static str,
    ) -> Option<Level<'a>> {
        let mut json = serde_json::Deserializer::from_str(text);
        json.deserialize_map(Splitting { children, id }).ok()?
    }
}

struct Splitting {
    children: &'static str,
    id: &'static str,
}

impl<'de> Visitor<'de> for Splitting {
    type Value = Option<Level<'de>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut id, mut children, mut rest) = (None, None, String::from("{"));
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            if name == self.children && children.is_none() {
                children = map.next_value::<Option<Vec<&'de RawValue>>>()?;
                continue;
            }
            let value = map.next_value::<&'de RawValue>()?;
            if name == self.id && id.is_none() {
                id = read::<Int>(value.get().as_bytes()).ok();
            }
            if rest.len() > 1 {
                rest.push(',');
            }
            rest.push_str(&serde_json::Value::from(&*name).to_string());
            rest.push(':');
            rest.push_str(value.get());
        }
        rest.push('}');
        Ok(id.zip(children).map(|(id, children)| Level { id, children, rest }))
    }
}
