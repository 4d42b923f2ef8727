//! What a request brings to say who sends it.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// A longer password is none.
const LONGEST: usize = 1024;

/// The header `Authorization`, read.
#[derive(PartialEq, Eq)]
pub(super) enum Credentials {
    Basic { name: String, password: String },
    Bearer(String),
}

impl Credentials {
    /// None where there are none, or they cannot be read.
    pub(super) fn of(headers: &HeaderMap) -> Option<Credentials> {
        let mut all = headers.get_all(header::AUTHORIZATION).iter();
        let text = all.next()?.to_str().ok()?;
        // Of two it would not be clear which counts.
        if all.next().is_some() || text.len() > 2 * LONGEST {
            return None;
        }
        let (scheme, rest) = text.trim().split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Credentials::Bearer(rest.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(BASE64_STANDARD.decode(rest).ok()?).ok()?;
        let (name, password) = decoded.split_once(':')?;
        Some(Credentials::Basic { name: name.to_owned(), password: password.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_says_nothing() {
        let of = |texts: &[&str]| {
            let mut headers = HeaderMap::new();
            for text in texts {
                headers.append(header::AUTHORIZATION, text.parse().unwrap());
            }
            Credentials::of(&headers)
        };
        let anna = Credentials::Basic { name: "anna".to_owned(), password: "a:b".to_owned() };
        assert!(of(&["Basic YW5uYTphOmI="]) == Some(anna));
        assert!(of(&["bearer  t"]) == Some(Credentials::Bearer("t".to_owned())));
        let long = format!("Bearer {}", "x".repeat(3000));
        for odd in ["", "Basic", "Basic %", "Basic YW5uYQ==", "Digest x", "Basic /w==", &long] {
            assert!(of(&[odd]).is_none(), "{odd}");
        }
        assert!(of(&[]).is_none() && of(&["Bearer a", "Bearer b"]).is_none());
    }
}
