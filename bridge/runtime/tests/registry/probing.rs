use talon_runtime::registry::Registry;

use crate::client;
use crate::server::Server;

/// What is wrong with the one address.
async fn wrong(registry: &Registry) -> String {
    let [seen] = &registry.probe().await[..] else { panic!("one address") };
    seen.result.as_ref().unwrap_err().to_string()
}

#[tokio::test]
async fn a_registry_is_known_by_its_list_of_subjects() {
    let server = Server::start().await;
    let registry = client(&server.url(), &[]);
    assert!(registry.probe().await[0].result.is_ok());
    server.has("t.a.call-value", "\"string\"");
    assert!(registry.probe().await[0].result.is_ok());
    // To list them may be forbidden.
    server.state().is_list_forbidden = true;
    assert!(registry.probe().await[0].result.is_ok());
    server.state().all = Some((401, ""));
    assert!(wrong(&registry).await.contains("`schema.registry.basic.auth.user.info`"));
}

#[tokio::test]
async fn a_wrong_path_is_not_ok_and_the_right_one_is_suggested() {
    let server = Server::start().await;
    for base in ["/apis/ccompat/v7", "/apis/ccompat/v6", ""] {
        server.state().base = base;
        for path in ["/apis/ccompat/v8", "/wrong", "/subjects"] {
            let url = format!("{}{path}", server.url());
            let text = wrong(&client(&url, &[])).await;
            let right =
                format!("one answers at `{}{base}`; set `schema.registry.url`", server.url());
            assert!(text.contains("is no schema registry"), "{base} {path}: {text}");
            assert!(text.contains(&right), "{base} {path}: {text}");
        }
    }
}

#[tokio::test]
async fn what_answers_200_and_is_no_registry_is_not_ok() {
    let server = Server::start().await;
    for page in ["<html>", "{}", r#"[{"name":"a"}]"#, "7"] {
        server.state().all = Some((200, page));
        let text = wrong(&client(&server.url(), &[])).await;
        assert!(text.contains("is no schema registry (200)"), "{page}: {text}");
    }
}

#[tokio::test]
async fn a_redirect_is_told_with_its_target() {
    let server = Server::start().await;
    for status in [301, 302, 307, 308] {
        server.state().all = Some((status, "https://elsewhere.example.org/registry?token=hunter2"));
        let text = wrong(&client(&server.url(), &[])).await;
        assert!(text.contains("a redirect to `https://elsewhere.example.org/registry`"), "{text}");
        assert!(text.contains(&status.to_string()) && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn each_address_of_a_list_is_looked_at() {
    let server = Server::start().await;
    let registry = client(&format!("{},{}/wrong", server.url(), server.url()), &[]);
    let seen = registry.probe().await;
    assert_eq!(seen.iter().map(|seen| seen.result.is_ok()).collect::<Vec<_>>(), [true, false]);
    assert!(seen[1].url.ends_with("/wrong"));
}
