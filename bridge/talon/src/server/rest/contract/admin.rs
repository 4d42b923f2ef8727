//! What Kafka's own tests of `ConnectorPluginsResource`, `RootResource` and `LoggingResource` hold them to.

use serde_json::{Value, json};
use tracing_subscriber::{EnvFilter, reload};

use super::super::tests::{get, server, until};
use super::cases::{error, hold};
use crate::log::levels;

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
