use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use crate::server::connections::PATIENCE;
use crate::server::tests::Server;

const JSON: &str = "content-type: application/json\r\n";

/// A server, whose bus takes no connector.
pub(super) async fn server() -> Server {
    let server = Server::start(PATIENCE).await;
    until(&server, "/health", |code, _| code == 200).await;
    server
}

/// The code and body of a reply.
pub(super) async fn ask(server: &Server, method: &str, path: &str, body: Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (head, body) = server.send(method, path, JSON, &body).await;
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, serde_json::from_str(&body).unwrap_or(Value::Null))
}

pub(super) async fn get(server: &Server, path: &str) -> (u16, Value) {
    ask(server, "GET", path, Value::Null).await
}

pub(super) async fn until(server: &Server, path: &str, met: impl Fn(u16, &Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let (code, body) = get(server, path).await;
        if met(code, &body) {
            return body;
        }
        assert!(Instant::now() < end, "{path}: {code} {body}");
        sleep(Duration::from_millis(20)).await;
    }
}

pub(super) fn config() -> Value {
    json!({
        "connector.class": "contractor", "tasks.max": "1",
        "upstream.url": "http://127.0.0.1:9", "time.zone": "UTC",
        "auth.external.token": "${env:PATH}",
    })
}

/// Makes a connector.
pub(super) async fn made(server: &Server, name: &str) -> Value {
    let body = json!({"name": name, "config": config()});
    let (code, body) = ask(server, "POST", "/connectors", body).await;
    assert_eq!(code, 201, "{body}");
    body
}

#[tokio::test]
async fn the_root_says_a_version_that_clients_know() {
    let server = server().await;
    let (code, body) = get(&server, "/").await;
    assert_eq!((code, &body["version"]), (200, &json!("4.1.0")));
    assert!(body["commit"].is_string() && body["kafka_cluster_id"].is_string());
    let (_, body) = get(&server, "/health").await;
    let message = "Worker has completed startup and is ready to handle requests.";
    assert_eq!(body, json!({"status": "healthy", "message": message}));
}

#[tokio::test]
async fn a_connector_is_created_shown_changed_and_deleted() {
    let server = server().await;
    assert_eq!(get(&server, "/connectors").await, (200, json!([])));
    let mut expected = config();
    expected["name"] = json!("a");
    let tasks = json!([{"connector": "a", "task": 0}]);
    let info = json!({"name": "a", "config": expected, "tasks": tasks, "type": "source"});
    let body = json!({"name": " a ", "config": config()}).to_string();
    let (head, body) = server.send("POST", "/connectors", JSON, &body).await;
    assert!(head.starts_with("HTTP/1.1 201") && head.contains("location: /connectors/a\r\n"));
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), info, "secrets as they were posted");
    assert_eq!(get(&server, "/connectors").await, (200, json!(["a"])));
    assert_eq!(get(&server, "/connectors/a").await, (200, info.clone()));
    assert_eq!(get(&server, "/connectors/a/config").await, (200, expected.clone()));
    let body = json!([{"id": {"connector": "a", "task": 0}, "config": expected}]);
    assert_eq!(get(&server, "/connectors/a/tasks").await, (200, body));

    let (code, body) = ask(&server, "PUT", "/connectors/a/config", config()).await;
    assert_eq!((code, body), (200, info));
    let (code, _) = ask(&server, "PUT", "/connectors/b/config", config()).await;
    assert_eq!(code, 201);
    let patch = json!({"time.zone": "Europe/Moscow", "tasks.max": null});
    let (code, body) = ask(&server, "PATCH", "/connectors/b/config", patch).await;
    assert_eq!((code, &body["config"]["time.zone"]), (200, &json!("Europe/Moscow")));
    assert!(body["config"].get("tasks.max").is_none());

    assert_eq!(ask(&server, "DELETE", "/connectors/a", Value::Null).await, (204, Value::Null));
    assert_eq!(get(&server, "/connectors").await, (200, json!(["b"])));
    let (code, _) = ask(&server, "DELETE", "/connectors/a", Value::Null).await;
    assert_eq!(code, 404);
}

