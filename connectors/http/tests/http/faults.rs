use std::time::Duration;

use talon_http::{Credentials, HeaderName};
use talon_sdk::Fault;
use talon_sdk::config::Secret;

use crate::server::{Server, reply};
use crate::upstream::{SECRET, assert_discreet, client, counted, list};

#[tokio::test]
async fn retry_after_is_understood_as_seconds_and_as_a_date() {
    for (status, headers, seconds) in [
        (429, "retry-after: 17\r\n", Some(17)),
        (503, "retry-after: 86400\r\n", Some(3600)),
        // The test's clock says 08:49:37.
        (503, "retry-after: Sun, 06 Nov 1994 08:50:07 GMT\r\n", Some(30)),
        (
            503,
            "date: Sun, 06 Nov 1994 08:50:00 GMT\r\nretry-after: Sun, 06 Nov 1994 08:50:07 GMT\r\n",
            Some(7),
        ),
        (503, "retry-after: later\r\n", None),
        (500, "", None),
    ] {
        let server = Server::start(reply(status, headers, "")).await;
        let (client, metrics) = client(&server.url(), &[]);
        let fault = client.read(list()).await.unwrap_err();
        let Fault::Unavailable { retry_after, .. } = &fault else { panic!("{fault:?}") };
        assert_eq!(*retry_after, seconds.map(Duration::from_secs), "{headers}");
        assert_discreet(&fault);
        assert_eq!(counted(&metrics, &status.to_string()), 1);
    }
}

#[tokio::test]
async fn a_page_for_people_is_unavailable_in_clear_words() {
    for (headers, body) in [
        ("content-type: text/html; charset=utf-8\r\n", "[]"),
        ("content-type: application/json\r\n", "\n<!DOCTYPE html><title>Sign in</title>"),
    ] {
        let server = Server::start(reply(200, headers, body)).await;
        let (client, _) = client(&server.url(), &[]);
        let fault = client.read_json(list()).await.unwrap_err();
        assert_eq!(fault.kind(), "unavailable");
        assert!(fault.to_string().contains("a web page instead of data"), "{fault}");
        assert_discreet(&fault);
    }
}

#[tokio::test]
async fn xml_is_data_for_who_reads_xml_and_a_page_is_not() {
    let server = Server::start(reply(200, "content-type: text/xml\r\n", "<a/>")).await;
    let (client, _) = client(&server.url(), &[]);
    assert_eq!(client.read(list()).await.unwrap(), "<a/>");
    let server = Server::start(reply(200, "content-type: text/html\r\n", "<a/>")).await;
    let (client, _) = crate::upstream::client(&server.url(), &[]);
    assert_eq!(client.read(list()).await.unwrap_err().kind(), "unavailable");
}

#[tokio::test]
async fn no_content_is_an_empty_body() {
    let answer = crate::server::Answer::Keep(b"HTTP/1.1 204 No Content\r\n\r\n".into());
    let server = Server::start(answer).await;
    let (client, _) = client(&server.url(), &[]);
    assert_eq!(client.read_json(list()).await.unwrap().as_it_came(), "");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_its_origin_is_named() {
    let elsewhere = Server::start(reply(200, "", "[]")).await;
    let location = format!(
        "location: http://user:{SECRET}@localhost:{}/login?ticket={SECRET}\r\n",
        elsewhere.address.port()
    );
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start(reply(status, &location, "")).await;
        let (client, _) = client(&server.url(), &[]);
        let header = HeaderName::from_static("authorization");
        let credentials = Credentials::header(header, "", Secret::fixed(SECRET), "auth.token");
        let fault = client.read(list().credentials(&credentials)).await.unwrap_err();
        assert_eq!(fault.kind(), "misconfigured");
        let origin = format!("`http://localhost:{}`", elsewhere.address.port());
        assert!(fault.to_string().contains(&origin), "{fault}");
        assert!(!format!("{fault:?}").contains(SECRET), "{fault:?}");
        assert_eq!(server.requests().len(), 1);
    }
    assert_eq!(elsewhere.requests(), [""; 0]);
}
