use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use talon_http::{Credentials, FailureKind, HeaderName, Sent};
use talon_sdk::config::{Secret, Secrets};

use crate::server::{Server, reply};
use crate::upstream::{SECRET, assert_discreet, client, counted, list};

fn authorization(prefix: &str, secret: Secret) -> Credentials {
    Credentials::header(HeaderName::from_static("authorization"), prefix, secret, "auth.token")
}

#[tokio::test]
async fn a_prefix_is_joined_by_one_blank_unless_it_ends_in_one_or_in_a_quote() {
    let server = Server::start(reply(200, "", "[]")).await;
    let (client, _) = client(&server.url(), &[]);
    for (prefix, line) in [
        ("Bearer", "authorization: Bearer s3cr3t"),
        ("Bearer ", "authorization: Bearer s3cr3t"),
        ("", "authorization: s3cr3t"),
        ("Token token=\"", "authorization: Token token=\"s3cr3t"),
        ("Token token='", "authorization: Token token='s3cr3t"),
    ] {
        let credentials = authorization(prefix, Secret::fixed(SECRET));
        client.read(list().credentials(&credentials)).await.unwrap();
        let request = server.requests().pop().unwrap();
        assert!(request.lines().any(|sent| sent == line), "{line} in {request}");
    }
    client.read(list().credentials(None)).await.unwrap();
    assert!(!server.requests().pop().unwrap().contains("authorization"));
}

#[tokio::test]
async fn a_rotated_file_is_sent_with_the_next_request() {
    let server = Server::start(reply(200, "", "[]")).await;
    let (client, _) = client(&server.url(), &[]);
    let file = tempfile::NamedTempFile::new().unwrap();
    let secret = Secrets::Resolve(Arc::new(BTreeMap::new()))
        .secret(&format!("${{file:{}}}", file.path().display()));
    let header = HeaderName::from_static("x-token");
    let credentials = Credentials::header(header, "", secret, "auth.token");
    for (age, token) in ["one", "two"].into_iter().enumerate() {
        std::fs::write(file.path(), format!("{token}\n")).unwrap();
        let modified = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(age as u64 + 1);
        file.as_file().set_modified(modified).unwrap();
        client.read(list().credentials(&credentials)).await.unwrap();
        let request = server.requests().pop().unwrap();
        assert!(request.contains(&format!("x-token: {token}\r\n")), "{request}");
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_sent_is_named_by_its_setting_and_not_sent() {
    let server = Server::start(reply(200, "", "[]")).await;
    let (client, metrics) = client(&server.url(), &[]);
    for secret in ["", "s3cr3t\r\nx-admin: 1"] {
        let credentials = authorization("Bearer", Secret::fixed(secret));
        let failure = client.send(list().credentials(&credentials)).await.unwrap_err();
        assert_eq!((failure.kind, failure.sent), (FailureKind::Credentials, Sent::No));
        assert!(failure.reason.contains("`auth.token`"), "{failure}");
        assert_eq!(failure.fault().kind(), "misconfigured");
        assert_discreet(&failure);
    }
    assert_eq!(server.requests(), [""; 0]);
    assert_eq!(counted(&metrics, "credentials"), 0);
}

#[tokio::test]
async fn refused_credentials_are_named_by_their_setting_and_not_shown() {
    for status in [401, 403] {
        let server = Server::start(reply(status, "", SECRET)).await;
        let (client, metrics) = client(&server.url(), &[]);
        let credentials = authorization("Bearer", Secret::fixed(SECRET));
        let request = list().credentials(&credentials);
        assert!(!format!("{request:?} {credentials:?}").contains("Bearer s3cr3t"));
        let fault = client.read(request).await.unwrap_err();
        assert_eq!(fault.kind(), "misconfigured");
        assert!(fault.to_string().contains("see `auth.token`"), "{fault}");
        assert_discreet(&fault);
        assert_eq!(counted(&metrics, &status.to_string()), 1);
    }
}
