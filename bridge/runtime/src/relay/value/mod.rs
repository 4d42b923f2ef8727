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

use std::path::PathBuf;

pub use converter::{CONTENT_TYPE, Converter, Unconverted};

/// A form of values that have an Avro schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Confluent's, with the id of a registry.
    Confluent,
    /// Avro's single-object encoding.
    SingleObject,
    /// JSON text.
    Json,
}

/// How values are converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// What they become.
    pub form: Form,
    /// Files with the schemas of values that do not come from a registry.
    pub schemas: Vec<PathBuf>,
}

/// What a relay has made of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted {
    /// What it is now.
    pub form: Form,
    /// The id that a registry had given to its schema.
    pub schema: Option<u32>,
}

impl Form {
    /// Its name in configurations and headers.
    pub fn word(self) -> &'static str {
        match self {
            Form::Confluent => "confluent",
            Form::SingleObject => "single-object",
            Form::Json => "json",
        }
    }

    /// The form of this name.
    pub fn of(word: &str) -> Option<Form> {
        let all = [Form::Confluent, Form::SingleObject, Form::Json];
        all.into_iter().find(|form| form.word() == word)
    }
}

impl Converted {
    /// What the header `content-type` says of such a value.
    pub fn content_type(self) -> &'static str {
        match self.form {
            Form::Json => "application/json",
            Form::SingleObject | Form::Confluent => "application/avro",
        }
    }

    /// As in a header: `single-object/17`.
    pub(super) fn text(self) -> String {
        let form = self.form.word();
        self.schema.map_or_else(|| form.to_owned(), |id| format!("{form}/{id}"))
    }

    pub(super) fn parse(text: &str) -> Option<Converted> {
        let (form, schema) = match text.split_once('/') {
            Some((form, id)) => (form, Some(id.parse().ok()?)),
            None => (text, None),
        };
        Some(Converted { form: Form::of(form)?, schema })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_value_is_now_comes_back_from_a_header() {
        for (form, schema) in [(Form::SingleObject, Some(17)), (Form::Json, None)] {
            let converted = Converted { form, schema };
            assert_eq!(Converted::parse(&converted.text()), Some(converted));
        }
        for odd in ["", "avro/1", "json/x", "json/"] {
            assert_eq!(Converted::parse(odd), None, "{odd}");
        }
    }
}
