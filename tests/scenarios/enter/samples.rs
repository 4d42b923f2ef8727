//! The sample replies of the document, as a server sends them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::civil::{Date, date};
use talon_simulators::enter_export::Settings;
use tokio::net::TcpListener;

use crate::hall::{Hall, until};

const SERVERS: &str = include_str!("../../../connectors/enter/tests/samples/servers.json");
const SOURCES: &str = include_str!("../../../connectors/enter/tests/samples/ticket_sources.json");
const TICKETS: &str = include_str!("../../../connectors/enter/tests/samples/tickets.json");
const HISTORY: &str = include_str!("../../../connectors/enter/tests/samples/history.json");

/// The branch whose tickets the samples show.
const BRANCH: &str = "78e721bb-c691-7d58-1db5-97882ad01310";

type Asked = Query<BTreeMap<String, String>>;

/// The sample for its branch and day, and an empty day for all others.
async fn tickets(Query(asked): Asked) -> &'static str {
    match (&*asked["serverId"], &*asked["date"]) {
        (BRANCH, "07.09.2017") => TICKETS,
        _ => r#"{"Tickets":[]}"#,
    }
}

async fn history(Query(asked): Asked) -> &'static str {
    match (&*asked["serverId"], &*asked["date"]) {
        (BRANCH, "10.07.2024") => HISTORY,
        _ => "[]",
    }
}

/// A server that sends the samples; an old one has no history.
async fn server(is_old: bool) -> String {
    let statistics = "/api/1/queue/statistics/tickets";
    let mut router = Router::new()
        .route("/api/1/config/servers", get(|| async { SERVERS }))
        .route("/api/1/config/ticketSources", get(|| async { SOURCES }))
        .route(statistics, get(tickets));
    router = match is_old {
        true => router.route(
            &format!("{statistics}/history"),
            get(|| async { StatusCode::NOT_FOUND.into_response() }),
        ),
        false => router.route(&format!("{statistics}/history"), get(history)),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// What a connector publishes that reads the samples on a day.
async fn read(is_old: bool, day: Date, counts: [(&str, usize); 4]) -> Hall {
    let url = server(is_old).await;
    let mut hall = Hall::open(Settings::noisy(), &[("upstream.url", &url)]).await;
    let noon = day.at(12, 0, 0, 0).in_tz("Europe/Moscow").unwrap();
    hall.upstream.clock().store(noon.timestamp().as_millisecond(), Ordering::SeqCst);
    let engine = hall.start();
    for (feed, count) in counts {
        until(&format!("{feed} is read"), || hall.events(feed).len() == count).await;
    }
    assert!(engine.stop(std::time::Duration::from_secs(30)).await);
    for (feed, count) in counts {
        assert_eq!(hall.events(feed).len(), count, "{feed}");
    }
    assert_eq!(hall.bus.records("t.queue.dlq").len(), 0);
    hall.check_exactly_once();
    hall
}

#[tokio::test(flavor = "multi_thread")]
async fn the_samples_of_the_document_become_events_of_all_feeds() {
    let day = date(2024, 7, 10);
    let counts = [("branch", 21), ("ticket_source", 31), ("ticket", 1), ("ticket_operation", 3)];
    let hall = read(false, day, counts).await;
    let key = format!("{BRANCH}/7849fd63-6000-4103-b45b-59b7172ce168");
    let ticket = &hall.tickets()[&key];
    assert_eq!((&ticket["day"], &ticket["number"]), (&"2024-07-10".into(), &"П1".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_samples_of_an_old_server_become_events_of_the_same_form() {
    let day = date(2017, 9, 7);
    let counts = [("branch", 21), ("ticket_source", 31), ("ticket", 34), ("ticket_operation", 0)];
    let hall = read(true, day, counts).await;
    let open = hall.tickets().values().filter(|ticket| ticket["is_open"] == true).count();
    assert_eq!(open, 4, "they wait and are served for ever");
}
