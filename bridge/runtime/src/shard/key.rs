//! Keys of entities, as the index keeps them.

use std::borrow::Cow;

use compact_str::CompactString;
use uuid::Uuid;
use uuid::fmt::Hyphenated;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Whether keys can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// They can: of an absent entity the index is all that knows its key.
    Whole,
    /// They cannot: absence is never told, so 128 bits of a long key's hash will do.
    Hashed,
}

/// A key in 24 bytes.
///
/// A text of up to 24 bytes stands in it, and so does a UUID, which is what most keys that are longer
/// are. Any other is an allocation of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    Text(CompactString),
    /// Of a UUID that is spelled as RFC 9562 has it, in small letters; any other spelling is another key.
    Uuid([u8; 16]),
}

/// A key in the form in which it is kept, before it is.
pub(super) enum Form<'k> {
    Text(&'k str),
    Hash(CompactString),
    Uuid([u8; 16]),
}

impl<'k> Form<'k> {
    pub(super) fn of(key: &'k str, keys: Keys) -> Form<'k> {
        const LONGEST_INSIDE: usize = size_of::<CompactString>();
        if key.len() <= LONGEST_INSIDE {
            return Form::Text(key);
        }
        match (uuid(key), keys) {
            (Some(uuid), _) => Form::Uuid(uuid),
            (None, Keys::Whole) => Form::Text(key),
            (None, Keys::Hashed) => {
                // 22 characters of six bits: as text, since a slot holds text.
                let hash = xxh3_128(key.as_bytes());
                let six = |place: u32| (hash >> (6 * place)) as u32 & 0x3f;
                Form::Hash((0..22).filter_map(|place| char::from_u32(0x30 + six(place))).collect())
            }
        }
    }

    pub(super) fn hash(&self) -> u64 {
        match self {
            Form::Text(text) => xxh3_64(text.as_bytes()),
            Form::Hash(text) => xxh3_64(text.as_bytes()),
            Form::Uuid(bytes) => xxh3_64(bytes),
        }
    }

    pub(super) fn is(&self, key: &Key) -> bool {
        match (self, key) {
            (Form::Text(text), Key::Text(of)) => of == text,
            (Form::Hash(text), Key::Text(of)) => of == text,
            (Form::Uuid(bytes), Key::Uuid(of)) => of == bytes,
            _ => false,
        }
    }
}

impl From<Form<'_>> for Key {
    fn from(form: Form<'_>) -> Key {
        match form {
            Form::Text(text) => Key::Text(CompactString::new(text)),
            Form::Hash(text) => Key::Text(text),
            Form::Uuid(bytes) => Key::Uuid(bytes),
        }
    }
}

impl Key {
    /// What is there for a key that is gone.
    pub(super) fn none() -> Key {
        Key::Text(CompactString::const_new(""))
    }

    /// The key, or what stands for it.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Key::Text(text) => Cow::Borrowed(text),
            Key::Uuid(bytes) => Cow::Owned(Uuid::from_bytes(*bytes).to_string()),
        }
    }

    pub(super) fn hash(&self) -> u64 {
        match self {
            Key::Text(text) => xxh3_64(text.as_bytes()),
            Key::Uuid(bytes) => xxh3_64(bytes),
        }
    }

    #[cfg(test)]
    pub(super) fn is_heap_allocated(&self) -> bool {
        matches!(self, Key::Text(text) if text.is_heap_allocated())
    }
}

/// The bytes of a UUID from which its text comes back as it was.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let mut buffer = [0; Hyphenated::LENGTH];
    if text.len() != buffer.len() {
        return None;
    }
    let uuid = Uuid::try_parse(text).ok()?;
    (*uuid.hyphenated().encode_lower(&mut buffer) == *text).then(|| uuid.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(key: &str) -> Key {
        Form::of(key, Keys::Whole).into()
    }

    const UUID: &str = "78e721bb-c691-7d58-1db5-97882ad01310";

    #[test]
    fn every_key_comes_back_as_it_was() {
        let upper = UUID.to_uppercase();
        let simple = UUID.replace('-', "");
        let braced = format!("{{{UUID}}}");
        let odd = format!("{}g", &UUID[..35]);
        let long = format!("{UUID}/{UUID}");
        let cyrillic = "окно-1".repeat(4);
        for key in ["", "7", UUID, &upper, &simple, &braced, &odd, &long, &cyrillic] {
            let kept = whole(key);
            assert_eq!(kept.text(), key);
            assert!(Form::of(key, Keys::Whole).is(&kept));
            assert_eq!(Form::of(key, Keys::Whole).hash(), kept.hash());
        }
    }

    #[test]
    fn two_spellings_of_a_uuid_are_two_keys() {
        let (lower, upper) = (whole(UUID), whole(&UUID.to_uppercase()));
        assert_ne!(lower, upper);
        assert_ne!(lower, whole(&UUID.replace('-', "")));
    }

    #[test]
    fn a_uuid_takes_no_allocation_and_no_more_room_than_a_short_text() {
        assert_eq!(size_of::<Key>(), size_of::<CompactString>());
        assert!(!whole(UUID).is_heap_allocated());
        assert!(!whole("ticket-00000000000000001").is_heap_allocated());
        assert!(whole(&UUID.to_uppercase()).is_heap_allocated());
    }
}
