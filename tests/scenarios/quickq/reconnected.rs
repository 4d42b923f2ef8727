//! What a lost connection, an implausible list or a damaged message comes to.

use serde_json::{Value, json};
use talon_brokers::unique;
use talon_quickq::contracts;
use talon_simulators::quickq::{Book, Fault, FaultKind, Simulator};

use crate::discreet::Secrets;
use crate::support::consumer::{keyed_histories, read};
use crate::support::producer::Producer;
use crate::support::results::{outcomes, results};
use crate::support::{On, Talon, until};
use crate::truth::settled;
use crate::{CANARY, configuration, hall};

#[tokio::test(flavor = "multi_thread")]
async fn invariants_4_6_and_8_gaps_short_lists_and_damaged_messages_on_kafka() {
    reconnected(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariants_4_6_and_8_gaps_short_lists_and_damaged_messages_on_nats() {
    reconnected(On::Nats).await;
}

async fn reconnected(on: On) {
    let Some(address) = on.shared("quickq_reconnected") else { return };
    let hall = Simulator::start(hall(0xC0_FF_EE_11)).await.unwrap();
    hall.act("setUser", json!({ "id": 1, "surname": CANARY, "name": CANARY })).unwrap();
    let prefix = unique("hall");
    let texts = configuration(&prefix, address, &hall.url(), &[("queue.workplaces", "1,2")]);
    let mut talon = Talon::run_logging(&texts, "trace");
    talon.ready().await;
    settled(address, &prefix, &hall).await;

    what_a_gap_hid_comes_out(&mut talon, &hall).await;
    settled(address, &prefix, &hall).await;
    implausible_lists_delete_nothing(&mut talon, &hall).await;
    settled(address, &prefix, &hall).await;
    damaged_message_is_put_aside(&mut talon, &hall, address, &prefix).await;
    let logins = hall.journal().count("login");
    commands(&hall, address, &prefix).await;
    assert_eq!(hall.journal().count("login"), logins, "a refusal costs no session");
    // The states of the visitor that the gap hid become facts.
    hall.act("serveConsumer", json!({ "workplace": 1, "comment": CANARY })).unwrap();
    settled(address, &prefix, &hall).await;

    let secrets = Secrets::of(&hall);
    for path in ["/metrics", "/"] {
        secrets.and_names_are_not_in(path, &talon.get(path).await.1);
    }
    assert!(talon.terminate().await.success(), "{}", talon.log());
    assert_eq!(hall.counts().sessions, 0, "it is given back");
    assert!(talon.lines(&["DEBUG", "a socket ended"]) > 0, "not all is logged");
    secrets.and_names_are_not_in("the log", &talon.log());
    secrets.are_on_no_topic(address, &prefix);
}

async fn what_a_gap_hid_comes_out(talon: &mut Talon, hall: &Simulator) {
    let gap = |feed: &str| format!("talon_gap_changes_total{{connector=\"hall\",feed=\"{feed}\"}}");
    assert_eq!(talon.metric(&gap("service")).await, 0.0);
    hall.pause_listening().await;
    talon.becomes("hall/service", "unavailable").await;
    hall.act("setService", json!({ "id": 1, "description": "hidden" })).unwrap();
    hall.act("removeQBoard", json!({ "id": 2 })).unwrap();
    hall.act("nextConsumer", json!({ "workplace": 1 })).unwrap();
    hall.resume_listening().await;
    for (feed, changes) in [("service", 1.0), ("qboard", 1.0), ("workplace", 1.0), ("queue", 2.0)] {
        until(feed, async || talon.metric(&gap(feed)).await == changes).await;
    }
    assert_eq!(talon.metric(&gap("operation")).await, 0.0, "nothing was hidden of it");
}

async fn implausible_lists_delete_nothing(talon: &mut Talon, hall: &Simulator) {
    let withheld = r#"talon_feed_withheld_deletes{connector="hall",feed="consumer"}"#;
    let deletes = r#"talon_changes_total{connector="hall",feed="consumer",op="d"}"#;
    let visitors = hall.book(Book::Consumer).len();
    for (kind, kept) in [(FaultKind::EmptyList, 0), (FaultKind::ShortList { keep: 3 }, 3)] {
        hall.fault(Fault::from(kind).at("consumerList").times(1));
        hall.cut();
        let absent = (visitors - kept) as f64;
        until("they are withheld", async || talon.metric(withheld).await == absent).await;
        until("a whole list follows", async || talon.metric(withheld).await == 0.0).await;
        assert_eq!(talon.metric(deletes).await, 0.0);
    }
    assert_eq!(talon.lines(&["WARN", "deletes withheld", "consumer"]), 2, "{}", talon.log());
}

async fn damaged_message_is_put_aside(
    talon: &mut Talon,
    hall: &Simulator,
    address: &str,
    prefix: &str,
) {
    let logins = hall.journal().count("login");
    hall.fault(Fault::from(FaultKind::Malformed).at("userList").times(1));
    for surname in ["кенарова", "кенаренко"] {
        hall.act("setUser", json!({ "id": 1, "surname": surname })).unwrap();
        let topic = format!("{prefix}.hall.user");
        until("what follows flows on", async || {
            let users = keyed_histories(address, &topic, &contracts::USER);
            users["1"].last().unwrap()["after"]["surname"] == surname
        })
        .await;
    }
    let dead = read(address, &format!("{prefix}.hall.dlq"));
    assert_eq!(dead.len(), 1, "{dead:?}");
    let letter = String::from_utf8(dead[0].value.clone().unwrap()).unwrap();
    assert!(letter.contains("userList") && letter.contains("****"), "{letter}");
    assert_eq!(dead[0].headers["__talon.errors.scope"], "unreadable message");
    // The socket lives on.
    assert_eq!(hall.journal().count("login"), logins);
    assert_eq!(talon.state("hall/user").await, "up");
}

async fn commands(hall: &Simulator, address: &str, prefix: &str) {
    let ticket = json!({ "service_ids": [1], "comment": CANARY, "pin_code": CANARY });
    let item = json!({ "id": 1, "fields": { "surname": CANARY } });
    let commands = [
        ("ticket", json!({ "id": "ticket", "type": "RegisterConsumer", "params": ticket })),
        ("3", json!({ "id": "next", "type": "NextConsumer", "params": { "workplace_id": 3 } })),
        ("1", json!({ "id": "user", "type": "SetUser", "params": item })),
        // Nobody knows this visitor.
        (
            "4",
            json!({ "id": "no", "type": "CallConsumer", "params": { "workplace_id": 4, "consumer_id": 1 } }),
        ),
        ("4", json!({ "id": "bad", "type": "CallConsumer", "params": { "workplace_id": CANARY } })),
    ];
    let commands = commands.map(|(key, command)| (key.to_owned(), command));
    Producer::new(address).await.send(&format!("{prefix}.hall.commands"), &commands).await;
    let told = || -> Value {
        let results = results(address, prefix, "hall");
        let outcomes = outcomes(&results);
        outcomes.iter().map(|(id, of)| json!([id, of[0].outcome])).collect()
    };
    let expected = json!([
        ["bad", "REJECTED"],
        ["next", "APPLIED"],
        ["no", "REJECTED"],
        ["ticket", "APPLIED"],
        ["user", "APPLIED"],
    ]);
    until("all have their outcome", async || told().as_array().unwrap().len() == 5).await;
    assert_eq!(told(), expected);
    assert_eq!(hall.journal().count("consumerFromQueueBody"), 0);
}
