//! Keys as subject tokens of NATS and as keys of its buckets, both ways.

use talon_nats::{bucket_key, checkpoint_key, key, token};

/// Largest growth of a byte.
const ESCAPE: usize = 3;

/// The input once as a key, once as what stands on NATS.
pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };

    let subject = token(text);
    assert!(!subject.is_empty() && subject.len() <= 1 + ESCAPE * text.len());
    let forbidden = |byte: u8| byte <= b' ' || byte == 0x7f || b".*>".contains(&byte);
    assert!(!subject.bytes().any(forbidden), "`{subject}` is no token");
    assert_eq!(key(&subject).as_deref(), Some(text), "the key of `{subject}`");
    if let Some(key) = key(text) {
        assert_eq!(token(&key), text, "two tokens of one key");
    }

    let inside = bucket_key(text);
    assert!(inside.len() <= ESCAPE * text.len());
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/=".contains(&byte);
    assert!(inside.bytes().all(allowed), "`{inside}` is no key of a bucket");
    assert_eq!(checkpoint_key(&inside).as_deref(), Some(text), "the key of `{inside}`");
    if let Some(key) = checkpoint_key(text) {
        assert_eq!(bucket_key(&key), text, "two keys of one checkpoint");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let keys = ["42", "7/42", "", "%", "50%", "a.b c", "*", ">", "талон №7", "$SYS", "a\r\nb\t\0"];
    let spellings = ["%25", "a%2Eb%20c", "%2e", "%41", "%D0%B0", "x%", "%+1", "a=2Eb/c", "=zz"];
    keys.iter().chain(&spellings).map(|text| text.as_bytes().to_vec()).collect()
}
