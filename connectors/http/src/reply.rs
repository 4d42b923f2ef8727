use std::time::Duration;

use bytes::Bytes;
use jiff::fmt::rfc2822;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};

/// The longest that an upstream is left alone at its own wish: one hour.
///
/// A larger `Retry-After` is more often a mistake than a wish, and somebody may have mended it.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// What an upstream answered, whole.
#[derive(Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// How long the upstream wants to be left alone, at most [`RETRY_AFTER_MAX`].
    pub retry_after: Option<Duration>,
    /// `Content-Type` as it came.
    pub content_type: Option<String>,
    /// The upstream's clock when it answered: milliseconds since 1970 UTC.
    pub date_ms: Option<i64>,
    /// Where a redirect leads: scheme, host and port.
    pub redirect_origin: Option<String>,
    /// The body, decompressed.
    pub body: Bytes,
}

impl Reply {
    /// A reply that has its body still to come. `now_ms` stands in for a missing `Date`.
    pub(crate) fn of_head(status: u16, headers: &HeaderMap, asked: &Url, now_ms: i64) -> Reply {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let date_ms = text(DATE).and_then(instant_ms);
        let redirect_origin = text(LOCATION)
            .and_then(|location| asked.join(location).ok())
            .map(|url| url.origin().ascii_serialization());
        Reply {
            status,
            retry_after: text(RETRY_AFTER)
                .and_then(|text| retry_after(text, date_ms.unwrap_or(now_ms))),
            content_type: text(CONTENT_TYPE).map(str::to_owned),
            date_ms,
            redirect_origin,
            body: Bytes::new(),
        }
    }

    /// Whether the upstream did what it was asked.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Without the body, which may be personal.
impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("retry_after", &self.retry_after)
            .field("content_type", &self.content_type)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

/// `Retry-After` in either form: seconds, or a date, which is measured against the upstream's own
/// clock where it told it. A date that has passed is zero; what is neither is nothing.
fn retry_after(text: &str, now_ms: i64) -> Option<Duration> {
    let text = text.trim();
    let wish = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that are too many for a number are past the limit all the same.
        text.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs)
    } else {
        let left = instant_ms(text)?.saturating_sub(now_ms);
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    };
    Some(wish.min(RETRY_AFTER_MAX))
}

/// An HTTP date in the form that RFC 9110 lets a server send.
fn instant_ms(text: &str) -> Option<i64> {
    let parsed = rfc2822::DateTimeParser::new().parse_timestamp(text.trim());
    parsed.ok().map(|instant| instant.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_in_both_forms_and_capped_at_an_hour() {
        let now = instant_ms("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(now, 784_111_777_000);
        for (text, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("3601", Some(3600)),
            ("99999999999999999999999", Some(3600)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
            ("Mon, 07 Nov 1994 08:49:37 GMT", Some(3600)),
            ("", None),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn a_date_is_measured_against_the_upstreams_own_clock() {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        headers.insert(RETRY_AFTER, "Sun, 06 Nov 1994 08:49:47 GMT".parse().unwrap());
        let asked = Url::parse("http://localhost/").unwrap();
        let reply = Reply::of_head(503, &headers, &asked, 0);
        assert_eq!(reply.retry_after, Some(Duration::from_secs(10)));
        assert_eq!(reply.date_ms, Some(784_111_777_000));
    }

    #[test]
    fn a_redirects_origin_has_neither_user_nor_path_nor_query() {
        let asked = Url::parse("http://localhost:81/api/call").unwrap();
        for (location, origin) in [
            ("https://u:p@sso.example.org/login?ticket=7#x", "https://sso.example.org"),
            ("/login?ticket=7", "http://localhost:81"),
            ("//other.example.org:8443/", "http://other.example.org:8443"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, location.parse().unwrap());
            let reply = Reply::of_head(302, &headers, &asked, 0);
            assert_eq!(reply.redirect_origin.as_deref(), Some(origin), "{location}");
        }
    }
}
