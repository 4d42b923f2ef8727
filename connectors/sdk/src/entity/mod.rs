//! Entities, declared once.
//!
//! A struct with `#[derive(Record)]` says of each field what the upstream calls it, what the record on
//! the topic calls it, its type, what it means, and whether it is personal or volatile. From that comes
//! all else: the reader of the upstream's JSON, which loses nothing; the Avro schema; the datum; what
//! happens to personal data; the settings for it; the page of reference.
//!
//! ```
//! use talon_sdk::entity::{How, Instant, Record, schema_of};
//! use talon_sdk::record::{Extra, Text};
//!
//! /// A ticket of the desk.
//! #[derive(Record)]
//! #[record(namespace = "talon.desk")]
//! struct Ticket<'a> {
//!     /// Key.
//!     #[from("id")]
//!     id: i64,
//!     #[from("openedOn")]
//!     opened_at: Option<Instant<'a>>,
//!     /// Who asked.
//!     #[from("customer")]
//!     #[record(pii)]
//!     customer_name: Option<Text<'a>>,
//!     extra: Extra<'a>,
//!     /// A new mark alone is no change.
//!     #[from("timestamp")]
//!     #[record(volatile)]
//!     mark: Option<i64>,
//! }
//! let schema = schema_of::<Ticket<'_>>();
//! assert_eq!(schema["fields"][2]["talon.pii"], true);
//! ```
//!
//! What an author may say besides the type, whose [`Field`] or [`Item`] knows the rest:
//!
//! | Of a field | |
//! | --- | --- |
//! | `#[from("…")]` | what the upstream calls it |
//! | `#[record(made)]` | it is not read: `finish`, or the scope, fills it |
//! | `#[record(hidden)]` | it is read and no field of the record, for `finish` or to be dropped for good |
//! | `#[record(name = "…")]` | its name in the record, where that is not the name in the code |
//! | `#[record(pii)]` | it is personal, and so is what stands in `extra` under its upstream name |
//! | `#[record(volatile)]` | a change of it alone is no change; such fields stand last |
//!
//! | Of a record | |
//! | --- | --- |
//! | `namespace`, `name` | in the schema; the name is that of the struct by default |
//! | `order(…)` | the fields by which a list of such records is sorted, for upstreams that promise no order |
//! | `finish = …` | a method that is called when all fields have settled |
//!
//! A row becomes an entity in three steps, all without a generic value:
//!
//! 1. It is read ([`decode`](crate::record::decode)): what is not declared, or has another type, goes to
//!    `extra`.
//! 2. It settles ([`Item::settle`]): texts become instants and words, lists get their order, personal
//!    data its policy, and `#[record(finish = …)]` sees to the rest.
//! 3. It is written ([`Item::write`]), field by field.

mod codec;
mod field;
mod how;
mod item;
mod loose;
mod schema;
mod values;

pub use codec::{Codec, Entity};
pub use field::{Field, Required};
pub use how::{How, Place};
pub use item::{Item, assert_checked_in, schema_of};
pub use loose::{Flag, Int, RawJson};
pub use schema::{Described, Description, Names};
pub use talon_derive::Record;
pub use values::{Code, Codes, Instant, Stamp, Word, Words};

#[cfg(test)]
mod tests;
