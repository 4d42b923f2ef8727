//! The REST services of СУО Enter as a client sees them.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::Ordering;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use talon_simulators::enter_rest::{
    Dates, ErrorForm, Fault, FaultKind, Groups, Kind, Names, Settings, Simulator, TABLE,
};

/// 2024-07-10 12:00 in Moscow.
const NOON: i64 = 1_720_602_000_000;
const HOUR: i64 = 3_600_000;

async fn upstream(settings: Settings) -> Simulator {
    // A second installation is refused, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let upstream = Simulator::start(settings).await.unwrap();
    upstream.clock().store(NOON, Ordering::SeqCst);
    upstream
}

/// A hall in which nothing happens by itself.
fn still() -> Settings {
    Settings {
        operators_work: false,
        surveys_run: false,
        visitors_per_hour: 0.0,
        bookings_per_hour: 0.0,
        ..Settings::default()
    }
}

struct Client<'s>(&'s Simulator, String);

impl Client<'_> {
    async fn send(&self, method: Method, path: &str, body: &Value) -> (StatusCode, String) {
        let request = reqwest::Client::new()
            .request(method, format!("{}/{path}", self.0.url()))
            .header("Authorization", &self.1)
            .body(body.to_string());
        let reply = request.send().await.unwrap();
        (reply.status(), reply.text().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, &Value::Null).await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, text) = self.send(Method::POST, path, body).await;
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }
}

async fn signed_in<'s>(upstream: &'s Simulator, path: &str) -> Client<'s> {
    let token = Client(upstream, "none".to_owned()).post(path, &Value::Null).await;
    Client(upstream, token.as_str().unwrap().to_owned())
}

const HALL: &str = "queue/admin/login/admin/12345";
const DESK: &str = "operation/identify/window01/operator01/54321";

#[tokio::test]
async fn every_row_of_the_table_is_answered_by_the_server_that_has_it() {
    for kind in [Kind::Branch, Kind::Central] {
        let upstream = upstream(Settings { kind, ..still() }).await;
        let nobody = Client(&upstream, "none".to_owned());
        let central = ["GET config/servers", "GET queue/load"];
        let both = ["GET queue/statistics", "GET queue/statistics/history"];
        for row in TABLE {
            let (verb, path) = row.split_once(' ').unwrap();
            let path = path.trim_start_matches('/').replace(':', "x");
            let method = verb.parse().unwrap();
            let (status, body) = nobody.send(method, &path, &Value::Null).await;
            let is_there = both.contains(row) || central.contains(row) == (kind == Kind::Central);
            // What it does not have has no words; what it has knows no such thing, or wants a token.
            assert_eq!(is_there, !body.contains("\"Не найдено\""), "{row}: {status} {body}");
        }
    }
}

#[tokio::test]
async fn an_operator_calls_serves_holds_and_redirects_and_each_takes_effect_once() {
    let upstream = upstream(still()).await;
    let desk = signed_in(&upstream, DESK).await;
    let waiting = desk.get("operation/queue").await.as_array().unwrap().len();
    assert_eq!(desk.get("operation/queue/count").await, waiting);
    let invited = desk.post("operation/invite", &Value::Null).await;
    let state = desk.get("operation/state").await;
    assert_eq!(state["TicketProduct"]["Id"], invited["Id"]);
    assert_eq!(desk.send(Method::POST, "operation/complete", &Value::Null).await.0, 409);
    desk.post("operation/start", &Value::Null).await;
    desk.post("operation/hold", &Value::Null).await;
    assert_eq!(desk.get("operation/personal").await[0]["Id"], invited["Id"]);
    let again = format!("operation/invite/{}", invited["Id"].as_str().unwrap());
    desk.post(&again, &Value::Null).await;
    desk.post("operation/start", &Value::Null).await;
    let target = &desk.post("operation/redirect/workPlaces/x", &Value::Null).await[1]["Id"];
    let link = desk.get("operation/menu").await["Items"][0]["Items"][0]["Id"].clone();
    let redirect = format!("operation/redirect/{}", link.as_str().unwrap());
    desk.post(&redirect, &json!({ "workPlaceId": target })).await;
    let done: Vec<&str> = upstream
        .journal()
        .iter()
        .filter(|effect| effect.asked && Some(effect.to.as_str()) == invited["Id"].as_str())
        .map(|effect| effect.what)
        .collect();
    assert_eq!(done, ["invite", "start", "hold", "invite", "start", "redirect"]);
    // Whoever signs in at the workplace takes it over.
    let other = signed_in(&upstream, DESK).await;
    assert_eq!(desk.send(Method::GET, "operation/state", &Value::Null).await.0, 401);
    other.post("operation/logout", &Value::Null).await;
    assert_eq!(other.send(Method::GET, "operation/state", &Value::Null).await.0, 401);
}

