//! Who may change connectors.
//!
//! Without authentication, whoever is on this machine, and no page that a browser shows.
//!
//! What a browser on this machine could be made to do:
//!
//! * A page of another site sends a request: it says so in `Sec-Fetch-Site` or `Origin`; older browsers can send
//!   without asking only bodies that are no JSON.
//! * A page of a site whose name was made to lead to this machine: its `Host` is a name, and only addresses and
//!   `localhost` are taken.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, Method, StatusCode, header};

use super::errors::Error;

/// Refuses whoever may not change anything over REST.
///
/// # Errors
/// With the remedy.
pub(super) fn may_write(
    method: &Method,
    peer: SocketAddr,
    headers: &HeaderMap,
) -> Result<(), Error> {
    may_operate(peer, headers)?;
    let has_body = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
        || headers.contains_key(header::TRANSFER_ENCODING);
    let media = text(headers, "content-type");
    let media = media.map(|media| media.split(';').next().unwrap_or("").trim());
    let is_json = media.is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let needs_json = *method == Method::POST || *method == Method::PATCH || *method == Method::PUT;
    if needs_json && has_body && !is_json {
        return Err(Error::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "HTTP 415 Unsupported Media Type: send `Content-Type: application/json`",
        ));
    }
    Ok(())
}

/// Refuses whoever may not send a form of the console. A form can be sent by any page without asking, so the browser
/// must say that it is one of this origin.
///
/// # Errors
/// With the remedy.
pub(in crate::server) fn may_send_form(peer: SocketAddr, headers: &HeaderMap) -> Result<(), Error> {
    may_operate(peer, headers)?;
    let is_own = text(headers, "sec-fetch-site") == Some("same-origin");
    if is_own || text(headers, "origin").is_some() {
        return Ok(());
    }
    refuse("the browser does not say from which page this form is; other clients have REST")
}

/// Refuses whoever may not operate: change connectors, and see personal data.
///
/// # Errors
/// With the remedy.
pub(in crate::server) fn may_operate(peer: SocketAddr, headers: &HeaderMap) -> Result<(), Error> {
    if !is_local(peer.ip()) {
        return refuse(
            "connectors are changed from the machine of the process alone: send the request there, to its loopback address (in Kubernetes: `kubectl exec`, or `kubectl port-forward`)",
        );
    }
    if ["forwarded", "x-forwarded-for", "x-real-ip"].iter().any(|name| headers.contains_key(*name))
    {
        return refuse(
            "the request came through a proxy, so it may be anybody's: connectors are changed from the machine of the process alone",
        );
    }
    let site = text(headers, "sec-fetch-site");
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return refuse("a page of another site may not change connectors");
    }
    let host = text(headers, "host").unwrap_or_default();
    if let Some(origin) = text(headers, "origin")
        && origin.split_once("://").is_none_or(|(_, of)| of != host)
    {
        return refuse("a page of another site may not change connectors");
    }
    if !is_address(host) {
        return refuse(
            "the host of the request is a name, and a browser can be made to call any: call `localhost`, or an address",
        );
    }
    Ok(())
}

fn refuse(why: &str) -> Result<(), Error> {
    Err(Error::new(StatusCode::FORBIDDEN, why))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// Not all of 127.0.0.0/8: a service mesh passes on from other addresses of it what comes from elsewhere.
fn is_local(peer: IpAddr) -> bool {
    let peer = peer.to_canonical();
    peer == IpAddr::V4(Ipv4Addr::LOCALHOST) || peer == IpAddr::V6(Ipv6Addr::LOCALHOST)
}

/// Whether a host is `localhost` or an address, with or without a port.
fn is_address(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(method: Method, peer: &str, headers: &[(&str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        map.insert("host", "localhost:8083".parse().unwrap());
        for (name, value) in headers {
            let name: header::HeaderName = name.parse().unwrap();
            map.insert(name, value.parse().unwrap());
        }
        match may_write(&method, peer.parse().unwrap(), &map) {
            Ok(()) => 200,
            Err(error) => {
                use axum::response::IntoResponse;
                error.into_response().status().as_u16()
            }
        }
    }

    #[test]
    fn only_this_machine_changes_connectors() {
        for (peer, code) in [
            ("127.0.0.1:5", 200),
            ("127.0.0.6:5", 403),
            ("[::1]:5", 200),
            ("[::ffff:127.0.0.1]:5", 200),
            ("10.0.0.1:5", 403),
            ("[fe80::1]:5", 403),
            ("[::ffff:10.0.0.1]:5", 403),
        ] {
            assert_eq!(answer(Method::DELETE, peer, &[]), code, "{peer}");
        }
    }

    #[test]
    fn a_page_in_a_browser_on_this_machine_changes_nothing() {
        let local = "127.0.0.1:5";
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
            (vec![json, body, ("host", "evil.example:8083")], 403),
            (vec![json, body, ("host", "[::1]:8083")], 200),
            (vec![body, ("content-type", "text/plain")], 415),
            (vec![body], 415),
            (vec![("transfer-encoding", "chunked"), ("content-type", "text/plain")], 415),
            (vec![], 200),
            (vec![("x-forwarded-for", "10.0.0.1")], 403),
        ] {
            assert_eq!(answer(Method::POST, local, &headers), code, "{headers:?}");
        }
    }

    #[test]
    fn a_form_is_taken_from_a_page_of_the_console_alone() {
        for (peer, headers, code) in [
            ("127.0.0.1:5", vec![("origin", "http://localhost:8083")], 200),
            ("127.0.0.1:5", vec![("sec-fetch-site", "same-origin")], 200),
            ("127.0.0.1:5", vec![], 403),
            ("127.0.0.1:5", vec![("sec-fetch-site", "none")], 403),
            ("127.0.0.1:5", vec![("sec-fetch-site", "cross-site")], 403),
            ("127.0.0.1:5", vec![("origin", "null")], 403),
            ("127.0.0.1:5", vec![("origin", "https://evil.example")], 403),
            ("10.0.0.1:5", vec![("origin", "http://localhost:8083")], 403),
        ] {
            let mut map = HeaderMap::new();
            map.insert("host", "localhost:8083".parse().unwrap());
            for (name, value) in &headers {
                let name: header::HeaderName = name.parse().unwrap();
                map.insert(name, value.parse().unwrap());
            }
            let found = may_send_form(peer.parse().unwrap(), &map).err();
            let found = found.map_or(200, |error| error.code().as_u16());
            assert_eq!(found, code, "{peer} {headers:?}");
        }
    }
}
