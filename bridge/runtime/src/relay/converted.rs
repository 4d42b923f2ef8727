//! What a relay has made of a value, as its record says.

/// Name of the header that says what a value is.
pub const CONTENT_TYPE: &str = "content-type";

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
