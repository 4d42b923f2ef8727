//! What a page in a browser could be made to send with what the browser knows: a password, a certificate, or that it
//! is on this machine.
//!
//! A page of another site says so in `Sec-Fetch-Site` or `Origin`; older browsers can send without asking only
//! bodies that are no JSON.

use axum::http::{HeaderMap, Method, StatusCode, header};

use super::super::rest::errors::Error;
use super::caller::Caller;

/// Refuses a change by whoever may make none, and by pages of other sites.
///
/// # Errors
/// With the remedy.
pub(in crate::server) fn may_change(caller: &Caller, headers: &HeaderMap) -> Result<(), Error> {
    caller.may_operate().map_err(|why| Error::new(StatusCode::FORBIDDEN, why))?;
    is_of_this_site(headers)
}

/// Refuses whoever may not send a form of the console. A form can be sent by any page without asking, so the browser
/// must say that it is one of this origin.
///
/// # Errors
/// With the remedy.
pub(in crate::server) fn may_send_form(caller: &Caller, headers: &HeaderMap) -> Result<(), Error> {
    may_change(caller, headers)?;
    let is_own = headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    match is_own || headers.contains_key("origin") {
        true => Ok(()),
        false => Err(Error::new(
            StatusCode::FORBIDDEN,
            "the browser does not say from which page this form is; other clients have REST",
        )),
    }
}

/// Refuses what a page of another site sends.
///
/// # Errors
/// It is one.
pub(in crate::server) fn is_of_this_site(headers: &HeaderMap) -> Result<(), Error> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_other = match (text("sec-fetch-site"), text("origin")) {
        // A browser that says so knows it; a proxy may have changed the host.
        (Some(site), _) => site != "same-origin" && site != "none",
        (None, Some(origin)) => {
            let host = text("host").unwrap_or_default();
            origin.split_once("://").is_none_or(|(_, of)| of != host)
        }
        (None, None) => false,
    };
    match is_other {
        true => Err(Error::new(
            StatusCode::FORBIDDEN,
            "a page of another site may not change connectors",
        )),
        false => Ok(()),
    }
}

/// Refuses a body that is no JSON.
///
/// # Errors
/// With the remedy.
pub(in crate::server) fn is_json(method: &Method, headers: &HeaderMap) -> Result<(), Error> {
    let has_body = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
        || headers.contains_key(header::TRANSFER_ENCODING);
    let media = headers.get("content-type").map(|media| media.to_str().unwrap_or("?"));
    let media = media.map(|media| media.split(';').next().unwrap_or("").trim());
    let is_json = media.is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let needs_json = [Method::POST, Method::PATCH, Method::PUT].contains(method);
    if needs_json && has_body && !is_json {
        return Err(Error::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "HTTP 415 Unsupported Media Type: send `Content-Type: application/json`",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn a_page_in_a_browser_changes_nothing_whoever_uses_it() {
        let json = ("content-type", "application/json; charset=utf-8");
        let body = ("content-length", "2");
        for (headers, code) in [
            (vec![json, body], 200),
            (vec![json, body, ("sec-fetch-site", "same-origin")], 200),
            (vec![json, body, ("origin", "http://localhost:8083")], 200),
            (vec![json, body, ("sec-fetch-site", "cross-site")], 403),
            (vec![json, body, ("sec-fetch-site", "same-site")], 403),
            (vec![json, body, ("origin", "https://evil.example")], 403),
            (vec![json, body, ("origin", "null")], 403),
            (vec![body, ("content-type", "text/plain")], 415),
            (vec![body], 415),
            (vec![("transfer-encoding", "chunked"), ("content-type", "text/plain")], 415),
            (vec![], 200),
        ] {
            let mut map = HeaderMap::new();
            map.insert("host", "localhost:8083".parse().unwrap());
            for (name, value) in &headers {
                map.insert(*name, value.parse().unwrap());
            }
            let caller =
                Caller::named("anna".to_owned(), "10.0.0.1:1".parse().unwrap(), &map, Ok(()));
            let answer = may_change(&caller, &map).and_then(|()| is_json(&Method::POST, &map));
            let answered =
                answer.err().map_or(200, |error| error.into_response().status().as_u16());
            assert_eq!(answered, code, "{headers:?}");
        }
    }

    #[test]
    fn a_form_is_taken_from_a_page_of_the_console_alone() {
        for (headers, code) in [
            (vec![("origin", "http://localhost:8083")], 200),
            (vec![("sec-fetch-site", "same-origin")], 200),
            (vec![], 403),
            (vec![("sec-fetch-site", "none")], 403),
            (vec![("sec-fetch-site", "cross-site")], 403),
            (vec![("origin", "null")], 403),
            (vec![("origin", "https://evil.example")], 403),
        ] {
            let mut map = HeaderMap::new();
            map.insert("host", "localhost:8083".parse().unwrap());
            for (name, value) in &headers {
                map.insert(*name, value.parse().unwrap());
            }
            let from = "127.0.0.1:5".parse().unwrap();
            let caller = |may| Caller::unnamed(from, &HeaderMap::new(), may);
            let answered = |may| {
                let refused = may_send_form(&caller(may), &map).err();
                refused.map_or(200, |error| error.into_response().status().as_u16())
            };
            assert_eq!(answered(Ok(())), code, "{headers:?}");
            assert_eq!(answered(Err("may read alone")), 403, "{headers:?}");
        }
    }
}
