//! Over a connection, as a client sees it.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use talon_sdk::config::{Secrets, Settings};
use tempfile::TempDir;

use super::*;
use crate::server::connections::PATIENCE;
use crate::server::tests::Server;

const TOKEN: &str = "0123456789abcdef-token";
const READER: &str = "fedcba9876543210-token";

/// Two users and two tokens, one of each an operator.
struct Files(TempDir);

impl Files {
    fn new() -> Files {
        let files = Files(tempfile::tempdir().unwrap());
        files.users(&[("anna", "anna's"), ("boris", "boris's")]);
        files.write("token", TOKEN);
        files.write("reader", READER);
        files
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn users(&self, users: &[(&str, &str)]) {
        let line = |(name, password): &(&str, &str)| {
            format!("{name}:{}\n", bcrypt::hash(password, 4).unwrap())
        };
        self.write("users", &users.iter().map(line).collect::<String>());
    }

    fn options(&self, more: &[(&str, &str)]) -> Result<Options, Vec<String>> {
        let at = self.0.path().display();
        let mut texts = BTreeMap::from([
            ("http.auth.users".to_owned(), format!("${{file:{at}/users}}")),
            ("http.auth.token.deploy".to_owned(), format!("${{file:{at}/token}}")),
            ("http.auth.token.watch".to_owned(), format!("${{file:{at}/reader}}")),
            ("http.auth.operators".to_owned(), "anna, deploy".to_owned()),
        ]);
        texts.extend(more.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())));
        read(texts, &Secrets::of_process())
    }
}

fn read(texts: BTreeMap<String, String>, secrets: &Secrets) -> Result<Options, Vec<String>> {
    let keys = options::keys();
    let mut settings = Settings::new("", &keys, texts, secrets);
    let options = Options::read(&mut settings, matches!(secrets, Secrets::Resolve(_)));
    let problems: Vec<String> = settings.into_problems().iter().map(ToString::to_string).collect();
    if problems.is_empty() { Ok(options) } else { Err(problems) }
}

async fn server(files: &Files, more: &[(&str, &str)]) -> Server {
    Server::asking(PATIENCE, Access::new(files.options(more).unwrap())).await
}

fn basic(name: &str, password: &str) -> String {
    format!("authorization: Basic {}\r\n", BASE64_STANDARD.encode(format!("{name}:{password}")))
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

/// The code, the head and the body of a reply.
async fn ask(server: &Server, method: &str, path: &str, headers: &str) -> (u16, String, String) {
    let (head, body) = server.send(method, path, headers, "").await;
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head, body)
}

async fn code(server: &Server, method: &str, path: &str, headers: &str) -> u16 {
    ask(server, method, path, headers).await.0
}

#[tokio::test]
async fn whoever_calls_says_who_they_are_but_for_probes_and_scrapes() {
    let files = Files::new();
    let server = server(&files, &[]).await;
    let wrong = bearer("0123456789abcdef-tokem");
    for headers in ["", "authorization: Basic ?\r\n", &basic("anna", "boris's"), &wrong] {
        for path in ["/", "/connectors", "/connector-plugins", "/nothing"] {
            let (code, head, body) = ask(&server, "GET", path, headers).await;
            assert_eq!(code, 401, "{path} {headers}");
            assert!(head.contains("www-authenticate: Basic realm") && head.contains("Bearer"));
            assert!(head.contains("x-frame-options") && body.contains("\"error_code\":401"));
        }
        for path in ["/health", "/health/live", "/health/ready", "/metrics"] {
            assert_ne!(code(&server, "GET", path, headers).await, 401, "{path}");
        }
    }
    let closed = [("http.auth.metrics", "true"), ("http.auth.health", "true")];
    let server = self::server(&files, &closed).await;
    for path in ["/health", "/health/live", "/health/ready", "/metrics"] {
        assert_eq!(code(&server, "GET", path, "").await, 401, "{path}");
        assert_ne!(code(&server, "GET", path, &bearer(READER)).await, 401, "{path}");
    }
}

