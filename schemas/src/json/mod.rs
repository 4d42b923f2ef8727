//! A datum as JSON text, and back: events of `format: json`, and values that a relay converts.
//!
//! | Avro | JSON |
//! | --- | --- |
//! | null, boolean, string | the same |
//! | int, long, and dates, times and instants | the number as it stands in the datum, in the unit of the schema |
//! | float, double | a number; one that JSON does not have as a text: `NaN`, `inf`, `-inf` |
//! | bytes, fixed | Base64 |
//! | decimal | a text with as many digits behind the point as the schema says: `-12.340` |
//! | uuid | its text |
//! | duration | `{"months":1,"days":2,"millis":3}` |
//! | enum | the symbol |
//! | array | an array |
//! | map, record | an object; all fields of a record are there, in their order, also those that are null |
//! | union | the value of its branch, without a word which one that is |
//!
//! The schema leads the way back. A union is the first of its branches that the JSON fits, so one whose branches look
//! alike in JSON may come back as another branch. A field that is not there has its default.
//!
//! What is nested deeper than a hundred is refused both ways, so that no bytes exhaust the stack.

mod decimal;
mod names;
mod read;
mod spell;

#[cfg(test)]
mod tests;

pub(crate) use names::{Names, names};
pub(crate) use read::{Unknown, read};
pub(crate) use spell::spell;
