//! What is wrong with data that do not fit their schema.

use crate::datum::Malformed;

/// An entity or an event does not fit its schema.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The Avro library refused it.
    #[error("avro: {0}")]
    Avro(#[from] Box<apache_avro::Error>),
    /// Not this schema's bytes.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Not JSON, or other JSON than the schema asks for.
    #[error("the JSON does not fit the schema")]
    Json,
}

impl From<apache_avro::Error> for SchemaError {
    fn from(error: apache_avro::Error) -> Self {
        SchemaError::Avro(Box::new(error))
    }
}
