//! Who we are to the server. Secrets and files are read at every connect, so that a rotated one needs no
//! restart.

use std::path::PathBuf;

use async_nats::{Auth, AuthError};
use nkeys::KeyPair;
use talon_sdk::config::Secret;

/// A way to log in.
#[derive(Debug, Clone)]
pub(crate) enum Login {
    Nobody,
    User(Secret, Secret),
    Token(Secret),
    NKey(Secret),
    /// A `.creds` file.
    Credentials(PathBuf),
}

impl Login {
    /// What is said to the server, which has sent `nonce` to be signed.
    pub(crate) async fn answer(&self, nonce: &[u8]) -> Result<Auth, AuthError> {
        let mut auth = Auth::new();
        match self {
            Login::Nobody => {}
            Login::User(user, password) => {
                auth.username = Some(user.expose());
                auth.password = Some(password.expose());
            }
            Login::Token(token) => auth.token = Some(token.expose()),
            Login::NKey(seed) => {
                let pair = pair(seed.expose().trim())?;
                auth.nkey = Some(pair.public_key());
                auth.signature = Some(sign(&pair, nonce)?);
            }
            Login::Credentials(path) => {
                let text = tokio::fs::read_to_string(path).await;
                let text = text.map_err(|error| {
                    AuthError::new(talon_sdk::unreadable(path.as_ref(), error.kind()))
                })?;
                let mut blocks = blocks(&text);
                let jwt = blocks.next().ok_or_else(|| AuthError::new("the file has no JWT"))?;
                let seed = blocks.next().ok_or_else(|| AuthError::new("the file has no seed"))?;
                auth.jwt = Some(jwt.to_owned());
                auth.signature = Some(sign(&pair(seed)?, nonce)?);
            }
        }
        Ok(auth)
    }
}

fn pair(seed: &str) -> Result<KeyPair, AuthError> {
    KeyPair::from_seed(seed).map_err(|_| AuthError::new("this is no seed of an NKey"))
}

fn sign(pair: &KeyPair, nonce: &[u8]) -> Result<Vec<u8>, AuthError> {
    pair.sign(nonce).map_err(|_| AuthError::new("the seed cannot sign"))
}

/// The texts between the `---` lines of a `.creds` file: the JWT, then the seed.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().map(str::trim).filter(move |line| {
        if line.starts_with("---") {
            inside = line.contains("BEGIN");
            return false;
        }
        inside && !line.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credentials_file_is_read_by_its_blocks() {
        let text = "-----BEGIN NATS USER JWT-----\njwt.a-b_c\n------END NATS USER JWT------\n\n\
                    *** IMPORTANT ***\nkeep it\n\n-----BEGIN USER NKEY SEED-----\r\nSUSEED\r\n\
                    ------END USER NKEY SEED------\n";
        assert_eq!(blocks(text).collect::<Vec<_>>(), ["jwt.a-b_c", "SUSEED"]);
    }
}