#[tokio::test]
async fn a_connector_is_paused_resumed_stopped_and_restarted_with_connects_codes() {
    let server = server().await;
    made(&server, "a").await;
    let is = |state: &'static str, tasks: usize| {
        move |code: u16, body: &Value| {
            code == 200
                && body["connector"]["state"] == state
                && body["tasks"].as_array().map(Vec::len) == Some(tasks)
        }
    };
    let status = "/connectors/a/status";
    // The bus takes no shard: it is tried again and again, and says why.
    let says =
        |body: &Value| body["tasks"][0]["trace"].as_str().is_some_and(|t| t.contains("no bus"));
    let shown = until(&server, status, |_, body| says(body)).await;
    assert_eq!((&shown["name"], &shown["type"]), (&json!("a"), &json!("source")));
    assert_eq!(shown["connector"]["worker_id"], "here:8083");

    let go =
        async |what: &str| ask(&server, "PUT", &format!("/connectors/a/{what}"), Value::Null).await;
    assert_eq!(go("pause").await, (202, Value::Null));
    until(&server, status, is("PAUSED", 1)).await;
    assert_eq!(go("stop").await, (204, Value::Null));
    until(&server, status, is("STOPPED", 0)).await;
    assert_eq!(get(&server, "/connectors/a/tasks").await, (200, json!([])));
    assert_eq!(go("resume").await, (202, Value::Null));
    until(&server, status, is("RUNNING", 1)).await;

    let restart = async |path: &str| ask(&server, "POST", path, Value::Null).await;
    assert_eq!(restart("/connectors/a/restart").await, (204, Value::Null));
    let (code, body) = restart("/connectors/a/restart?includeTasks=true&onlyFailed=true").await;
    assert_eq!((code, &body["name"]), (202, &json!("a")));
    assert_eq!(restart("/connectors/a/tasks/0/restart").await, (204, Value::Null));
    let (code, task) = get(&server, "/connectors/a/tasks/0/status").await;
    assert_eq!((code, &task["id"]), (200, &json!(0)));
}

#[tokio::test]
async fn a_connector_can_be_created_paused_or_stopped() {
    let server = server().await;
    for (name, state) in [("p", "PAUSED"), ("s", "STOPPED")] {
        let body = json!({"name": name, "config": config(), "initial_state": state});
        assert_eq!(ask(&server, "POST", "/connectors", body).await.0, 201);
        let path = format!("/connectors/{name}/status");
        until(&server, &path, |_, body| body["connector"]["state"] == state).await;
    }
    // What was wanted of one that was deleted is not wanted of the next.
    assert_eq!(ask(&server, "DELETE", "/connectors/s", Value::Null).await.0, 204);
    made(&server, "s").await;
    until(&server, "/connectors/s/status", |_, body| body["connector"]["state"] != "STOPPED").await;
}

#[tokio::test]
async fn all_are_listed_with_states_and_configurations_in_one_request() {
    let server = server().await;
    made(&server, "a").await;
    let (code, body) = get(&server, "/connectors?expand=status&expand=info&expand=odd").await;
    assert_eq!(code, 200);
    assert_eq!(body["a"]["info"]["config"]["name"], "a");
    assert_eq!(body["a"]["status"]["name"], "a");
    assert_eq!(get(&server, "/connectors?expand=odd").await, (200, json!(["a"])));
}

