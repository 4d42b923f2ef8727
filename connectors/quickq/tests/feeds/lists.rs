use serde_json::{Value, json};
use talon_simulators::quickq::{Book, Settings};

use crate::hall::hall;

const BOOKS: [(&str, Book); 11] = [
    ("operation", Book::Operation),
    ("service", Book::Service),
    ("ticket_range", Book::TicketRange),
    ("workplace", Book::Workplace),
    ("user_role", Book::UserRole),
    ("user", Book::User),
    ("qboard", Book::QBoard),
    ("scoreboard", Book::ScoreBoard),
    ("registrator", Book::Registrator),
    ("consumer", Book::Consumer),
    ("consumer_preregistered", Book::ConsumerPreRegistered),
];

#[tokio::test]
async fn every_book_is_read_once_and_then_pushed() {
    let hall = hall(Settings::default(), &[]).await;
    for (feed, book) in BOOKS {
        let mut reader = hall.reader(feed);
        reader.step().await;
        let ids: Vec<String> = hall.simulator.book(book).keys().map(i64::to_string).collect();
        let mut keys = reader.keys();
        keys.sort_by_key(|key| key.parse::<i64>().unwrap());
        assert_eq!(keys, ids, "{feed}");
        assert!(reader.published.log.iter().all(|line| line.starts_with("r ")), "{feed}");
        for (key, entity) in &reader.published.state {
            assert_eq!(entity["extra"], json!({}), "{feed} {key}: nothing is unknown");
        }

        reader.published.log.clear();
        let id = *hall.simulator.book(book).keys().next().unwrap();
        let set = |name: &str| {
            let command = format!("set{name}");
            hall.simulator.act(&command, json!({ "id": id, "description": "новое", "priority": 7 }))
        };
        let name = book.list_command();
        let name = name.trim_end_matches("List");
        set(&format!("{}{}", name[..1].to_uppercase(), &name[1..])).unwrap();
        reader.step().await;
        assert_eq!(reader.published.log, [format!("u {id}")], "{feed}");
        assert_eq!((reader.faults.len(), reader.published.dead.len()), (0, 0), "{feed}");
    }
    assert_eq!(hall.simulator.counts().sockets, 1, "one socket for all books");
    assert_eq!(hall.simulator.journal().count("login"), 1);
}

#[tokio::test]
async fn what_is_gone_from_a_push_is_deleted() {
    let hall = hall(Settings::default(), &[]).await;
    let mut reader = hall.reader("qboard");
    reader.step().await;
    let third = hall.simulator.act("newQBoard", json!({ "name": "Третье" })).unwrap();
    hall.simulator.act("removeQBoard", json!({ "id": 1 })).unwrap();
    reader
        .until("the third board", |reader| reader.keys() == [third["id"].to_string().as_str(), "2"])
        .await;
    assert!(reader.published.log.contains(&"d 1".to_owned()));
}

#[tokio::test]
async fn invariant_8_no_hash_is_on_the_topic() {
    let hall = hall(Settings::default(), &[]).await;
    let mut reader = hall.reader("user");
    reader.step().await;
    let user = Value::from_iter(reader.published.state.clone()).to_string();
    assert!(user.contains("Иванова") && !user.contains("827ccb0e"), "{user}");
}

#[tokio::test]
async fn each_workplace_has_a_queue_of_its_own() {
    let hall = hall(Settings { visitors: 3, ..Settings::default() }, &[]).await;
    hall.simulator.act("setWorkplace", json!({ "id": 2, "operations": [] })).unwrap();
    let mut reader = hall.reader("queue");
    let waiting = hall.simulator.queue(1);
    assert_eq!((waiting.len(), hall.simulator.queue(2)), (3, vec![]));
    let expected: Vec<String> = waiting.iter().map(|id| format!("1/{id}")).collect();
    reader.until("both queues", |reader| reader.keys() == expected).await;
    // The second workplace's empty list, again and again, says nothing of the first's.
    hall.simulator
        .act("setWorkplace", json!({ "id": 2, "operations": [1, 2, 3, 4, 5, 6] }))
        .unwrap();
    reader.until("the second queue", |reader| reader.keys().len() == 6).await;
    hall.simulator
        .act("consumerFromQueueBody", json!({ "workplace": 1, "id": waiting[0] }))
        .unwrap();
    reader.until("one is called", |reader| reader.keys().len() == 4).await;
    assert!(reader.keys().iter().all(|key| !key.ends_with(&format!("/{}", waiting[0]))));
    assert_eq!(hall.simulator.counts().sockets, 2);
    assert_eq!(hall.simulator.journal().count("login"), 1, "sockets share the session");
}

