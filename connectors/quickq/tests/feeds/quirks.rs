use serde_json::json;
use talon_simulators::quickq::{Book, DateName, ErrorPlace, Settings, TokenPlace};

use crate::hall::{Hall, hall};

/// A book, a queue and a poll work, and a refusal is understood as one.
async fn works(simulated: Settings) {
    let shown = format!("{simulated:?}");
    let hall = hall(simulated, &[]).await;
    let mut books = hall.reader("service");
    books.step().await;
    assert_eq!(books.keys(), ["1", "2", "3", "4"], "{shown}");
    hall.simulator.act("setService", json!({ "id": 3, "name": "Консультация" })).unwrap();
    books
        .until("the new name", |reader| reader.published.state["3"]["name"] == "Консультация")
        .await;

    let mut queue = hall.reader("queue");
    let waiting = hall.simulator.queue(1).len();
    queue.until("the queues", |reader| reader.keys().len() == 2 * waiting).await;
    hall.simulator.act("nextConsumer", json!({ "workplace": 1 })).unwrap();
    queue.until("one less", |reader| reader.keys().len() == 2 * (waiting - 1)).await;

    let mut places = hall.reader("workplace");
    places.step().await;
    let place = &places.published.state["1"];
    assert_eq!(
        (&place["disabled"], &place["consumer_id"].is_i64()),
        (&json!(false), &true),
        "{shown}"
    );
    hall.simulator.act("serveConsumer", json!({ "workplace": 1 })).unwrap();
    let mut states = hall.reader("operation_state");
    states.until("its states", |reader| reader.keys().len() == 2).await;

    for reader in [&books, &queue, &places, &states] {
        assert_eq!((reader.faults.len(), reader.published.dead.len()), (0, 0), "{shown}");
    }
    refusal_is_told(&hall).await;
}

async fn refusal_is_told(hall: &Hall) {
    let wrong = [("auth.password", "54321"), ("upstream.url", &*hall.simulator.url())];
    let fault = crate::support::connector(&wrong).unwrap().probe().await.unwrap_err();
    assert_eq!(fault.kind(), "misconfigured");
    assert!(fault.to_string().contains("error 153 of module 0"), "{fault}");
}

#[tokio::test]
async fn an_id_is_repeated_or_not() {
    works(Settings { echo_id: true, ..Settings::default() }).await;
    works(Settings::default()).await;
}

#[tokio::test]
async fn the_token_is_in_data_or_on_top() {
    works(Settings { token_place: TokenPlace::Top, echo_token: true, ..Settings::default() }).await;
}

#[tokio::test]
async fn an_error_is_in_data_or_on_top() {
    for error_place in [ErrorPlace::Error, ErrorPlace::Top] {
        works(Settings { error_place, ..Settings::default() }).await;
    }
}

#[tokio::test]
async fn builds_differ_in_fields_names_and_numbers() {
    works(Settings { newer_fields: true, date_name: DateName::Datetime, ..Settings::default() })
        .await;
    works(Settings { numbers_as_strings: true, ..Settings::default() }).await;
    works(Settings {
        misplaced_data: true,
        push_before_reply: true,
        echo_id: true,
        newer_fields: true,
        ..Settings::default()
    })
    .await;
}

#[tokio::test]
async fn newer_fields_are_known() {
    let hall = hall(Settings { newer_fields: true, ..Settings::default() }, &[]).await;
    for feed in ["workplace", "consumer"] {
        let mut reader = hall.reader(feed);
        reader.step().await;
        for (key, entity) in &reader.published.state {
            assert_eq!(entity["extra"], json!({}), "{feed} {key}");
            assert!(entity["updated_at"].is_i64());
        }
    }
}

#[tokio::test]
async fn a_command_may_be_spelled_otherwise() {
    let settings = [
        ("book.commands.qboard.list", "scoreBoardList"),
        ("book.commands.qboard.subscribe", "subscribeScoreBoards"),
    ];
    let hall = hall(Settings::default(), &settings).await;
    let mut reader = hall.reader("qboard");
    reader.step().await;
    let name = reader.published.state["1"]["name"].as_str().unwrap();
    assert_eq!(name, hall.simulator.book(Book::ScoreBoard)[&1]["name"]);
}
