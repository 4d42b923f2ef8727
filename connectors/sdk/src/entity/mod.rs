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
//! A row becomes an entity in three steps, all without a generic value:
//!
//! 1. It is read ([`decode`](crate::record::decode)): what is not declared, or has another type, goes to
//!    `extra`.
//! 2. It settles ([`Item::settle`]): texts become instants and words, lists get their order, personal
//!    data its policy, and `#[record(finish = …)]` sees to the rest.
//! 3. It is written ([`Item::write`]), field by field.

mod codec;
mod field;
mod item;
mod schema;
mod values;

pub use codec::{Codec, Entity};
pub use field::Field;
pub use item::Item;
pub use schema::{Described, Description, Names, schema_of};
pub use talon_derive::Record;
pub use values::{Code, Codes, Instant, Stamp, Word, Words};

use jiff::tz::TimeZone;

use crate::privacy::{Policy, Privacy};
use crate::record::Extra;

/// Under which configuration rows are read.
#[derive(Debug, Clone, Copy)]
pub struct How<'h> {
    /// The zone of instants that say none.
    pub zone: &'h TimeZone,
    /// What happens to personal data.
    pub privacy: &'h Privacy,
}

impl How<'_> {
    /// The policy of a personal field.
    pub fn policy(&self, field: &str) -> Policy {
        if self.privacy.keeps_all() { Policy::Keep } else { self.privacy.field(field) }
    }

    /// Whether personal data may stand in these fields that did not fit.
    pub fn guards(&self, extra: &Extra<'_>) -> bool {
        !extra.0.is_empty() && !self.privacy.keeps_all()
    }
}

/// Where a field settles.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    /// The upstream's name of the field.
    pub from: &'static str,
    /// What happens to it.
    pub policy: Policy,
    /// Under which configuration.
    pub how: &'p How<'p>,
}