#[tokio::test]
async fn every_state_of_an_operation_is_a_fact_of_its_own() {
    let hall = hall(Settings { visitors: 3, ..Settings::default() }, &[]).await;
    let mut reader = hall.reader("operation_state");
    reader.step().await;
    assert_eq!(reader.keys(), [""; 0]);
    let called = hall.simulator.act("nextConsumer", json!({ "workplace": 1 })).unwrap();
    let id = called["id"].as_i64().unwrap();
    reader.step().await;
    assert_eq!(reader.keys(), [""; 0], "who is being served is no fact yet");
    hall.simulator.act("serveConsumer", json!({ "workplace": 1, "comment": "готово" })).unwrap();
    reader.until("two states", |reader| reader.keys().len() == 2).await;
    let states: Vec<&Value> = reader.published.state.values().collect();
    assert_eq!((&states[0]["state"], &states[0]["consumer_id"]), (&json!("SERVING"), &json!(id)));
    assert_eq!(states[0]["workplace_id"], 1);
    assert_eq!(states[0]["left_at"], states[1]["entered_at"], "how long");
    assert_eq!((&states[1]["state"], &states[1]["comment"]), (&json!("SERVED"), &json!("готово")));
    assert_eq!(states[1]["extra"], json!({}));
    let before = reader.published.log.len();
    reader.step().await;
    assert_eq!(reader.published.log.len(), before, "what comes again is no event");
}

#[tokio::test]
async fn a_state_is_told_once_whatever_changes_around_it() {
    let hall = hall(Settings { visitors: 4, ..Settings::default() }, &[]).await;
    let mut reader = hall.reader("operation_state");
    let act = |command: &str, data: Value| hall.simulator.act(command, data).unwrap();
    let at = |more: Value| {
        let mut data = json!({ "workplace": 1 });
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        data
    };
    for round in 0..4 {
        act("nextConsumer", at(json!({})));
        reader.step().await;
        match round {
            // Back to the queue, and served later.
            0 => drop(act("postponeConsumer", at(json!({ "delay": "1", "return2me": false })))),
            1 => drop(act("rejectConsumer", at(json!({ "comment": "ушёл" })))),
            _ => drop(act("serveConsumer", at(json!({})))),
        }
        reader.step().await;
        act("setOperation", json!({ "id": 1, "name": format!("другое имя {round}") }));
        reader.step().await;
    }
    let facts = reader.published.log.len();
    assert!(facts >= 6, "{facts} facts");
    assert_eq!(facts, reader.keys().len(), "each once: {:?}", reader.published.log);
    // A process that begins anew, with what was published, finds nothing to tell.
    let mut again = hall.reader("operation_state");
    again.step().await;
    assert_eq!(again.keys(), reader.keys());
}

#[tokio::test]
async fn server_info_tells_versions_and_no_licence() {
    let hall = hall(Settings::default(), &[]).await;
    let mut reader = hall.reader("server_info");
    reader.step().await;
    let info = &reader.published.state["server"];
    assert_eq!((&info["core"], &info["extra"]), (&json!("1.0.5"), &json!({})));
    assert!(!info.to_string().contains("1023919797"));
}

#[tokio::test]
async fn a_probe_tells_versions_and_leaves_no_session() {
    let hall = hall(Settings::default(), &[]).await;
    let seen = hall.connector.probe().await.unwrap();
    assert!(seen.contains("core 1.0.5") && seen.contains("1 sessions"), "{seen}");
    assert!(!seen.contains("1023919797"));
    assert_eq!(hall.simulator.counts().sessions, 0);
}

#[tokio::test]
async fn the_session_is_given_back_at_the_end() {
    let hall = hall(Settings::default(), &[]).await;
    let mut reader = hall.reader("service");
    reader.step().await;
    assert_eq!(hall.simulator.counts().sessions, 1);
    drop(reader);
    hall.connector.close().await;
    assert_eq!(hall.simulator.counts().sessions, 0);
    let mut reader = hall.reader("service");
    reader.step().await;
    assert_eq!(reader.keys().len(), 4, "and it can be opened again");
}

#[tokio::test]
async fn ten_thousand_visitors_pushed_again_and_again_cost_only_what_changed() {
    let hall = hall(Settings { visitors: 10_000, ..Settings::default() }, &[]).await;
    let mut reader = hall.reader("consumer");
    reader.step().await;
    assert_eq!(reader.keys().len(), 10_000);
    reader.published.log.clear();
    for id in 1001..1011 {
        hall.simulator.act("setConsumer", json!({ "id": id, "priority": 1 })).unwrap();
    }
    reader.until("ten changes", |reader| reader.published.log.len() == 10).await;
    assert!(reader.published.log.iter().all(|line| line.starts_with("u ")));
}

#[tokio::test]
async fn a_list_that_is_not_pushed_is_read_again() {
    let settings = [("refresh.interval.ms", "1000")];
    let hall = hall(Settings::default(), &settings).await;
    let mut reader = hall.reader("service");
    reader.step().await;
    reader.published.log.clear();
    reader.step().await;
    assert!(hall.simulator.journal().count("serviceList") >= 2, "nothing was pushed");
    assert_eq!(reader.published.log, [""; 0]);
}
