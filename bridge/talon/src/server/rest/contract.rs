//! What clients of Kafka Connect rely on, as cases: the behaviour that Kafka's own tests of `ConnectorsResource`,
//! `ConnectorPluginsResource`, `LoggingResource` and `RootResource` hold it to, the paths of kcctl, the codes that
//! Strimzi takes as success, and the shapes of kafka-ui's OpenAPI contract.

use serde_json::{Value, json};
use tracing_subscriber::{EnvFilter, reload};

use super::tests::{ask, config, get, made, server, until};
use crate::log::levels;
use crate::server::tests::Server;

/// A request, its code, and what its answer has at least; `null` is an answer without a body.
type Case = (&'static str, &'static str, &'static str, Value, u16, Value);

/// Whether an answer has everything that is expected; texts may have more behind them.
fn has(answer: &Value, expected: &Value) -> bool {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => expected
            .iter()
            .all(|(key, expected)| answer.get(key).is_some_and(|answer| has(answer, expected))),
        (Value::String(answer), Value::String(expected)) => answer.starts_with(expected.as_str()),
        (answer, expected) => answer == expected,
    }
}

async fn hold(server: &Server, cases: Vec<Case>) {
    for (says, method, path, body, code, expected) in cases {
        let (answered, answer) = ask(server, method, path, body).await;
        assert_eq!(answered, code, "{says}: {method} {path}: {answer}");
        assert!(has(&answer, &expected), "{says}: {method} {path}: {answer}");
    }
}

fn error(code: u16, message: &str) -> Value {
    json!({"error_code": code, "message": message})
}

