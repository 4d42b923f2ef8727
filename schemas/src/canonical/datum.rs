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

    /// Its leading bytes that count as content: all but the volatile fields.
    pub fn stable(&self) -> &[u8] {
        &self.datum[..self.stable]
    }

    /// The datum, where it had to be written anew.
    pub(crate) fn rewritten(self) -> Option<Vec<u8>> {
        match self.datum {
            Cow::Owned(datum) => Some(datum),
            Cow::Borrowed(_) => None,
        }
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
        put(field, &mut input, &mut out)?;
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
/// [`Contract::encode`](crate::Contract::encode) writes them.
fn put(plan: &Plan, input: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    match plan {
        Plan::Json => put_text(out, &canonical(take_text(input)?)),
        Plan::Array(item) => {
            let (mut count, mut items) = (0, Vec::new());
            blocks(input, |input| {
                count += 1;
                put(item, input, &mut items)
            })?;
            put_block(count, &items, out);
        }
        Plan::Map(value) => {
            let mut entries: Vec<(&[u8], Vec<u8>)> = Vec::new();
            blocks(input, |input| {
                let length = take_long(input)?;
                let key = take(input, length)?;
                let mut datum = Vec::new();
                put(value, input, &mut datum)?;
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
            put(branches.get(branch).ok_or(Malformed)?, input, out)?;
        }
        Plan::Record(fields) => {
            for field in fields {
                put(field, input, out)?;
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
