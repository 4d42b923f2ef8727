//! JSON that may be spelled in any way.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use talon_schemas::canonical::canonical;

/// Reads a value whose numbers may be spelled in any way: `1.0` and `1e2` are whole numbers.
///
/// # Errors
/// Where the text is no such value.
pub fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    let read = serde_json::from_slice(json);
    match read {
        Err(error) if error.is_data() => {
            serde_json::from_slice(&respelled(json)).map_err(|_| error)
        }
        read => read,
    }
}

/// The text in its canonical spelling, in which a whole number is spelled as one.
pub fn respelled(json: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(json).map(canonical) {
        Ok(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
        _ => Cow::Borrowed(json),
    }
}
