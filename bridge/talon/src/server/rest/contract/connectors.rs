//! What Kafka's own tests of `ConnectorsResource` hold it to.

use serde_json::{Value, json};

use super::super::tests::{config, get, server};
use super::cases::{create, error, hold};

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
