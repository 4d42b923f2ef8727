use bytes::Bytes;
use talon_sdk::{Fault, Received};

use crate::Reply;

/// What a reply means for a read; `None` for a success.
///
/// `credentials` is the key under which an operator finds the secret that was shown; `None` where
/// none was.
///
/// | Status | Fault |
/// | --- | --- |
/// | 2xx | none |
/// | 3xx | misconfigured: `upstream.url` is not where the upstream is |
/// | 401, 403 | misconfigured: the credentials |
/// | 404, 405, 410 | misconfigured: `upstream.url`, or another version of the upstream |
/// | 407 | misconfigured: `upstream.proxy.user.info` |
/// | 408, 425, 429, 5xx, and what is no status | unavailable, with the upstream's `Retry-After` |
/// | other 4xx | rejected |
pub fn fault_of(endpoint: &str, reply: &Reply, credentials: Option<&str>) -> Option<Fault> {
    let status = reply.status;
    let misconfigured = |what: String| Fault::Misconfigured {
        reason: format!("`{endpoint}` was answered with {status}: {what}"),
    };
    Some(match status {
        200..=299 => return None,
        300..=399 => misconfigured(match &reply.redirect_origin {
            Some(origin) => {
                format!("a redirect to `{origin}`, which is not followed; see `upstream.url`")
            }
            None => "a redirect to nowhere; see `upstream.url`".to_owned(),
        }),
        401 | 403 => misconfigured(match credentials {
            Some(setting) => format!("the credentials are refused; see `{setting}`"),
            None => "the upstream wants credentials, and none are configured".to_owned(),
        }),
        404 | 405 | 410 => {
            misconfigured("there is no such endpoint; see `upstream.url`".to_owned())
        }
        407 => misconfigured(
            "the proxy wants credentials, or refuses those it got; see `upstream.proxy.user.info`"
                .to_owned(),
        ),
        408 | 425 | 429 => unavailable(endpoint, reply),
        400..=499 => Fault::Rejected { reason: format!("`{endpoint}` was rejected with {status}") },
        _ => unavailable(endpoint, reply),
    })
}

/// The JSON of a successful reply, without a byte order mark; empty for 204. Whether it is an answer, says
/// who reads it.
///
/// # Errors
/// [`Fault::Unavailable`] where a page for people came instead: a proxy or a login stands before the
/// upstream and answers in its place, often only while the upstream is down.
pub fn read_json_body(endpoint: &'static str, reply: Reply) -> Result<Received, Fault> {
    let body = body_of(endpoint, reply)?;
    let body = if body.starts_with(b"\xef\xbb\xbf") { body.slice(3..) } else { body };
    if body.trim_ascii_start().starts_with(b"<") {
        return Err(page(endpoint));
    }
    Ok(Received::new(endpoint, body))
}

/// The body of a successful reply that is no page for people; empty for 204.
pub(crate) fn body_of(endpoint: &str, reply: Reply) -> Result<Bytes, Fault> {
    let content_type = reply.content_type.as_deref().unwrap_or_default().trim_start();
    let is = |kind: &str| {
        content_type.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind))
    };
    match reply.status {
        204 => Ok(Bytes::new()),
        _ if is("text/html") || is("application/xhtml") => Err(page(endpoint)),
        _ => Ok(reply.body),
    }
}

/// Whether a reply is a page for people.
pub(crate) fn is_page(reply: &Reply) -> bool {
    let kind = reply.content_type.as_deref().unwrap_or_default().trim_start().to_ascii_lowercase();
    kind.starts_with("text/html")
        || kind.starts_with("application/xhtml")
        || reply.body.trim_ascii_start().starts_with(b"<")
}

fn page(endpoint: &str) -> Fault {
    Fault::unavailable(format!(
        "`{endpoint}` was answered with a web page instead of data: a login page or a proxy stands \
         before the upstream; see `upstream.url`"
    ))
}

fn unavailable(endpoint: &str, reply: &Reply) -> Fault {
    Fault::Unavailable {
        reason: format!("`{endpoint}` was answered with {}", reply.status),
        retry_after: reply.retry_after,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reply(status: u16) -> Reply {
        Reply {
            status,
            retry_after: Some(Duration::from_secs(7)),
            content_type: None,
            date_ms: None,
            redirect_origin: Some("https://sso.example.org".to_owned()),
            body: Bytes::new(),
        }
    }

    #[test]
    fn every_status_has_its_fault() {
        let table: [(&[u16], &str); 5] = [
            (&[200, 201, 204, 206, 299], "none"),
            (&[300, 301, 302, 304, 307, 308, 399], "misconfigured"),
            (&[401, 403, 404, 405, 407, 410], "misconfigured"),
            (&[408, 425, 429, 500, 501, 502, 503, 504, 520, 599, 600, 999, 100], "unavailable"),
            (&[400, 402, 406, 409, 411, 412, 413, 415, 418, 422, 451, 499], "rejected"),
        ];
        for (codes, expected) in table {
            for &code in codes {
                let fault = fault_of("GET /x", &reply(code), Some("auth.token"));
                let kind = fault.as_ref().map_or("none", Fault::kind);
                assert_eq!(kind, expected, "{code}");
                if let Some(Fault::Unavailable { retry_after, .. }) = fault {
                    assert_eq!(retry_after, Some(Duration::from_secs(7)), "{code}");
                }
            }
        }
    }

    #[test]
    fn a_fault_says_where_to_look() {
        for (code, credentials, part) in [
            (401, Some("auth.external.token"), "refused; see `auth.external.token`"),
            (403, None, "wants credentials, and none are configured"),
            (404, None, "no such endpoint; see `upstream.url`"),
            (302, None, "a redirect to `https://sso.example.org`, which is not followed"),
            (503, None, "`GET /x` was answered with 503"),
            (422, None, "`GET /x` was rejected with 422"),
        ] {
            let reason = fault_of("GET /x", &reply(code), credentials).unwrap().to_string();
            assert!(reason.contains(part), "{code}: {reason}");
            assert!(reason.contains("`GET /x`"), "{code}: {reason}");
        }
    }

    #[test]
    fn a_page_for_people_is_no_data() {
        let with = |content_type: Option<&str>, body: &'static str| Reply {
            content_type: content_type.map(str::to_owned),
            body: Bytes::from_static(body.as_bytes()),
            ..reply(200)
        };
        for (content_type, body, expected) in [
            (Some("application/json"), "[]", Some("[]")),
            (None, "\u{feff}[1]", Some("[1]")),
            (Some("text/plain"), "", Some("")),
            (Some("Text/HTML; charset=utf-8"), "[]", None),
            (Some("application/json"), " \r\n<!doctype html>", None),
            (None, "\u{feff}<html>", None),
        ] {
            let read = read_json_body("GET /x", with(content_type, body));
            match expected {
                Some(expected) => assert_eq!(read.unwrap().as_it_came(), expected),
                None => assert_eq!(read.unwrap_err().kind(), "unavailable", "{body}"),
            }
        }
        let nothing = Reply { body: Bytes::from_static(b"<html>"), ..reply(204) };
        assert_eq!(read_json_body("GET /x", nothing).unwrap().as_it_came(), "");
    }
}