#[tokio::test]
async fn the_hall_makes_tickets_and_changes_them() {
    let upstream = upstream(still()).await;
    let hall = signed_in(&upstream, HALL).await;
    let products = hall.get("config/products").await;
    let product = products[0]["Id"].as_str().unwrap();
    let ticket = hall.post("queue/admin/tickets/new", &json!([product])).await;
    let id = ticket["Id"].as_str().unwrap();
    let path = format!("queue/admin/tickets/{id}");
    let added = hall.post(&format!("{path}/addProduct/{product}"), &Value::Null).await;
    let added = added["Id"].as_str().unwrap();
    hall.post(&format!("{path}/{added}/setPriority"), &json!({ "priority": 7 })).await;
    assert_eq!(hall.get(&path).await["Products"][1]["CurrentPriority"], 7);
    hall.post(&format!("{path}/{added}/cancel"), &Value::Null).await;
    assert_eq!(hall.get(&path).await["Products"][1]["State"], 10);
    assert_eq!(upstream.history()[id].len(), 4);
}

#[tokio::test]
async fn a_booking_is_made_confirmed_cancelled_or_expires_and_is_its_visitors_alone() {
    let upstream = upstream(Settings { bookings: 0, ..still() }).await;
    let visitor = signed_in(&upstream, "booking/login/command%2F7").await;
    let product = visitor.get("config/products").await[0]["Id"].as_str().unwrap().to_owned();
    let days = visitor.get(&format!("booking/schedule/days?productId={product}")).await;
    assert_eq!(days[0]["Months"][0]["Days"][1], json!({ "Day": 11, "Free": true }));
    let times = visitor.get(&format!("booking/schedule/days/2024-07-11?productId={product}")).await;
    assert_eq!(times[0]["Time"], "09:00:00");
    let book = |time: &str, confirm: bool| {
        let path = format!("booking/book/2024-07-11/{time}");
        (path, json!({ "productId": product, "confirm": confirm }))
    };
    let mut ids = Vec::new();
    for (time, confirm) in [("09:00", true), ("09:30", false), ("10:00", false)] {
        let (path, body) = book(time, confirm);
        let booked = visitor.post(&path, &body).await;
        ids.push(booked["TicketId"].as_str().unwrap().to_owned());
    }
    visitor.post(&format!("booking/tickets/{}/confirm", ids[1]), &Value::Null).await;
    visitor.post(&format!("booking/tickets/{}/cancel", ids[0]), &Value::Null).await;
    assert_eq!(visitor.get("booking/tickets").await.as_array().unwrap().len(), 3);
    upstream.clock().store(NOON + HOUR, Ordering::SeqCst);
    let mut states = Vec::new();
    for id in &ids {
        let ticket = visitor.get(&format!("booking/tickets/{id}")).await;
        states.push(ticket["Products"][0]["State"].as_i64().unwrap());
    }
    assert_eq!(states, [10, 16, 1], "cancelled, confirmed, expired");
    let other = signed_in(&upstream, "booking/login/other").await;
    let path = format!("booking/tickets/{}", ids[1]);
    assert_eq!(other.send(Method::GET, &path, &Value::Null).await.0, 404);
    let hall = signed_in(&upstream, HALL).await;
    let all = hall.get("queue/admin/booking").await;
    assert_eq!(all[0]["Date"], "2024-07-11T00:00:00");
    assert_eq!(all[0]["Tickets"][0]["Id"], *ids[1]);
}

