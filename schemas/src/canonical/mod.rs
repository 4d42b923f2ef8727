//! One spelling for every JSON value, so that another spelling of it is no change.
//!
//! * No blanks.
//! * The keys of an object are in the order of their code points. A key that is there twice stays
//!   twice, in the order in which its values came.
//! * A number has as few digits as say all of it, and none is lost: `35.500` and `3.55e1` are `35.5`,
//!   `1e2` is `100`, `-0` and `0.0` are `0`. It has an exponent only where more than twenty zeros would
//!   follow its digits (`1e21`), or more than five stand between the point and them (`1e-7`). So
//!   `1e400` stays short. An exponent of more than eighteen digits keeps its number as it came.
//! * A text has escapes only where JSON needs one: `\"`, `\\`, `\b`, `\f`, `\n`, `\r`, `\t`, other
//!   controls as `\u001f`, and half a surrogate pair, which is no character, as `\ud800`.
//!
//! What is no JSON, or is nested deeper than [`DEEPEST`], stays as it is: the bound keeps the time
//! linear and the stack small, whatever an upstream sends.

pub(crate) mod datum;
mod number;
mod scan;
mod spell;
mod text;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use spell::DEEPEST;

/// The JSON text in its one spelling. Borrowed where it has that already, which one scan tells.
///
/// Called for each JSON text of each row that is decoded and of each value that is read back.
pub fn canonical(text: &str) -> Cow<'_, str> {
    if is_canonical(text) {
        return Cow::Borrowed(text);
    }
    match spell::spelled(text) {
        Some(spelled) if spelled != text => Cow::Owned(spelled),
        _ => Cow::Borrowed(text),
    }
}

/// Whether a text is surely in that spelling, without an allocation. `false` for some rare texts that
/// are too: those with `\u`, exponents, long numbers, and very deep ones.
pub(crate) fn is_canonical(text: &str) -> bool {
    scan::is_canonical(text)
}
