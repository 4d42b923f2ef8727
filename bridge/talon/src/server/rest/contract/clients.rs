//! The paths of kcctl, the codes that Strimzi takes as success, and the shapes of kafka-ui's OpenAPI contract.

use serde_json::{Value, json};

use super::super::tests::{ask, config, get, made, server};
use super::cases::{create, hold};

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
