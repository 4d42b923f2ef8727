//! The registry behind a proxy.

use talon_http::proxy::Environment;
use talon_runtime::registry::Registry;

use crate::authority::{authority, server_config, write};
use crate::relay::Relay;
use crate::server::Server;
use crate::{client, documented, options};

const CREDENTIALS: &str = "Basic bWU6cHI6b3g=";

#[tokio::test]
async fn the_registry_goes_through_the_proxy_of_its_setting() {
    let server = Server::start().await;
    let relay = Relay::guarded(server.address, Some(CREDENTIALS)).await;
    let url = relay.url();
    let settings = [("proxy", url.as_str()), ("proxy.user.info", "me:pr:ox")];
    let registry = client("http://registry.internal:8081", &settings);
    registry.register("t.a.call-value", &documented("")).await.unwrap();
    assert!(relay.lines()[0].starts_with("POST http://registry.internal:8081/subjects/"));

    let registry = client("http://registry.internal:8081", &settings[..1]);
    let fault = registry.register("t.a.call-value", &documented("")).await.unwrap_err();
    assert!(fault.to_string().contains("`schema.registry.proxy.user.info`"), "{fault}");
}

#[tokio::test]
async fn the_registry_over_https_goes_through_the_proxy_by_connect() {
    let ours = authority("ours");
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &ours.pem());
    let server = Server::start_tls(server_config(&ours, "registry.internal", None)).await;
    let relay = Relay::guarded(server.address, Some(CREDENTIALS)).await;
    let url = relay.url();
    let settings = [
        ("proxy", url.as_str()),
        ("ssl.ca.location", ca.as_str()),
        ("proxy.user.info", "me:pr:ox"),
    ];
    let registry = client("https://registry.internal", &settings);
    registry.register("t.a.call-value", &documented("")).await.unwrap();
    assert_eq!(relay.lines()[0], "CONNECT registry.internal:443 HTTP/1.1");

    let registry = client("https://registry.internal", &settings[..2]);
    let fault = registry.register("t.a.call-value", &documented("")).await.unwrap_err();
    assert!(fault.to_string().contains("`schema.registry.proxy.user.info`"), "{fault}");
}

#[tokio::test]
async fn the_registry_has_the_rule_of_upstreams_for_the_environment() {
    let server = Server::start().await;
    let relay = Relay::start(server.address).await;
    let mut options = options("http://registry.internal:8081", &[]);
    let environment = |no: &str| {
        let environment =
            Environment { http: relay.url(), no: no.to_owned(), ..Environment::default() };
        talon_http::Proxy::of(environment)
    };
    options.proxy = environment("elsewhere.internal");
    let registry = Registry::new(options.clone()).unwrap();
    registry.register("t.a.call-value", &documented("")).await.unwrap();
    let asked = relay.lines().len();
    assert!(asked > 0);
    options.proxy = environment(".internal");
    let registry = Registry::new(options).unwrap();
    registry.register("t.a.call-value", &documented("")).await.unwrap_err();
    assert_eq!(relay.lines().len(), asked);
}