#[tokio::test]
async fn operators_change_connectors_and_the_others_read() {
    let files = Files::new();
    let server = server(&files, &[]).await;
    for (headers, change) in [
        (basic("anna", "anna's"), 404),
        (bearer(TOKEN), 404),
        (basic("boris", "boris's"), 403),
        (bearer(READER), 403),
    ] {
        assert_eq!(code(&server, "GET", "/connector-plugins", &headers).await, 200);
        let until = async || code(&server, "GET", "/connectors", &headers).await == 200;
        while !until().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let answered = code(&server, "DELETE", "/connectors/none", &headers).await;
        assert_eq!(answered, change, "{headers}");
        // A page of another site makes the browser send the password.
        let of_page = format!("{headers}sec-fetch-site: cross-site\r\n");
        assert_eq!(code(&server, "DELETE", "/connectors/none", &of_page).await, 403);
        // To validate changes nothing.
        let validate = "/connector-plugins/contractor/config/validate";
        let json = format!("{headers}content-type: application/json\r\n");
        let body = r#"{"connector.class":"contractor"}"#;
        let (head, _) = server.send("PUT", validate, &json, body).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    }
}

#[tokio::test]
async fn files_are_read_again_when_they_change() {
    let files = Files::new();
    let server = server(&files, &[]).await;
    let path = "/connector-plugins";
    assert_eq!(code(&server, "GET", path, &basic("anna", "anna's")).await, 200);
    files.users(&[("anna", "new"), ("carl", "carl's")]);
    assert_eq!(code(&server, "GET", path, &basic("anna", "anna's")).await, 401);
    assert_eq!(code(&server, "GET", path, &basic("anna", "new")).await, 200);
    assert_eq!(code(&server, "GET", path, &basic("boris", "boris's")).await, 401);
    assert_eq!(code(&server, "GET", path, &basic("carl", "carl's")).await, 200);
    files.write("token", "another-token-of-enough");
    assert_eq!(code(&server, "GET", path, &bearer(TOKEN)).await, 401);
    assert_eq!(code(&server, "GET", path, &bearer("another-token-of-enough")).await, 200);
    // One that has become too short is none.
    files.write("token", "");
    assert_eq!(code(&server, "GET", path, &bearer("")).await, 401);
    // Gone for a moment, what was read last counts.
    fs::remove_file(files.0.path().join("users")).unwrap();
    assert_eq!(code(&server, "GET", path, &basic("anna", "new")).await, 200);
}

#[tokio::test]
async fn who_guesses_is_slowed_and_whoever_is_known_is_not() {
    let files = Files::new();
    let server = server(&files, &[]).await;
    let path = "/connector-plugins";
    assert_eq!(code(&server, "GET", path, &basic("boris", "boris's")).await, 200);
    let mut codes = Vec::new();
    for number in 0..8 {
        let guess = basic("anna", &format!("guess {number}"));
        let (code, head, _) = ask(&server, "GET", path, &guess).await;
        assert_eq!(code == 429, head.contains("retry-after: "), "{head}");
        codes.push(code);
        codes.push(self::code(&server, "GET", path, &bearer(&format!("guess {number}"))).await);
    }
    assert!(codes.starts_with(&[401; 10]) && codes.contains(&429), "{codes:?}");
    // Another user, one who was verified before, and whoever has a token.
    for headers in [basic("boris", "boris's"), bearer(TOKEN)] {
        assert_eq!(code(&server, "GET", path, &headers).await, 200);
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_settings_is_told_by_their_keys_and_quotes_no_secret() {
    let files = Files::new();
    files.write("users", "anna:hunter2\n");
    files.write("token", "hunter2");
    let problems = files.options(&[("http.auth.operators", "anna, deploy, carl")]).unwrap_err();
    let has = |key: &str, part: &str| {
        problems.iter().any(|problem| problem.contains(key) && problem.contains(part))
    };
    assert!(has("`http.auth.users`", "line 1") && has("`http.auth.token.deploy`", "16"));
    assert!(has("`http.auth.operators`", "`carl`"), "{problems:?}");
    assert!(!format!("{problems:?}").contains("hunter2"));
    fs::remove_file(files.0.path().join("users")).unwrap();
    assert!(files.options(&[]).unwrap_err()[0].contains("`http.auth.users` refers to a file"));

    // Without resolving anything, their form alone.
    let of = |texts: &[(&str, &str)]| {
        let texts = texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        read(texts.collect(), &Secrets::Unresolved)
    };
    assert!(of(&[("http.auth.users", "${file:/no/such}")]).is_ok());
    let alone = of(&[("http.auth.operators", "anna")]).unwrap_err();
    assert!(alone[0].contains("has no effect"), "{alone:?}");
    assert!(of(&[("http.auth.user", "x")]).is_err());
}