fn create(name: &str, more: Value) -> Value {
    let mut body = json!({"name": name, "config": config()});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn kafkas_own_cases_of_connectors_hold() {
    let server = server().await;
    let no = || Value::Null;
    let (created, stopped) = (json!({"name": "a", "type": "source"}), json!({"name": "s"}));
    let not_stopped = "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/a/stop' endpoint";
    let needed = "Partitions / offsets need to be provided for an alter offsets request";
    let invalid = "Connector configuration is invalid and contains the following ";
    let mismatch = |name: &str| {
        let message = format!(
            "Connector name configuration ({name}) doesn't match connector name in the URL (a)"
        );
        error(400, &message)
    };
    let unnamed = json!({"config": config()});
    let feed =
        |offset: Value| json!({"offsets": [{"partition": {"feed": "call"}, "offset": offset}]});
    let first = feed(json!({"cursor": "1"}));
    let from = |cursor: Value| json!({"initial_offsets": [{"partition": {"feed": "call"}, "offset": cursor}]});
    hold(
        &server,
        vec![
            ("none", "GET", "/connectors", no(), 200, json!([])),
            ("none expanded", "GET", "/connectors?expand=status", no(), 200, json!({})),
            ("created", "POST", "/connectors", create("  a ", json!({})), 201, created.clone()),
            ("listed", "GET", "/connectors", no(), 200, json!(["a"])),
            (
                "expanded by one",
                "GET",
                "/connectors?expand=info",
                no(),
                200,
                json!({"a": {"info": {"name": "a"}}}),
            ),
            (
                "by both",
                "GET",
                "/connectors?expand=info&expand=status",
                no(),
                200,
                json!({"a": {"info": {}, "status": {"name": "a"}}}),
            ),
            (
                "exists",
                "POST",
                "/connectors",
                create("a", json!({})),
                409,
                error(409, "Connector a already exists"),
            ),
            (
                "stopped at first",
                "POST",
                "/connectors",
                create("s", json!({"initial_state": "STOPPED"})),
                201,
                stopped,
            ),
            (
                "paused at first",
                "POST",
                "/connectors",
                create("p", json!({"initial_state": "paused"})),
                201,
                json!({"name": "p"}),
            ),
            (
                "an odd state",
                "POST",
                "/connectors",
                create("o", json!({"initial_state": "ODD"})),
                400,
                error(400, ""),
            ),
            (
                "a blank name",
                "POST",
                "/connectors",
                create("   ", json!({})),
                400,
                error(400, invalid),
            ),
            ("no name", "POST", "/connectors", unnamed, 400, error(400, invalid)),
            (
                "a control character",
                "POST",
                "/connectors",
                create("a\u{1}", json!({})),
                400,
                error(400, invalid),
            ),
            (
                "another name",
                "PUT",
                "/connectors/a/config",
                json!({"name": "b"}),
                400,
                mismatch("b"),
            ),
            ("info", "GET", "/connectors/a", no(), 200, created.clone()),
            ("configuration", "GET", "/connectors/a/config", no(), 200, json!({"name": "a"})),
            ("put", "PUT", "/connectors/a/config", config(), 200, created.clone()),
            (
                "put of a new one",
                "PUT",
                "/connectors/n/config",
                config(),
                201,
                json!({"name": "n"}),
            ),
            (
                "patched",
                "PATCH",
                "/connectors/a/config",
                json!({"time.zone": "Europe/Moscow"}),
                200,
                json!({"config": {"time.zone": "Europe/Moscow"}}),
            ),
            ("topics", "GET", "/connectors/a/topics", no(), 200, json!({"a": {}})),
            (
                "reset of topics",
                "PUT",
                "/connectors/a/topics/reset",
                no(),
                403,
                error(403, "Topic tracking reset is disabled."),
            ),
            ("restart", "POST", "/connectors/a/restart", no(), 204, no()),
            (
                "of all",
                "POST",
                "/connectors/a/restart?includeTasks=true&onlyFailed=false",
                no(),
                202,
                json!({"name": "a"}),
            ),
            ("of a task", "POST", "/connectors/a/tasks/0/restart", no(), 204, no()),
            (
                "of no task",
                "POST",
                "/connectors/a/tasks/1/restart",
                no(),
                404,
                error(404, "Unknown task: a-1"),
            ),
            (
                "no offsets",
                "PATCH",
                "/connectors/a/offsets",
                json!({"offsets": []}),
                400,
                error(400, needed),
            ),
            ("none at all", "PATCH", "/connectors/a/offsets", json!({}), 400, error(400, needed)),
            (
                "not stopped",
                "PATCH",
                "/connectors/a/offsets",
                first.clone(),
                400,
                error(400, not_stopped),
            ),
            ("not stopped", "DELETE", "/connectors/a/offsets", no(), 400, error(400, not_stopped)),
            (
                "of no feed",
                "PATCH",
                "/connectors/s/offsets",
                json!({"offsets": [{"partition": {"feed": "odd"}, "offset": null}]}),
                400,
                error(400, "`s` reads no feed `odd`; it reads: "),
            ),
            (
                "of another system",
                "PATCH",
                "/connectors/s/offsets",
                json!({"offsets": [{"partition": {"file": "x"}, "offset": {"position": 1}}]}),
                400,
                error(400, "a partition is expected as "),
            ),
            (
                "an offset that is none",
                "PATCH",
                "/connectors/s/offsets",
                feed(json!({"cursor": "soon"})),
                400,
                error(400, "`call` cannot go on from there"),
            ),
            (
                "no first offset",
                "POST",
                "/connectors",
                create("f", from(json!({"cursor": "soon"}))),
                400,
                error(400, "`call` cannot go on from there"),
            ),
            (
                "is no list",
                "POST",
                "/connectors",
                create("f", json!({"initial_offsets": {}})),
                400,
                error(400, "`initial_offsets`"),
            ),
            (
                "not created then",
                "GET",
                "/connectors/f",
                no(),
                404,
                error(404, "Connector f not found"),
            ),
            ("deleted", "DELETE", "/connectors/n", no(), 204, no()),
            (
                "is not there",
                "DELETE",
                "/connectors/n",
                no(),
                404,
                error(404, "Connector n not found"),
            ),
            (
                "is not there",
                "GET",
                "/connectors/n",
                no(),
                404,
                error(404, "Connector n not found"),
            ),
            (
                "is not there",
                "GET",
                "/connectors/n/config",
                no(),
                404,
                error(404, "Connector n not found"),
            ),
            (
                "is not there",
                "PATCH",
                "/connectors/n/config",
                json!({}),
                404,
                error(404, "Connector n not found"),
            ),
            (
                "is not there",
                "GET",
                "/connectors/n/tasks",
                no(),
                404,
                error(404, "Connector n not found"),
            ),
            (
                "is not there",
                "GET",
                "/connectors/n/offsets",
                no(),
                404,
                error(404, "Connector n not found"),
            ),
            (
                "is not there",
                "PATCH",
                "/connectors/n/offsets",
                first,
                404,
                error(404, "Connector n not found"),
            ),
            (
                "is not there",
                "DELETE",
                "/connectors/n/offsets",
                no(),
                404,
                error(404, "Connector n not found"),
            ),
            (
                "is not there",
                "POST",
                "/connectors/n/restart",
                no(),
                404,
                error(404, "Unknown connector: n"),
            ),
            (
                "is not there",
                "POST",
                "/connectors/n/restart?includeTasks=true",
                no(),
                404,
                error(404, "Unknown connector: n"),
            ),
            (
                "gone since 4.0",
                "GET",
                "/connectors/a/tasks-config",
                no(),
                404,
                error(404, "HTTP 404 Not Found"),
            ),
            ("nothing", "GET", "/nothing", no(), 404, error(404, "HTTP 404 Not Found")),
            (
                "no such method",
                "DELETE",
                "/connectors",
                no(),
                405,
                error(405, "HTTP 405 Method Not Allowed"),
            ),
        ],
    )
    .await;
    let (code, tasks) = get(&server, "/connectors/a/tasks").await;
    assert_eq!((code, &tasks[0]["id"]), (200, &json!({"connector": "a", "task": 0})));
}

#[tokio::test]
async fn kafkas_own_cases_of_plugins_and_of_the_root_hold() {
    let server = server().await;
    let validate = "/connector-plugins/contractor/config/validate";
    let class = json!({"connector.class": "contractor", "name": "v"});
    hold(
        &server,
        vec![
            (
                "the root",
                "GET",
                "/",
                Value::Null,
                200,
                json!({"version": "4.1.0", "commit": "", "kafka_cluster_id": ""}),
            ),
            ("health", "GET", "/health", Value::Null, 200, json!({"status": "healthy"})),
            ("errors are no error", "PUT", validate, class, 200, json!({"name": "contractor"})),
            (
                "no class",
                "PUT",
                validate,
                json!({}),
                400,
                error(400, "Connector config {} contains no connector type"),
            ),
            (
                "another class",
                "PUT",
                validate,
                json!({"connector.class": "quickq"}),
                400,
                error(400, "Included connector type quickq does not match request type contractor"),
            ),
            (
                "no such class",
                "PUT",
                "/connector-plugins/x/config/validate",
                json!({"connector.class": "x"}),
                400,
                error(
                    400,
                    "Failed to find any class that implements Connector and which name matches x",
                ),
            ),
            (
                "no such class",
                "GET",
                "/connector-plugins/x/config",
                Value::Null,
                404,
                error(404, "Unknown plugin x."),
            ),
        ],
    )
    .await;
    for path in ["/connector-plugins", "/connector-plugins?connectorsOnly=false"] {
        let (code, plugins) = get(&server, path).await;
        let plugins = plugins.as_array().unwrap();
        assert!(code == 200 && !plugins.is_empty());
        assert!(
            plugins
                .iter()
                .all(|plugin| plugin["type"] == "source" && plugin["version"].is_string())
        );
    }
}

#[tokio::test]
async fn kafkas_own_cases_of_loggers_hold() {
    let (layer, handle) = reload::Layer::new(EnvFilter::new("info"));
    levels::start("info", handle);
    std::mem::forget(layer);
    let server = server().await;
    let (debug, path) = (json!({"level": "DEBUG"}), "/admin/loggers/talon_quickq");
    let changed = json!(["talon_quickq"]);
    hold(
        &server,
        vec![
            (
                "the root",
                "GET",
                "/admin/loggers/root",
                Value::Null,
                200,
                json!({"level": "INFO", "last_modified": null}),
            ),
            (
                "unknown",
                "GET",
                "/admin/loggers/org.apache.kafka",
                Value::Null,
                404,
                error(404, "Logger org.apache.kafka not found."),
            ),
            ("set", "PUT", path, debug.clone(), 200, changed.clone()),
            ("as it was", "PUT", path, debug.clone(), 200, json!([])),
            (
                "this worker",
                "PUT",
                "/admin/loggers/talon_quickq?scope=worker",
                json!({"level": "info"}),
                200,
                changed.clone(),
            ),
            (
                "an odd scope is this worker",
                "PUT",
                "/admin/loggers/talon_quickq?scope=odd",
                debug.clone(),
                200,
                changed,
            ),
            (
                "all workers",
                "PUT",
                "/admin/loggers/talon_enter?scope=cluster",
                debug.clone(),
                204,
                Value::Null,
            ),
            (
                "no level",
                "PUT",
                path,
                json!({}),
                400,
                error(400, "Desired 'level' parameter was not specified in request."),
            ),
            (
                "no such level",
                "PUT",
                path,
                json!({"level": "LOUD"}),
                404,
                error(404, "invalid log level 'LOUD'."),
            ),
            (
                "no name",
                "PUT",
                "/admin/loggers/a,b?scope=cluster",
                debug,
                400,
                error(400, "`a,b` is no name of a logger"),
            ),
        ],
    )
    .await;
    let (code, all) = get(&server, "/admin/loggers").await;
    assert_eq!((code, &all["talon_quickq"]["level"]), (200, &json!("DEBUG")));
    assert!(
        all["talon_quickq"]["last_modified"].is_i64() && all["root"]["last_modified"].is_null()
    );
    until(&server, "/admin/loggers/talon_enter", |_, body| body["level"] == "DEBUG").await;
}

#[tokio::test]
async fn a_slash_at_the_end_means_nothing_as_kcctl_asks() {
    let server = server().await;
    made(&server, "a").await;
    let no = || Value::Null;
    hold(
        &server,
        vec![
            ("listed", "GET", "/connectors/", no(), 200, json!(["a"])),
            ("expanded", "GET", "/connectors/?expand=info", no(), 200, json!({"a": {"info": {}}})),
            ("created", "POST", "/connectors/", create("b", json!({})), 201, json!({"name": "b"})),
            ("loggers", "GET", "/admin/loggers/", no(), 200, json!({})),
        ],
    )
    .await;
    assert_eq!(get(&server, "/connector-plugins/").await.0, 200);
}

#[tokio::test]
async fn what_strimzi_takes_as_success_is_what_is_answered() {
    let server = server().await;
    let put =
        async |what: &str| ask(&server, "PUT", &format!("/connectors/a/{what}"), Value::Null).await;
    assert_eq!(ask(&server, "PUT", "/connectors/a/config", config()).await.0, 201);
    assert_eq!(ask(&server, "PUT", "/connectors/a/config", config()).await.0, 200);
    let (code, status) = get(&server, "/connectors/a/status").await;
    assert!(code == 200 && status["connector"]["state"].is_string() && status["tasks"].is_array());
    // Their bodies are empty.
    assert_eq!(put("pause").await, (202, Value::Null));
    assert_eq!(put("resume").await, (202, Value::Null));
    assert_eq!(put("stop").await, (204, Value::Null));
    let post = async |path: &str| ask(&server, "POST", path, Value::Null).await.0;
    assert_eq!(post("/connectors/a/restart?includeTasks=false&onlyFailed=false").await, 204);
    assert_eq!(post("/connectors/a/restart?includeTasks=true&onlyFailed=false").await, 202);
    let logger = "/admin/loggers/talon_http";
    let code = ask(&server, "PUT", logger, json!({"level": "WARN"})).await.0;
    assert!([200, 204].contains(&code));
    assert_eq!(ask(&server, "DELETE", "/connectors/a", Value::Null).await.0, 204);
    // It waits for this one.
    assert_eq!(get(&server, "/connectors/a/status").await.0, 404);
}

/// Whether a value is of a shape: by a word its type, or one of several words; of an object what is there.
fn fits(value: &Value, shape: &Value) -> bool {
    match shape {
        Value::String(kind) => match kind.as_str() {
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "boolean" => value.is_boolean(),
            words => words.split('|').any(|word| value == word),
        },
        Value::Array(of) => {
            value.as_array().is_some_and(|all| all.iter().all(|one| fits(one, &of[0])))
        }
        Value::Object(fields) if fields.contains_key("*") => {
            value.as_object().is_some_and(|all| all.values().all(|one| fits(one, &fields["*"])))
        }
        Value::Object(fields) => value.as_object().is_some_and(|all| {
            let is_sound = |(key, shape)| {
                all.get(key).is_none_or(|value: &Value| value.is_null() || fits(value, shape))
            };
            fields.iter().all(is_sound)
        }),
        _ => false,
    }
}

#[tokio::test]
async fn answers_have_the_shapes_of_kafka_uis_contract() {
    let server = server().await;
    let task = json!({"connector": "string", "task": "integer"});
    let info = json!({
        "name": "string", "config": {"*": "string"}, "tasks": [task], "type": "source|sink",
    });
    let state = json!("RUNNING|FAILED|PAUSED|UNASSIGNED|RESTARTING|STOPPED");
    let task_status =
        json!({"id": "integer", "state": state, "worker_id": "string", "trace": "string"});
    let status = json!({
        "name": "string", "tasks": [task_status],
        "connector": {"state": state, "worker_id": "string", "trace": "string"},
    });
    let definition = json!({
        "name": "string", "type": "BOOLEAN|CLASS|DOUBLE|INT|LIST|LONG|PASSWORD|SHORT|STRING",
        "required": "boolean", "default_value": "string", "importance": "LOW|MEDIUM|HIGH",
        "documentation": "string", "group": "string", "width": "SHORT|MEDIUM|LONG|NONE",
        "display_name": "string", "dependents": ["string"], "order": "integer",
    });
    let value = json!({
        "name": "string", "value": "string", "recommended_values": ["string"], "errors": ["string"],
        "visible": "boolean",
    });
    let validated = json!({
        "name": "string", "error_count": "integer", "groups": ["string"],
        "configs": [{"definition": definition, "value": value}],
    });
    let made = made(&server, "a").await;
    assert!(fits(&made, &info), "{made}");
    for (path, shape) in [
        ("/connectors", json!(["string"])),
        ("/connectors?search=a", json!(["string"])),
        ("/connectors/a", info.clone()),
        ("/connectors/a/config", json!({"*": "string"})),
        ("/connectors/a/status", status),
        ("/connectors/a/tasks", json!([{"id": task, "config": {"*": "string"}}])),
        ("/connectors/a/tasks/0/status", task_status),
        ("/connectors/a/topics", json!({"*": {"topics": ["string"]}})),
        ("/connector-plugins", json!([{"class": "string"}])),
        ("/connector-plugins/contractor/config", json!([definition])),
    ] {
        let (code, body) = get(&server, path).await;
        assert!(code == 200 && fits(&body, &shape), "{path}: {code} {body}");
    }
    let mut config = config();
    config["odd"] = json!("1");
    let validate = "/connector-plugins/contractor/config/validate";
    let (code, body) = ask(&server, "PUT", validate, config).await;
    assert!(code == 200 && fits(&body, &validated), "{body}");
    assert!(!fits(&json!({"name": 1}), &info) && !fits(&json!(["x", 1]), &json!(["string"])));
}
