//! Passwords as the server keeps them, and as a client sends them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// `hashedPassword` of `SignInInputDTO`: base64(SHA-256(SHA-256(UTF-8 password) ‖ salt bytes)).
pub fn hashed_password(password: &str, salt: &[u8]) -> String {
    let hash = Sha256::new().chain_update(password_hash(password)).chain_update(salt);
    STANDARD.encode(hash.finalize())
}

/// SHA-256 of the password in UTF-8, as the server keeps it.
pub(super) fn password_hash(password: &str) -> [u8; 32] {
    Sha256::digest(password.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_password_and_a_salt_is_that_of_the_test_vector() {
        let salt: Vec<u8> = (0..16).collect();
        assert_eq!(STANDARD.encode(&salt), "AAECAwQFBgcICQoLDA0ODw==");
        assert_eq!(
            hashed_password("pässword-Ж1", &salt),
            "bXQK6Nnrx1aaHK56ZhW50hksSmZ/aBRiR0Vf0ZhG2W8="
        );
    }
}