#[tokio::test]
async fn at_midnight_the_list_begins_anew_in_the_zone_of_the_branch() {
    let upstream = upstream(Settings { zone: "Asia/Kamchatka".to_owned(), ..still() }).await;
    let hall = signed_in(&upstream, HALL).await;
    let count = async || hall.get("queue/admin/tickets").await.as_array().unwrap().len();
    assert_eq!(count().await, 12);
    // 21:00 there.
    upstream.clock().store(NOON + 3 * HOUR - 1, Ordering::SeqCst);
    assert_eq!(count().await, 12);
    upstream.clock().store(NOON + 3 * HOUR, Ordering::SeqCst);
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn the_life_is_the_same_for_a_seed_and_visitors_go_through_all_states() {
    let mut journals = Vec::new();
    for _ in 0..2 {
        let upstream = upstream(Settings { visitors_per_hour: 60.0, ..Settings::default() }).await;
        assert!(upstream.journal().len() > 12);
        upstream.clock().store(NOON + 30 * HOUR, Ordering::SeqCst);
        journals.push(upstream.journal());
    }
    assert_eq!(journals[0], journals[1]);
    for what in ["invite", "start", "complete", "reject", "hold", "redirect", "break_begin"]
        .into_iter()
        .chain(["book", "expire", "activate", "midnight", "survey_answer", "survey_end"])
    {
        assert!(journals[0].iter().any(|effect| effect.what == what), "{what}");
    }
}

#[tokio::test]
async fn the_life_goes_on_at_the_same_pace_however_often_it_is_looked_at() {
    let mut journals = Vec::new();
    for looks in [1, 1_000] {
        let upstream = upstream(Settings { visitors_per_hour: 60.0, ..Settings::default() }).await;
        upstream.look("queue/statistics", None).unwrap();
        for look in 1..=looks {
            upstream.clock().store(NOON + 2 * HOUR * look / looks, Ordering::SeqCst);
            upstream.look("queue/statistics", None).unwrap();
        }
        journals.push(upstream.journal());
    }
    assert!(journals[0].iter().any(|effect| effect.what == "complete"));
    assert_eq!(journals[0], journals[1]);
}

#[tokio::test]
async fn forms_that_the_document_leaves_open_are_switched() {
    let settings = Settings {
        quoted_token: false,
        names: Names::New,
        numbers_as_text: true,
        dates: Dates::Offset,
        groups: Groups::Object,
        errors: ErrorForm::Text,
        ..still()
    };
    let upstream = upstream(settings).await;
    let (_, token) =
        Client(&upstream, "none".to_owned()).send(Method::POST, HALL, &Value::Null).await;
    assert!(!token.contains('"'));
    let hall = Client(&upstream, token);
    let ticket = &hall.get("queue/admin/tickets").await[0];
    assert_eq!(ticket["CreatedTime"], "2024-07-10T12:00:00+03:00");
    assert_eq!(ticket["State"], "1");
    assert!(ticket["Number"].as_str().unwrap().ends_with('1'));
    assert!(hall.get("queue/admin/booking").await.is_object());
    let (status, words) = hall.send(Method::GET, "queue/admin/tickets/7", &Value::Null).await;
    assert_eq!((status.as_u16(), words.as_str()), (404, "Талон не найден"));
}

#[tokio::test]
async fn a_reply_that_is_lost_has_taken_effect_and_an_intruder_acts_first() {
    let upstream = upstream(still()).await;
    let desk = signed_in(&upstream, DESK).await;
    upstream.fault(Fault::from(FaultKind::LostReply).at("POST operation/invite").times(1));
    let lost = reqwest::Client::new()
        .post(format!("{}/operation/invite", upstream.url()))
        .header("Authorization", &desk.1)
        .send();
    assert!(lost.await.is_err());
    assert!(desk.get("operation/state").await["TicketProduct"].is_object());
    upstream.fault(Fault::from(FaultKind::Intruder).at("POST operation/start").times(1));
    desk.send(Method::POST, "operation/start", &Value::Null).await;
    let journal = upstream.journal();
    let whose: Vec<bool> = journal
        .iter()
        .filter(|effect| effect.place == "window01")
        .map(|effect| effect.asked)
        .collect();
    assert_eq!(whose[..2], [true, false]);
    upstream.fault(Fault::from(FaultKind::TakenOver).times(1));
    assert_eq!(desk.send(Method::GET, "operation/state", &Value::Null).await.0, 401);
    upstream.fault(Fault::from(FaultKind::EmptyList).at("GET queue/admin/tickets").times(1));
    let hall = signed_in(&upstream, HALL).await;
    assert_eq!(hall.get("queue/admin/tickets").await, json!([]));
}

#[tokio::test]
async fn twenty_thousand_tickets_are_one_list() {
    let upstream = upstream(Settings { visitors: 20_000, ..still() }).await;
    let hall = signed_in(&upstream, HALL).await;
    assert_eq!(hall.get("queue/admin/tickets").await.as_array().unwrap().len(), 20_000);
}
