//! What the registry's answers mean.

use bytes::Bytes;
use serde::Deserialize;

use crate::bus::BusFault;

/// Longest text of the registry that is quoted, in characters.
const QUOTED: usize = 300;

/// An answer, whatever it says.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Where a redirect leads.
    pub(super) to: Option<String>,
    pub(super) body: Bytes,
}

/// How registries say that something went wrong.
#[derive(Deserialize, Default)]
struct Said {
    #[serde(default)]
    error_code: u32,
    #[serde(default)]
    message: String,
}

impl Answer {
    /// Refused now, and perhaps not in a moment: Apicurio answers 500 where two are at work.
    pub(super) fn is_for_the_moment(&self) -> bool {
        self.status >= 500 || self.status == 429
    }

    /// Nobody is there behind the proxy, so another address may answer.
    pub(super) fn is_away(&self) -> bool {
        matches!(self.status, 502..=504)
    }

    /// The schema is refused, or another one was registered at the same time.
    pub(super) fn is_conflict(&self) -> bool {
        self.status == 409
    }

    /// This client may look up and not register.
    pub(super) fn is_read_only(&self) -> bool {
        matches!(self.status, 401 | 403 | 405) || self.said().error_code == 42205
    }

    /// The subject has never had a schema.
    pub(super) fn is_unknown_subject(&self) -> bool {
        self.status == 404 && self.said().error_code == 40401
    }

    /// Something that only a registry says of what it does not have.
    fn is_nothing(&self) -> bool {
        self.status == 404 && (40401..=40499).contains(&self.said().error_code)
    }

    /// What it found; `None` where it has none.
    pub(super) fn found<T: for<'de> Deserialize<'de>>(&self) -> Result<Option<T>, BusFault> {
        match self.status {
            200..=299 => serde_json::from_slice(&self.body).map(Some).map_err(|_| {
                BusFault::Misconfigured(
                    "what answers at `schema.registry.url` is no schema registry".to_owned(),
                )
            }),
            _ if self.is_nothing() => Ok(None),
            _ => Err(self.fault()),
        }
    }

    /// What the registry says in words, shortened.
    pub(super) fn words(&self) -> String {
        self.said().message.chars().take(QUOTED).collect()
    }

    /// What an answer that is no success means.
    pub(super) fn fault(&self) -> BusFault {
        let status = self.status;
        let text = match status {
            300..=399 => match self.to.as_deref().map(plain) {
                Some(to) => format!(
                    "the schema registry answers {status}, a redirect to `{to}`, which is not followed; set `schema.registry.url` to where it leads"
                ),
                None => format!(
                    "the schema registry answers {status}, a redirect to nowhere; check `schema.registry.url`"
                ),
            },
            401 | 403 => format!(
                "the schema registry refuses access ({status}); check `schema.registry.basic.auth.user.info`"
            ),
            404 | 405 => format!(
                "what answers at `schema.registry.url` does not know a registry's paths ({status}); check its path (Apicurio: `/apis/ccompat/v7`), `talon check --probe` suggests one"
            ),
            407 => "the proxy before the schema registry wants credentials, or refuses those it got; see `schema.registry.proxy.user.info`".to_owned(),
            408 | 425 | 429 => return self.for_the_moment(),
            400..=499 => {
                format!("the schema registry refuses the request ({status}): {}", self.words())
            }
            _ => return self.for_the_moment(),
        };
        BusFault::Misconfigured(text)
    }

    fn for_the_moment(&self) -> BusFault {
        BusFault::Unavailable(format!("the schema registry answers {}", self.status))
    }

    fn said(&self) -> Said {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A target without what may be a secret.
fn plain(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, to: None, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    #[test]
    fn every_status_is_told_as_what_it_is() {
        for (status, body, part) in [
            (301, "", "a redirect to nowhere"),
            (401, "", "`schema.registry.basic.auth.user.info`"),
            (403, "", "`schema.registry.basic.auth.user.info`"),
            (404, "<html>", "check its path"),
            (404, r#"{"error_code":404,"message":"RESTEASY003210"}"#, "check its path"),
            (404, r#"{"error_code":0}"#, "check its path"),
            (409, r#"{"error_code":409,"message":"it exists"}"#, "(409): it exists"),
            (422, r#"{"error_code":42201,"message":"no Avro"}"#, "(422): no Avro"),
            (429, "", "answers 429"),
            (500, "", "answers 500"),
            (503, "", "answers 503"),
        ] {
            let fault = answer(status, body).found::<u32>().unwrap_err();
            assert!(fault.to_string().contains(part), "{status}: {fault}");
            let passes = status == 429 || status >= 500;
            assert_eq!(matches!(fault, BusFault::Unavailable(_)), passes, "{status}");
            assert_eq!(answer(status, body).is_for_the_moment(), passes, "{status}");
        }
        let redirect = Answer {
            to: Some("https://one/v7/subjects?token=hunter2".to_owned()),
            ..answer(308, "")
        };
        let text = redirect.fault().to_string();
        assert!(text.contains("`https://one/v7/subjects`") && !text.contains("hunter2"), "{text}");
        assert!(answer(200, "<html>").found::<u32>().is_err());
        assert_eq!(answer(200, "7").found::<u32>().ok(), Some(Some(7)));
    }

    #[test]
    fn what_a_registry_does_not_have_is_no_wrong_path() {
        for code in [40401, 40402, 40403] {
            let body = format!(r#"{{"error_code":{code},"message":"none"}}"#);
            assert_eq!(answer(404, &body).found::<u32>().ok(), Some(None), "{code}");
            assert_eq!(answer(404, &body).is_unknown_subject(), code == 40401);
        }
    }

    #[test]
    fn who_may_not_register_is_known_by_status_or_code() {
        for (status, body, is_read_only) in [
            (403, "", true),
            (422, r#"{"error_code":42205,"message":"mode"}"#, true),
            (422, r#"{"error_code":42201}"#, false),
            (409, "", false),
            (200, "", false),
        ] {
            assert_eq!(answer(status, body).is_read_only(), is_read_only, "{status} {body}");
        }
    }
}
