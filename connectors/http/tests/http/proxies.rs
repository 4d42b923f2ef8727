//! Through a proxy: requests in the clear, over TLS, and with credentials.

use talon_http::{FailureKind, Proxy, Request, Sent};
use talon_sdk::config::{Secrets, Settings};
use tokio::net::TcpListener;

use crate::authority::{authority, server_config, write};
use crate::relay::Relay;
use crate::server::{Server, reply};
use crate::upstream::{build, client, config, context};

const CREDENTIALS: &str = "Basic bWU6cHI6b3g=";

fn call() -> Request<'static> {
    Request::get("GET /call/{id}", ["call", "7"])
}

#[tokio::test]
async fn http_goes_through_the_proxy_with_its_credentials() {
    let server = Server::start(reply(200, "", "[]")).await;
    let relay = Relay::guarded(server.address, Some(CREDENTIALS)).await;
    let url = relay.url();
    let settings = [("upstream.proxy", url.as_str()), ("upstream.proxy.user.info", "me:pr:ox")];
    let (upstream, _) = client("http://hall.internal:81/base", &settings);
    assert_eq!(upstream.read(call()).await.unwrap(), "[]");
    assert_eq!(relay.lines(), ["GET http://hall.internal:81/base/call/7 HTTP/1.1"]);

    // Without them it is told whose they are.
    let (upstream, _) = client("http://hall.internal:81", &settings[..1]);
    let fault = upstream.read(call()).await.unwrap_err();
    assert_eq!(fault.kind(), "misconfigured");
    assert!(fault.to_string().contains("`upstream.proxy.user.info`"), "{fault}");
}

#[tokio::test]
async fn https_goes_through_the_proxy_by_connect() {
    let ours = authority("ours");
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &ours.pem());
    let tls = server_config(&ours, "hall.internal", None);
    let server = Server::start_tls(reply(200, "", "[]"), tls).await;
    let relay = Relay::guarded(server.address, Some(CREDENTIALS)).await;
    let url = relay.url();
    let settings = [
        ("upstream.proxy", url.as_str()),
        ("upstream.ca.file", &ca),
        ("upstream.proxy.user.info", "me:pr:ox"),
    ];
    let (upstream, _) = client("https://hall.internal", &settings);
    assert_eq!(upstream.read(call()).await.unwrap(), "[]");
    assert_eq!(relay.lines(), ["CONNECT hall.internal:443 HTTP/1.1"]);
    let request = server.requests().concat();
    assert!(!request.to_lowercase().contains("proxy-authorization"), "for the proxy alone");

    let (upstream, _) = client("https://hall.internal", &settings[..2]);
    let failure = upstream.send(call()).await.unwrap_err();
    assert_eq!((failure.kind, failure.sent), (FailureKind::Proxy, Sent::No), "{failure}");
    assert!(failure.to_string().contains("`upstream.proxy.user.info`"), "{failure}");
    assert_eq!(failure.fault().kind(), "misconfigured");
}

#[tokio::test]
async fn a_proxy_that_does_not_let_through_is_told_as_one() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let relay = Relay::start(free).await;
    for (proxy, part) in [
        (relay.url(), "the proxy does not let through to `upstream.url`"),
        (format!("http://{free}"), "no connection to the proxy: connection refused"),
    ] {
        let (upstream, _) = client("https://hall.internal", &[("upstream.proxy", &proxy)]);
        let failure = upstream.send(call()).await.unwrap_err();
        assert_eq!((failure.kind, failure.sent), (FailureKind::Connect, Sent::No));
        assert!(failure.to_string().contains(part), "{failure}");
        assert!(failure.to_string().contains("`upstream.proxy`"), "{failure}");
    }
}

#[tokio::test]
async fn the_environments_proxy_is_used_but_for_what_no_proxy_names() {
    let server = Server::start(reply(200, "", "[]")).await;
    let relay = Relay::start(server.address).await;
    let of = |no: &str| talon_http::proxy::Environment {
        http: relay.url(),
        no: no.to_owned(),
        ..Default::default()
    };
    let mut settings = config(&[("upstream.url", "http://hall.internal/")]);
    settings.proxy = Proxy::of(of("elsewhere.internal"));
    let upstream = talon_http::Client::new(settings.clone(), &context()).unwrap();
    assert_eq!(upstream.read(call()).await.unwrap(), "[]");
    assert_eq!(relay.lines().len(), 1);

    settings.proxy = Proxy::of(of("*"));
    let upstream = talon_http::Client::new(settings.clone(), &context()).unwrap();
    upstream.read(call()).await.unwrap_err();
    assert_eq!(relay.lines().len(), 1, "asked directly, where nobody knows the name");

    // The machine itself is never behind a proxy of the environment.
    settings.url = server.url();
    settings.proxy = Proxy::of(of(""));
    let upstream = talon_http::Client::new(settings, &context()).unwrap();
    assert_eq!(upstream.read(call()).await.unwrap(), "[]");
    assert_eq!(relay.lines().len(), 1);
}

#[tokio::test]
async fn none_is_none() {
    let server = Server::start(reply(200, "", "[]")).await;
    let upstream = build(&server.url(), &[("upstream.proxy", "none")], &context()).unwrap();
    assert_eq!(upstream.read(call()).await.unwrap(), "[]");
}

#[test]
fn what_is_wrong_with_the_setting_is_told() {
    let problems = |texts: &[(&str, &str)]| {
        let keys = talon_http::proxy::keys("upstream");
        let texts = texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        let mut settings = Settings::new("", &keys, texts.collect(), &Secrets::Unresolved);
        let environment = talon_http::proxy::Environment {
            https: "socks5://me:s3cr3t@one:1".to_owned(),
            ..Default::default()
        };
        let proxy = talon_http::proxy::read_in(&mut settings, "upstream", environment);
        assert!(!format!("{proxy:?}").contains("s3cr3t"));
        settings.into_problems().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    for (texts, part) in [
        (vec![("upstream.proxy", "environment")], "`HTTPS_PROXY` there is no `http://host:port`"),
        (vec![("upstream.proxy", "http://me:s3cr3t@one:1")], "`upstream.proxy.user.info`"),
        (vec![("upstream.proxy", "socks5://one:1")], "is none of `environment`"),
        (vec![("upstream.proxy", "https://one:1")], "is none of `environment`"),
        (
            vec![("upstream.proxy", "none"), ("upstream.proxy.user.info", "me:s3cr3t")],
            "has no effect, since `upstream.proxy` is no URL",
        ),
    ] {
        let found = problems(&texts);
        assert!(found.contains(part), "{texts:?}: {found}");
        assert!(!found.contains("s3cr3t"), "{found}");
    }
    assert_eq!(problems(&[("upstream.proxy", "http://one:1")]), "");
}
