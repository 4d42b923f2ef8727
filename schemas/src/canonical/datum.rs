//! An entity's datum whose JSON texts have their one spelling.

use std::borrow::Cow;

use crate::canonical::{canonical, is_canonical};
use crate::datum::{Malformed, put_long, put_text, take, take_long, take_text};
use crate::plan::{Plan, Texts, blocks};

/// What counts of an entity's datum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content<'d> {
    datum: Cow<'d, [u8]>,
    stable: usize,
}

impl<'d> Content<'d> {
    /// The whole datum.
    pub fn datum(&self) -> &[u8] {
        &self.datum
    }

    /// The whole datum, borrowed where it did not have to be written anew.
    pub fn into_datum(self) -> Cow<'d, [u8]> {
        self.datum
    }

    /// Its leading bytes that count as content: all but the volatile fields.
    pub fn stable(&self) -> &[u8] {
        &self.datum[..self.stable]
    }
}

/// The content of a datum of `entity`, a record whose first `stable` fields count.
pub(crate) fn content<'d>(
    entity: &Plan,
    stable: usize,
    datum: &'d [u8],
) -> Result<Content<'d>, Malformed> {
    let Plan::Record(fields) = entity else { return Err(Malformed) };
    let mut input = datum;
    let mut spelling = Spelling { is_canonical: true, before: None };
    let mut stable_len = datum.len();
    for (place, field) in fields.iter().enumerate() {
        if place == stable {
            stable_len -= input.len();
        }
        field.walk(&mut input, &mut spelling)?;
    }
    if stable == fields.len() {
        stable_len -= input.len();
    }
    if spelling.is_canonical {
        return Ok(Content { datum: Cow::Borrowed(datum), stable: stable_len });
    }
    let (mut input, mut out) = (datum, Vec::with_capacity(datum.len()));
    for (place, field) in fields.iter().enumerate() {
        if place == stable {
            stable_len = out.len();
        }
        put(field, &mut input, &mut out, &Some)?;
    }
    if stable == fields.len() {
        stable_len = out.len();
    }
    out.extend_from_slice(input);
    Ok(Content { datum: Cow::Owned(out), stable: stable_len })
}

/// Looks whether anything must be spelled anew.
struct Spelling<'d> {
    is_canonical: bool,
    /// The key before, in the map that began last.
    before: Option<&'d [u8]>,
}

impl<'d> Texts<'d> for Spelling<'d> {
    fn text(&mut self, _: &'d [u8]) -> Result<(), Malformed> {
        Ok(())
    }

    fn json(&mut self, text: &'d [u8]) -> Result<(), Malformed> {
        let text = std::str::from_utf8(text).map_err(|_| Malformed)?;
        self.is_canonical = self.is_canonical && is_canonical(text);
        Ok(())
    }

    fn map(&mut self) {
        self.before = None;
    }

    fn key(&mut self, key: &'d [u8]) -> Result<(), Malformed> {
        // A generic value, as which an earlier version's datum is read, has lost the order.
        self.is_canonical = self.is_canonical && self.before.is_none_or(|before| before < key);
        self.before = Some(key);
        Ok(())
    }
}

/// Appends one value, with its JSON texts in their one spelling and maps in the order of their keys, as
/// [`Contract::encode`](crate::Contract::encode) writes them, and each instant as `convert` gives it. Moves
/// `input` behind the value. After an error `out` may hold a part of it.
pub(crate) fn put(
    plan: &Plan,
    input: &mut &[u8],
    out: &mut Vec<u8>,
    convert: &impl Fn(i64) -> Option<i64>,
) -> Result<(), Malformed> {
    match plan {
        Plan::Instant => put_long(out, convert(take_long(input)?).ok_or(Malformed)?),
        Plan::Json => put_text(out, &canonical(take_text(input)?)),
        Plan::Array(item) => {
            let (mut count, mut items) = (0, Vec::new());
            blocks(input, |input| {
                count += 1;
                put(item, input, &mut items, convert)
            })?;
            put_block(count, &items, out);
        }
        Plan::Map(value) => {
            let mut entries: Vec<(&[u8], Vec<u8>)> = Vec::new();
            blocks(input, |input| {
                let length = take_long(input)?;
                let key = take(input, length)?;
                let mut datum = Vec::new();
                put(value, input, &mut datum, convert)?;
                entries.push((key, datum));
                Ok(())
            })?;
            entries.sort_by_key(|(key, _)| *key);
            let mut items = Vec::new();
            for (key, datum) in &entries {
                put_long(&mut items, key.len() as i64);
                items.extend_from_slice(key);
                items.extend_from_slice(datum);
            }
            put_block(entries.len() as i64, &items, out);
        }
        Plan::Union(branches) => {
            let branch = take_long(input)?;
            put_long(out, branch);
            let branch = usize::try_from(branch).map_err(|_| Malformed)?;
            put(branches.get(branch).ok_or(Malformed)?, input, out, convert)?;
        }
        Plan::Record(fields) => {
            for field in fields {
                put(field, input, out, convert)?;
            }
        }
        _ => {
            let from = *input;
            plan.skip(input)?;
            out.extend_from_slice(&from[..from.len() - input.len()]);
        }
    }
    Ok(())
}

/// Items as one block, and the end.
fn put_block(count: i64, items: &[u8], out: &mut Vec<u8>) {
    if count > 0 {
        put_long(out, count);
        out.extend_from_slice(items);
    }
    put_long(out, 0);
}

#[cfg(test)]
mod tests {
    use apache_avro::Schema;

    use super::*;

    fn plan(schema: &str) -> Plan {
        Plan::of(&Schema::parse_str(schema).unwrap()).unwrap()
    }

    #[test]
    fn a_copy_has_other_instants_and_nothing_else_that_differs() {
        let instant = r#"{"type": "long", "logicalType": "timestamp-micros"}"#;
        let plan = plan(&format!(
            r#"{{"type": "record", "name": "R", "fields": [
                {{"name": "n", "type": "long"}}, {{"name": "at", "type": ["null", {instant}]}},
                {{"name": "all", "type": {{"type": "array", "items": {instant}}}}},
                {{"name": "of", "type": {{"type": "map", "values": ["null", {instant}]}}}}]}}"#
        ));
        let of = |instants: [i64; 4], sized: bool| {
            let mut out = Vec::new();
            put_long(&mut out, 5_000);
            out.push(2);
            put_long(&mut out, instants[0]);
            let mut items = Vec::new();
            instants[1..3].iter().for_each(|instant| put_long(&mut items, *instant));
            put_long(&mut out, if sized { -2 } else { 2 });
            if sized {
                put_long(&mut out, items.len() as i64);
            }
            out.extend(items);
            out.extend([0, 4, 2, b'a', 0, 2, b'b', 2]);
            put_long(&mut out, instants[3]);
            out.push(0);
            out
        };
        let datum = of([1_999, -1, 0, 9_000_000], true);
        assert!(plan.fits(&datum));
        let (mut input, mut out) = (&datum[..], Vec::new());
        put(&plan, &mut input, &mut out, &|instant| Some(instant.div_euclid(1_000))).unwrap();
        assert_eq!(out, of([1, -1, 0, 9_000], false));
        assert!(input.is_empty());
        for end in 0..datum.len() {
            let copied = put(&plan, &mut &datum[..end], &mut Vec::new(), &Some);
            assert_eq!(copied, Err(Malformed), "cut at {end}");
        }
        assert_eq!(put(&plan, &mut &datum[..], &mut Vec::new(), &|_| None), Err(Malformed));
    }
}
