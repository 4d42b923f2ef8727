//! What an upstream's refusals mean.

use talon_sdk::{Answer, ApplyFault, Fault};

use crate::fault::is_page;
use crate::{Reply, fault_of};

/// (endpoint, status, code; words). A row without a code stands for all codes that have no own row.
pub type Meaning = (&'static str, u16, Option<i64>, &'static str);

/// What the refusals of an upstream mean, by its document.
#[derive(Clone, Copy)]
pub struct Refusals {
    /// Codes are scoped by endpoint and status.
    pub meanings: &'static [Meaning],
    /// The upstream's own code in a reply, where it has one.
    pub code: fn(&Reply) -> Option<i64>,
}

impl Refusals {
    /// Of an upstream whose document says nothing of them.
    pub const NONE: Refusals = Refusals { meanings: &[], code: |_| None };

    /// The words of the document for a refusal.
    pub fn meaning(&self, endpoint: &str, status: u16, code: Option<i64>) -> Option<&'static str> {
        let find = |code: Option<i64>| {
            let mut rows = self.meanings.iter();
            rows.find(|row| (row.0, row.1, row.2) == (endpoint, status, code)).map(|row| row.3)
        };
        find(code).or_else(|| find(None))
    }

    /// What a reply to a command means; `Ok` where the upstream did it.
    ///
    /// `setting` is the key under which an operator finds the credentials that were shown.
    ///
    /// | Status | Meaning |
    /// | --- | --- |
    /// | 2xx | done; a web page in its place says nothing: unclear |
    /// | 401, 403 | not applied, the credentials; refused where the upstream gives a code of its own |
    /// | 404 | refused; a web page instead: not applied, `upstream.url` |
    /// | 425, 429 | not applied, later |
    /// | 3xx, 405, 410 | not applied, `upstream.url` |
    /// | 408, 5xx, no status | unclear |
    /// | other 4xx | refused |
    ///
    /// # Errors
    /// Where the upstream is not known to have done it.
    pub fn judge(
        &self,
        endpoint: &'static str,
        setting: Option<&str>,
        reply: &Reply,
    ) -> Result<(), ApplyFault> {
        let (status, code) = (reply.status, (self.code)(reply));
        let answer =
            |message: String| Answer { status: Some(status), code, message, response: None };
        let not_applied = || {
            let fault = fault_of(endpoint, reply, setting);
            ApplyFault::NotApplied(fault.unwrap_or_else(|| Fault::Internal {
                reason: format!("`{endpoint}`: {status} is taken as a fault"),
            }))
        };
        let unclear = |words: String| Err(ApplyFault::Unclear(answer(words)));
        match status {
            200..=299 if !is_page(reply) => Ok(()),
            200..=299 => unclear(
                "a web page came instead of a reply: a login page or a proxy stands before the \
                 upstream; see `upstream.url`"
                    .to_owned(),
            ),
            401 | 403 if code.is_some() => {
                let words = self.meaning(endpoint, status, code);
                match words.or((status == 403).then_some("the access is denied")) {
                    Some(words) => Err(ApplyFault::Refused(answer(words.to_owned()))),
                    None => Err(not_applied()),
                }
            }
            403 => Err(ApplyFault::NotApplied(Fault::Misconfigured {
                reason: match setting {
                    Some(setting) => format!(
                        "`{endpoint}` was answered with 403: who signs in with `{setting}` may not \
                         do this, such as with a call of another user"
                    ),
                    None => format!("`{endpoint}` was answered with 403: the access is denied"),
                },
            })),
            401 => Err(not_applied()),
            404 if is_page(reply) => Err(not_applied()),
            300..=399 | 405 | 410 | 425 | 429 => Err(not_applied()),
            408 => unclear(format!("`{endpoint}` was answered with 408")),
            400..=499 => {
                let words = self.meaning(endpoint, status, code).map(str::to_owned);
                let words =
                    words.unwrap_or_else(|| format!("`{endpoint}` was rejected with {status}"));
                Err(ApplyFault::Refused(answer(words)))
            }
            _ => unclear(format!("`{endpoint}` was answered with {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// The code is the body, where that is a number.
    const REFUSALS: Refusals = Refusals {
        meanings: &[
            ("POST /x", 404, None, "no such x"),
            ("POST /x", 404, Some(2), "no such y"),
            ("POST /x", 401, Some(3), "the user is locked"),
        ],
        code: |reply| std::str::from_utf8(&reply.body).ok()?.parse().ok(),
    };

    fn reply(status: u16, kind: Option<&str>, body: &'static str) -> Reply {
        Reply {
            status,
            retry_after: None,
            content_type: kind.map(str::to_owned),
            date_ms: None,
            redirect_origin: None,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    fn kind(status: u16, page: Option<&str>, body: &'static str) -> &'static str {
        match REFUSALS.judge("POST /x", Some("auth.x"), &reply(status, page, body)) {
            Ok(()) => "applied",
            Err(ApplyFault::Refused(_)) => "refused",
            Err(ApplyFault::NotApplied(fault)) => fault.kind(),
            Err(ApplyFault::Unclear(_)) => "unclear",
        }
    }

    #[test]
    fn every_status_has_its_meaning() {
        for (statuses, expected) in [
            (&[200, 201, 204][..], "applied"),
            (&[301, 302, 307, 401, 403, 405, 410], "misconfigured"),
            (&[425, 429], "unavailable"),
            (&[408, 500, 502, 503, 504, 599, 100, 600], "unclear"),
            (&[400, 402, 404, 406, 409, 413, 415, 422, 499], "refused"),
        ] {
            for status in statuses {
                assert_eq!(kind(*status, None, ""), expected, "{status}");
            }
        }
        assert_eq!(kind(200, Some("text/html"), "x"), "unclear");
        assert_eq!(kind(404, Some("Text/HTML"), "x"), "misconfigured");
        assert_eq!(kind(401, None, "3"), "refused");
        assert_eq!(kind(401, None, "9"), "misconfigured");
        assert_eq!(kind(403, None, "0"), "refused");
    }

    #[test]
    fn a_code_without_a_row_of_its_own_means_what_its_status_means() {
        let words = |code| REFUSALS.meaning("POST /x", 404, code);
        assert_eq!((words(Some(2)), words(Some(77))), (Some("no such y"), Some("no such x")));
        assert_eq!(words(None), words(Some(77)));
        assert_eq!(REFUSALS.meaning("POST /x", 418, None), None);
    }
}
