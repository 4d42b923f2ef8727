//! Values in another form on the other side.
//!
//! | Form | What it is | Who can read it |
//! | --- | --- | --- |
//! | `confluent` | a zero byte, the id of the schema (4 bytes), the datum | who asks the registry |
//! | `single-object` | C3 01, the fingerprint of the schema (8 bytes), the same datum | who has the schema |
//! | `json` | the datum as JSON, as its writer's schema says | everybody |
//!
//! The datum of the first two is the same, byte for byte, so the way there and back changes nothing. A message says
//! what its value is and under which id the registry had its schema (`Talon-Relay-Value`); on the way back that id
//! counts where the registry still has a schema of that fingerprint under it. Else the schema is one of those that the
//! configuration names, and is registered.
//!
//! # How it can fail, and what then holds
//!
//! - A value is in none of the forms, or does not fit its schema, or no schema is known: it is refused, and the record
//!   goes where those go that cannot be carried, as it was.
//! - The registry does not answer, or refuses the schema: the relay is held at that record, and tries again.
//! - The registry was lost, and gives another schema under an id: the fingerprint tells on the way back. On the way
//!   there nothing does, for any consumer.

mod converter;

pub use converter::{Converter, Unconverted, Values};
