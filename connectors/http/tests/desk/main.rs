//! The connector of `connectors/README.md`: its code is `desk.rs`, and this is what it does.
#![allow(clippy::unwrap_used)]

mod conformance;
mod desk;
mod upstream;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use talon_schemas::{Contract, Envelope, Instants, Op, Source};
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::entity::{Item, assert_checked_in, schema_of};
use talon_sdk::{
    Answer, ApplyFault, Class, Clock, Command, Connector, Context, Coverage, Cursor, Finding,
    Permit, Row, UpstreamMetrics,
};

use self::desk::{Agent, DeskClass, Note};
use self::upstream::{Loss, Upstream};

fn connector(settings: &[(&str, &str)]) -> Result<Arc<dyn Connector>, Vec<String>> {
    let texts: BTreeMap<String, String> =
        settings.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    let (keys, secrets) = (DeskClass.keys(), Secrets::Resolve(Arc::default()));
    let mut settings = Settings::new("", &keys, texts, &secrets);
    let metrics = UpstreamMetrics::register(&prometheus::Registry::new()).unwrap();
    let context = Context { name: "help".to_owned(), clock: Clock::System, metrics };
    let connector = DeskClass.configure(&mut settings, context);
    connector.ok_or_else(|| settings.problems().iter().map(ToString::to_string).collect())
}

fn of(address: SocketAddr) -> Arc<dyn Connector> {
    rustls::crypto::ring::default_provider().install_default().ok();
    connector(&[
        ("upstream.url", &format!("http://{address}")),
        ("upstream.request.timeout.ms", "500"),
        ("auth.name", "talon"),
        ("auth.password", "canary-pa55"),
    ])
    .unwrap()
}

/// Reads once: the entities, by their keys, and the observation's coverage and cursor.
async fn read(
    connector: &dyn Connector,
    feed: &str,
    from: Option<&Cursor>,
) -> (BTreeMap<String, Value>, Coverage, Option<Cursor>) {
    let seen = connector.open(feed).unwrap().next(from).await.unwrap();
    let plan = connector.feeds().into_iter().find(|plan| *plan.spec.name == *feed).unwrap();
    let mut entities = BTreeMap::new();
    for row in seen.rows.iter() {
        let (mut out, mut key) = (Row::default(), String::new());
        plan.codec.decode(row, "", &mut out).unwrap();
        assert!(plan.codec.peek_key(row, "", &mut key) && key == out.key);
        let json = as_json(plan.spec.contract(), &out.value);
        entities.insert(out.key, json);
    }
    (entities, seen.coverage, seen.cursor)
}

/// An entity as its event has it.
fn as_json(contract: &Contract, entity: &[u8]) -> Value {
    let source = Source {
        version: "1",
        connector: "desk",
        name: "help",
        feed: "",
        scope: "",
        ts_ms: 0,
        snapshot: false,
        absent: false,
        instants: Instants::Micros,
    };
    let event = Envelope { before: None, after: Some(entity), source, op: Op::Create, ts_ms: 0 };
    let mut datum = Vec::new();
    event.encode(&mut datum);
    contract.to_json(&datum).unwrap()["after"].clone()
}

