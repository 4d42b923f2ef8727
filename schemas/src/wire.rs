//! How a datum stands in a message: which schema it was written with, and where it begins.

use crate::{Message, SchemaError};

/// The form of every message of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Confluent wire format: a zero byte, the schema's id in the registry (4 bytes, big-endian),
    /// the datum.
    Confluent {
        /// The id under which the registry knows the envelope.
        id: u32,
    },
    /// Avro single-object encoding: C3 01, CRC-64-AVRO of the schema (8 bytes, little-endian), the
    /// datum. Needs no registry.
    SingleObject,
    /// JSON text of the envelope, for people who look with their eyes. Slow.
    Json,
}

/// What stands in a received message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A datum of the contract's own schema.
    Own(&'a [u8]),
    /// A datum of another schema, by its id in the registry.
    Registered(u32, &'a [u8]),
    /// A datum of another schema, by its fingerprint.
    Fingerprinted([u8; 8], &'a [u8]),
    /// JSON text.
    Json(&'a [u8]),
    /// None of these.
    Foreign,
}

const SINGLE_OBJECT: [u8; 2] = [0xc3, 0x01];

impl Wire {
    /// Appends what stands before the datum. Nothing for JSON.
    pub fn put_prefix(self, of: &impl AsRef<Message>, out: &mut Vec<u8>) {
        match self {
            Wire::Confluent { id } => {
                out.push(0);
                out.extend_from_slice(&id.to_be_bytes());
            }
            Wire::SingleObject => {
                out.extend_from_slice(&SINGLE_OBJECT);
                out.extend_from_slice(&of.as_ref().fingerprint());
            }
            Wire::Json => {}
        }
    }

    /// Finishes a message that holds prefix and datum: JSON is made from the datum, the others are
    /// ready.
    pub fn finish(
        self,
        of: &impl AsRef<Message>,
        message: &mut Vec<u8>,
    ) -> Result<(), SchemaError> {
        if self == Wire::Json {
            let json = of.as_ref().to_json(message)?;
            *message = serde_json::to_vec(&json).map_err(|_| SchemaError::Json)?;
        }
        Ok(())
    }

    /// Looks at a message of a topic that was written by this or an earlier configuration.
    pub fn open<'a>(self, of: &impl AsRef<Message>, message: &'a [u8]) -> Payload<'a> {
        match message {
            [0, a, b, c, d, datum @ ..] => {
                let id = u32::from_be_bytes([*a, *b, *c, *d]);
                if self == (Wire::Confluent { id }) {
                    Payload::Own(datum)
                } else {
                    Payload::Registered(id, datum)
                }
            }
            [0xc3, 0x01, rest @ ..] if rest.len() >= 8 => {
                let (fingerprint, datum) = rest.split_at(8);
                if fingerprint == of.as_ref().fingerprint() {
                    Payload::Own(datum)
                } else {
                    let fingerprint = fingerprint.try_into().expect("split at eight");
                    Payload::Fingerprinted(fingerprint, datum)
                }
            }
            [b'{', ..] => Payload::Json(message),
            _ => Payload::Foreign,
        }
    }
}