#[tokio::test]
async fn errors_are_those_of_kafka_connect() {
    let server = server().await;
    made(&server, "a").await;
    let none = Value::Null;
    let other = json!({"name": "x", "config": {"name": "y"}});
    let cases = [
        ("GET", "/connectors/x", none.clone(), 404, "Connector x not found"),
        ("GET", "/connectors/x/config", none.clone(), 404, "Connector x not found"),
        ("GET", "/connectors/x/tasks", none.clone(), 404, "Connector x not found"),
        ("GET", "/connectors/x/status", none.clone(), 404, "No status found for connector x"),
        ("GET", "/connectors/a/tasks/7/status", none.clone(), 404, "No status found for task a-7"),
        ("DELETE", "/connectors/x", none.clone(), 404, "Connector x not found"),
        ("PATCH", "/connectors/x/config", json!({}), 404, "Connector x not found"),
        ("PUT", "/connectors/x/pause", none.clone(), 404, "Unknown connector x"),
        ("PUT", "/connectors/x/resume", none.clone(), 404, "Unknown connector x"),
        ("PUT", "/connectors/x/stop", none.clone(), 404, "Unknown connector x"),
        ("POST", "/connectors/x/restart", none.clone(), 404, "Unknown connector: x"),
        ("POST", "/connectors/a/tasks/3/restart", none.clone(), 404, "Unknown task: a-3"),
        (
            "POST",
            "/connectors",
            json!({"name": "a", "config": config()}),
            409,
            "Connector a already exists",
        ),
        (
            "POST",
            "/connectors",
            other,
            400,
            "Connector name configuration (y) doesn't match connector name in the URL (x)",
        ),
        (
            "PUT",
            "/connectors/a/topics/reset",
            none.clone(),
            403,
            "Topic tracking reset is disabled.",
        ),
        ("GET", "/connector-plugins/x/config", none.clone(), 404, "Unknown plugin x."),
        ("PUT", "/connectors", none, 405, "HTTP 405 Method Not Allowed"),
    ];
    for (method, path, body, code, message) in cases {
        let answer = ask(&server, method, path, body).await;
        let expected = json!({"error_code": code, "message": message});
        assert_eq!(answer, (code, expected), "{method} {path}");
    }
    let (code, body) = ask(&server, "GET", "/connectors/a/tasks-config", Value::Null).await;
    assert_eq!((code, &body["error_code"]), (404, &json!(404)));
    let (head, body) = server.send("POST", "/connectors", JSON, "{").await;
    assert!(
        head.starts_with("HTTP/1.1 400") && body.starts_with(r#"{"error_code":400,"#),
        "{body}"
    );
}

#[tokio::test]
async fn an_invalid_configuration_is_refused_with_all_its_errors_and_changes_nothing() {
    let server = server().await;
    let mut odd = config();
    odd["upstream.url"] = json!("nowhere");
    odd["auth.external.token"] = json!("hunter2");
    let body = json!({"name": "a", "config": odd});
    let (code, body) = ask(&server, "POST", "/connectors", body).await;
    let message = body["message"].as_str().unwrap();
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(code, 400);
    assert_eq!(
        lines[0],
        "Connector configuration is invalid and contains the following 2 error(s):"
    );
    assert!(
        lines[1].starts_with(
            "Invalid value for configuration auth.external.token: is a secret in the open"
        ),
        "{message}"
    );
    assert!(lines[2].starts_with("Invalid value for configuration upstream.url: "), "{message}");
    assert_eq!(
        lines[3],
        "You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"
    );
    assert!(!message.contains("hunter2"));
    assert_eq!(get(&server, "/connectors").await, (200, json!([])));
    made(&server, "a").await;
    let (code, _) = ask(&server, "PUT", "/connectors/a/config", odd).await;
    assert_eq!(code, 400);
    assert_eq!(get(&server, "/connectors/a/config").await.1["time.zone"], "UTC");
}

#[tokio::test]
async fn plugins_are_listed_described_and_validated() {
    let server = server().await;
    let (code, plugins) = get(&server, "/connector-plugins?connectorsOnly=true").await;
    let classes: Vec<&str> = plugins
        .as_array()
        .unwrap()
        .iter()
        .map(|plugin| plugin["class"].as_str().unwrap())
        .collect();
    assert!(code == 200 && classes.contains(&"contractor"), "{plugins}");
    let (code, keys) = get(&server, "/connector-plugins/contractor/config").await;
    let password = keys.as_array().unwrap().iter().find(|key| key["name"] == "auth.external.token");
    assert_eq!((code, &password.unwrap()["type"]), (200, &json!("PASSWORD")));

    let path = "/connector-plugins/contractor/config/validate";
    let mut whole = config();
    whole["name"] = json!("a");
    let (code, body) = ask(&server, "PUT", path, whole.clone()).await;
    assert_eq!((code, &body["error_count"]), (200, &json!(0)), "{body}");
    whole["upstream.url"] = json!("nowhere");
    whole["no.such"] = json!("1");
    let (code, body) = ask(&server, "PUT", path, whole).await;
    assert_eq!((code, &body["name"], &body["error_count"]), (200, &json!("contractor"), &json!(2)));
    let configs = body["configs"].as_array().unwrap();
    let errors = |name: &str| {
        let found = configs.iter().find(|config| config["value"]["name"] == name).unwrap();
        found["value"]["errors"].as_array().unwrap().len()
    };
    assert_eq!((errors("upstream.url"), errors("no.such"), errors("time.zone")), (1, 1, 0));
    let (code, _) = ask(&server, "PUT", path, json!({"connector.class": "quickq"})).await;
    assert_eq!(code, 400);
}

#[tokio::test]
async fn changes_come_from_clients_of_this_machine_and_not_from_pages() {
    let server = server().await;
    let body = json!({"name": "a", "config": config()}).to_string();
    for (headers, code) in [
        ("content-type: text/plain\r\n", 415),
        ("content-type: application/json\r\norigin: https://evil.example\r\n", 403),
        ("content-type: application/json\r\nsec-fetch-site: cross-site\r\n", 403),
    ] {
        let (head, body) = server.send("POST", "/connectors", headers, &body).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {code}")), "{headers}: {head}");
        assert!(body.contains("error_code"), "{body}");
    }
    assert_eq!(get(&server, "/connectors").await, (200, json!([])));
    let large = format!(r#"{{"name":"a","config":{{"x":"{}"}}}}"#, "y".repeat(2 << 20));
    let (head, body) = server.send("POST", "/connectors", JSON, &large).await;
    assert!(head.starts_with("HTTP/1.1 413"), "{head}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["error_code"], 413);
    assert!(body["message"].as_str().unwrap().starts_with("HTTP 413 Payload Too Large"), "{body}");
}

#[tokio::test]
async fn dead_letters_are_chosen_by_whoever_may_change_connectors_and_never_all_by_mistake() {
    let server = server().await;
    made(&server, "a").await;
    let path = "/talon/connectors/a/dead-letters";
    assert_eq!(get(&server, path).await, (200, json!({"dead_letters": []})));
    assert_eq!(get(&server, &format!("{path}?at=3-7&all=true&reason=x%20y")).await.0, 200);
    for (place, code) in [("7", 404), ("x", 400)] {
        assert_eq!(get(&server, &format!("{path}/{place}")).await.0, code, "{place}");
    }
    assert_eq!(get(&server, &format!("{path}?at=x")).await.0, 400);
    assert_eq!(get(&server, "/talon/connectors/b/dead-letters").await.0, 404);
    for verb in ["redrive", "discard"] {
        let path = format!("{path}/{verb}");
        for (body, code) in [
            (json!({"every": true}), 200),
            (json!({"reason": "x", "dry_run": true}), 200),
            (json!({"at": [1, 2]}), 200),
            (json!({}), 400),
            (json!({"dry_run": true}), 400),
            (json!({"at": "1-"}), 400),
            (json!({"evry": true}), 400),
            (json!({"every": "yes"}), 400),
            (json!([1]), 400),
        ] {
            let (found, said) = ask(&server, "POST", &path, body.clone()).await;
            assert_eq!(found, code, "{verb} {body}: {said}");
        }
        let (_, gone) = ask(&server, "POST", &path, json!({"at": "4"})).await;
        assert_eq!((&gone["counts"], &gone["letters"][0]["at"]), (&json!({"gone": 1}), &json!(4)));
        let (head, _) = server.send("POST", &path, "content-type: text/plain\r\n", "{}").await;
        assert!(head.starts_with("HTTP/1.1 415"), "{head}");
        assert_eq!(get(&server, &path).await.0, 405);
    }
}