fn is_as_checked_in<'a, T: Item<'a>>(text: &str, file: &str) {
    if std::env::var_os("TALON_BLESS").is_some() {
        let path = format!("{}/tests/desk/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, format!("{:#}\n", schema_of::<T>())).unwrap();
        return;
    }
    assert_checked_in::<T>(text);
}

#[test]
fn schemas_are_what_is_declared() {
    is_as_checked_in::<Agent<'_>>(include_str!("agent.avsc"), "agent.avsc");
    is_as_checked_in::<Note<'_>>(include_str!("note.avsc"), "note.avsc");
}

#[test]
fn a_mistake_in_the_settings_names_its_key() {
    let problems = connector(&[("upstream.url", "http://desk"), ("feeds", "agents")]);
    let problems = problems.err().unwrap().join("\n");
    for text in ["auth.name", "auth.password", "has `agents`, expected some of `agent`, `note`"] {
        assert!(problems.contains(text), "{problems}");
    }
}

#[tokio::test]
async fn a_list_is_read_as_a_whole_and_what_is_not_declared_is_kept() {
    let (upstream, address) = Upstream::start().await;
    upstream.with(|world| {
        world.agents = vec![
            json!({"id": 1, "name": "Anna", "team": "A", "lastSeen": "2026-01-02T03:04:05Z", "desk": 4}),
            json!({"id": 2, "name": null, "team": ["odd"]}),
        ];
    });
    let (agents, coverage, cursor) = read(&*of(address), "agent", None).await;
    assert_eq!((coverage, cursor.is_some()), (Coverage::Full, true));
    assert_eq!(agents["1"]["name"], "Anna");
    assert_eq!(agents["1"]["extra"], json!({"desk": "4"}));
    assert_eq!((&agents["2"]["name"], &agents["2"]["team"]), (&Value::Null, &Value::Null));
    assert_eq!(agents["2"]["extra"], json!({"team": "[\"odd\"]"}));
}

#[tokio::test]
async fn a_log_is_read_on_from_its_mark() {
    let (upstream, address) = Upstream::start().await;
    let note = |id: i64, mark: i64| json!({"id": id, "ticketId": 7, "text": "…", "mark": mark});
    upstream.with(|world| world.notes = vec![note(2, 20), note(1, 10)]);
    let connector = of(address);
    let (notes, coverage, cursor) = read(&*connector, "note", None).await;
    assert_eq!((notes.len(), coverage), (2, Coverage::Delta));
    assert_eq!(cursor, Some(Cursor("20".to_owned())));
    upstream.with(|world| world.notes.push(note(3, 30)));
    let (notes, _, cursor) = read(&*connector, "note", cursor.as_ref()).await;
    assert_eq!(notes.into_keys().collect::<Vec<_>>(), ["3"]);
    assert_eq!(cursor, Some(Cursor("30".to_owned())));
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once_for_all() {
    let (upstream, address) = Upstream::start().await;
    let connector = of(address);
    let mut feed = connector.open("agent").unwrap();
    feed.next(None).await.unwrap();
    feed.next(None).await.unwrap();
    assert_eq!(upstream.with(|world| world.logins), 1);
    upstream.with(|world| world.first_good_token = 2);
    feed.next(None).await.unwrap();
    assert_eq!(upstream.with(|world| world.logins), 2);
}

fn close(id: i64, expect: &Value) -> Command {
    let commands = DeskClass.commands().unwrap();
    let contract = (commands.contract)();
    let params = contract.params("CloseTicket").unwrap().read(&json!({"ticket_id": id})).unwrap();
    Command {
        id: "c-1".to_owned(),
        spec: commands.spec("CloseTicket").unwrap(),
        key: id.to_string(),
        params,
        expect: expect.as_object().cloned().unwrap_or_default(),
        user: None,
        expires_at_ms: None,
    }
}

async fn run(connector: &dyn Connector, command: &Command) -> Result<Answer, ApplyFault> {
    let applier = connector.applier().unwrap();
    let before = applier.look(command).await?;
    applier.apply(command, &before, &Permit::always()).await
}

#[tokio::test]
async fn a_command_is_done_once_and_refusals_say_what_the_document_says() {
    let (upstream, address) = Upstream::start().await;
    let connector = of(address);
    let done = run(&*connector, &close(7, &Value::Null)).await.unwrap();
    assert_eq!((done.status, done.response.as_deref()), (Some(200), Some("{\"id\":7}")));
    // Closed already: what the command wants is so.
    let again = run(&*connector, &close(7, &Value::Null)).await.unwrap();
    assert_eq!(again.message, "it is so already (answered with: the ticket is closed)");
    assert_eq!(upstream.with(|world| world.closed), 1);
    let Err(ApplyFault::Refused(missing)) = run(&*connector, &close(8, &Value::Null)).await else {
        panic!("there is none")
    };
    assert_eq!(missing.message, "there is no such ticket");
    let Err(ApplyFault::Refused(other)) =
        run(&*connector, &close(7, &json!({"state": "open"}))).await
    else {
        panic!("it is closed")
    };
    assert_eq!(other.message, "expected another `state`; it is `closed`");
}

#[tokio::test]
async fn a_lost_reply_is_found_by_reading_back() {
    for (loss, expected) in [(Loss::Before, false), (Loss::After, true)] {
        let (upstream, address) = Upstream::start().await;
        upstream.with(|world| world.loses = Some(loss));
        let connector = of(address);
        let (applier, command) = (connector.applier().unwrap(), close(7, &Value::Null));
        let before = applier.look(&command).await.unwrap();
        let lost = applier.apply(&command, &before, &Permit::always()).await.unwrap_err();
        assert!(matches!(lost, ApplyFault::Unclear(_)), "{lost:?}");
        let found = applier.probe(&command, &before, 0).await.unwrap();
        assert_eq!(matches!(found, Finding::Applied(_)), expected, "{loss:?}: {found:?}");
    }
}

#[tokio::test]
async fn without_leave_nothing_is_sent() {
    let (upstream, address) = Upstream::start().await;
    let connector = of(address);
    let (applier, command) = (connector.applier().unwrap(), close(7, &Value::Null));
    let before = applier.look(&command).await.unwrap();
    let sent = applier.apply(&command, &before, &Permit::new(|| false)).await;
    assert!(matches!(sent, Err(ApplyFault::NotApplied(_))), "{sent:?}");
    assert_eq!(upstream.with(|world| world.closed), 0);
}

#[test]
fn the_readme_quotes_what_stands_in_the_connector() {
    let (readme, code) = (include_str!("../../../README.md"), include_str!("desk.rs"));
    assert!(code.lines().count() < 400, "{} lines", code.lines().count());
    let blocks = readme.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut quoted = 0;
    for block in blocks {
        quoted += 1;
        assert!(code.contains(block), "{block}");
    }
    assert!(quoted >= 5, "{quoted} quotes");
}
