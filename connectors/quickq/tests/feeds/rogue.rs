//! Halls that no simulator plays: they close at once, answer with what nobody can read, or not at all. What is
//! counted here is bounded by construction, so it is compared with the time that has passed and not with a
//! time that it should take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use talon_sdk::{Connector, Coverage};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::hall::PATIENCE;
use crate::support::connector;

/// What is written for a request, each a frame.
type Script = fn(&Value) -> Vec<Message>;

struct Rogue {
    url: String,
    dialled: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Rogue {
    async fn start(script: Script) -> Rogue {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/logic", listener.local_addr().unwrap());
        let (dialled, asked): (Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
        let (dials, questions) = (dialled.clone(), asked.clone());
        let task = tokio::spawn(async move {
            let mut sockets = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                dials.fetch_add(1, Ordering::SeqCst);
                let questions = questions.clone();
                sockets.spawn(async move {
                    let mut socket = tokio_tungstenite::accept_async(stream).await.ok()?;
                    while let Some(Ok(message)) = socket.next().await {
                        let Message::Text(text) = message else { continue };
                        questions.fetch_add(1, Ordering::SeqCst);
                        for answer in script(&serde_json::from_str(&text).unwrap()) {
                            socket.send(answer).await.ok()?;
                        }
                    }
                    Some(())
                });
            }
        });
        Rogue { url, dialled, asked, task }
    }

    fn connector(&self, settings: &[(&str, &str)]) -> Arc<dyn Connector> {
        let all: Vec<_> =
            [("upstream.url", self.url.as_str())].iter().chain(settings).copied().collect();
        connector(&all).unwrap()
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn said(reply: &Value) -> Message {
    Message::text(reply.to_string())
}

/// As a hall answers that is well, with one service.
fn well(request: &Value) -> Value {
    let command = request["command"].as_str().unwrap();
    let data = match command {
        "login" => json!({ "token": "t" }),
        "serviceList" => json!([{ "id": 1, "name": "a" }]),
        "currentQueue" => json!([{ "id": 7 }]),
        _ => json!({}),
    };
    json!({ "command": command, "data": data })
}

/// Calls a feed, and opens it anew after a fault without any wait, until so many calls have failed; gives the
/// faults. The runtime would wait.
async fn restless(connector: &dyn Connector, feed: &str, faults: usize) -> Vec<String> {
    let mut told = Vec::new();
    while told.len() < faults {
        let mut open = connector.open(feed).unwrap();
        loop {
            match timeout(PATIENCE, open.next(None)).await.unwrap() {
                Ok(_) => {}
                Err(fault) => {
                    told.push(fault.to_string());
                    break;
                }
            }
        }
    }
    told
}

const RATE: (&str, &str) = ("upstream.requests.per.second", "20");

/// Never more than what the rate allows, with what may go at once.
fn assert_bounded(what: &str, count: usize, since: Instant) {
    let bound = 20.0 + 20.0 * since.elapsed().as_secs_f64() + 1.0;
    assert!(count as f64 <= bound, "{count} {what}, bound {bound}");
}

#[tokio::test]
async fn a_server_that_sends_a_list_and_closes_is_dialled_no_more_than_the_rate_allows() {
    for code in [1000, 1001, 1011, 1013, 3000, 4999] {
        // A function cannot take the code along.
        let script: Script = match code {
            1000 => |request| closing(request, 1000),
            1001 => |request| closing(request, 1001),
            1011 => |request| closing(request, 1011),
            1013 => |request| closing(request, 1013),
            3000 => |request| closing(request, 3000),
            _ => |request| closing(request, 4999),
        };
        let hall = Rogue::start(script).await;
        let connector = hall.connector(&[RATE]);
        let since = Instant::now();
        let faults = restless(connector.as_ref(), "service", 12).await;
        assert!(faults[0].contains(&format!("closed it with {code}")), "{}", faults[0]);
        let (dialled, asked) =
            (hall.dialled.load(Ordering::SeqCst), hall.asked.load(Ordering::SeqCst));
        assert_bounded("dials and requests", dialled + asked, since);
        assert!(dialled >= 12);
    }
}

fn closing(request: &Value, code: u16) -> Vec<Message> {
    let mut messages = vec![said(&well(request))];
    if request["command"] == "serviceList" {
        messages
            .push(Message::Close(Some(CloseFrame {
                code: code.into(), reason: "Иванов".into()
            })));
    }
    messages
}

#[tokio::test]
async fn frames_that_cannot_be_read_make_no_more_requests_than_the_rate_allows() {
    let hall = Rogue::start(|request| match request["command"].as_str() {
        // The command is told, and the list is none.
        Some("serviceList") => vec![Message::text(r#"{"command":"serviceList","data":[{"id":"#)],
        _ => vec![said(&well(request))],
    })
    .await;
    let connector = hall.connector(&[RATE]);
    let since = Instant::now();
    let faults = restless(connector.as_ref(), "service", 30).await;
    assert!(faults.iter().all(|fault| fault.contains("something else than it should")));
    let all = hall.dialled.load(Ordering::SeqCst) + hall.asked.load(Ordering::SeqCst);
    assert_bounded("dials and requests", all, since);
}

#[tokio::test]
async fn a_list_that_is_damaged_on_the_way_is_read_again_once_a_second_at_the_most() {
    let hall = Rogue::start(|request| match request["command"].as_str() {
        // Each answer comes with something that may have been a newer list.
        Some("serviceList") => vec![said(&well(request)), Message::text("?"), Message::text("?")],
        _ => vec![said(&well(request))],
    })
    .await;
    let connector = hall.connector(&[("upstream.requests.per.second", "100000")]);
    let mut feed = connector.open("service").unwrap();
    let since = Instant::now();
    let (mut lists, mut unreadable) = (0, 0);
    while lists < 4 {
        let seen = timeout(PATIENCE, feed.next(None)).await.unwrap().unwrap();
        match seen.coverage {
            Coverage::Full => lists += 1,
            _ => unreadable += 1,
        }
    }
    assert!(unreadable >= 4, "{unreadable}: each is a dead letter");
    // Login, `info`, subscribing, and the lists.
    let bound = 3 + 2 + since.elapsed().as_secs() as usize;
    let asked = hall.asked.load(Ordering::SeqCst);
    assert!(asked <= bound, "{asked} requests, bound {bound}");
}

#[tokio::test]
async fn two_texts_in_one_frame_are_two_messages() {
    let hall = Rogue::start(|request| match request["command"].as_str() {
        // The answer, and a push of another book right behind it.
        Some("subscribeServices") => {
            vec![Message::text(format!("{}\n{}", well(request), json!({"command":"x","data":{}})))]
        }
        Some("serviceList") => {
            let push = json!({ "command": "qBoardList", "data": [{ "id": 5 }] });
            vec![Message::text(format!("{push}{}", well(request)))]
        }
        _ => vec![said(&well(request))],
    })
    .await;
    let connector = hall.connector(&[]);
    let mut feed = connector.open("service").unwrap();
    let seen = timeout(PATIENCE, feed.next(None)).await.unwrap().unwrap();
    assert_eq!((seen.coverage, seen.rows.len()), (Coverage::Full, 1));
}

#[tokio::test]
async fn a_queue_of_which_one_workplace_never_answers_tells_nothing_before_its_fault() {
    let hall = Rogue::start(|request| match request["data"]["workplace"].as_i64() {
        Some(2) => Vec::new(),
        _ => vec![said(&well(request))],
    })
    .await;
    let connector =
        hall.connector(&[("queue.workplaces", "1,2"), ("upstream.request.timeout.ms", "300")]);
    for _ in 0..3 {
        let mut feed = connector.open("queue").unwrap();
        let fault = timeout(PATIENCE, feed.next(None)).await.unwrap().unwrap_err();
        assert!(fault.to_string().contains("not answered within"), "{fault}");
    }
}

#[tokio::test]
async fn a_hall_that_accepts_and_never_answers_is_a_fault_of_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/logic", listener.local_addr().unwrap());
    let settings = [("upstream.url", url.as_str()), ("upstream.connect.timeout.ms", "300")];
    let connector = connector(&settings).unwrap();
    let faults = restless(connector.as_ref(), "service", 2).await;
    assert!(faults[0].contains("`upstream.connect.timeout.ms`"), "{}", faults[0]);
    let unknown = [("upstream.url", "ws://no-such-host.invalid/logic")];
    let connector = crate::support::connector(&unknown).unwrap();
    let faults = restless(connector.as_ref(), "service", 1).await;
    assert!(faults[0].contains("the host of `upstream.url` cannot be resolved"), "{}", faults[0]);
    drop(listener);
}
