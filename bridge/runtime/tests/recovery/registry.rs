//! A schema registry that can be lost, and counts the requests for schemas by id.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value as Json, json};
use talon_runtime::registry::{Options, Registry};

#[derive(Default)]
pub(crate) struct State {
    pub(crate) schemas: BTreeMap<u64, String>,
    next: u64,
    /// Requests for a schema, by id.
    pub(crate) asked: BTreeMap<u64, usize>,
    /// Whether it hangs up on everybody.
    pub(crate) is_away: bool,
}

pub(crate) struct Losable {
    url: String,
    state: Arc<Mutex<State>>,
}

impl Losable {
    pub(crate) fn start() -> Losable {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { next: 1, ..State::default() }));
        let served = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = served.clone();
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Losable { url, state }
    }

    /// A client of a process of its own, which remembers nothing of others.
    pub(crate) fn client(&self) -> Registry {
        Registry::new(Options::of(&self.url)).unwrap()
    }

    /// All schemas are gone; it counts from `next` on.
    pub(crate) fn lose(&self, next: u64) {
        *self.state() = State { next, ..State::default() };
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// One request a connection. A client that goes away is no fault of the test's.
fn serve(stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (mut length, mut header) = (0, String::new());
    while reader.read_line(&mut header).ok()? > 2 {
        if let Some(text) = header.to_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().ok()?;
        }
        header.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Json = serde_json::from_slice(&body).unwrap_or_default();
    let path = line.split(' ').nth(1)?;
    if state.lock().unwrap().is_away {
        return None;
    }
    let (status, answer) = match answer(&mut state.lock().unwrap(), path, &body) {
        Some(answer) => ("200 OK", answer),
        None => ("404 Not Found", json!({"error_code": 40403})),
    };
    let answer = answer.to_string();
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    )
    .ok()
}

fn answer(state: &mut State, path: &str, body: &Json) -> Option<Json> {
    if let Some(id) = path.strip_prefix("/schemas/ids/") {
        let id = id.parse().ok()?;
        *state.asked.entry(id).or_default() += 1;
        return Some(json!({"schema": state.schemas.get(&id)?}));
    }
    let schema = body["schema"].as_str()?;
    let known = state.schemas.iter().find(|(_, known)| *known == schema).map(|(id, _)| *id);
    if path.starts_with("/compatibility/") {
        return None;
    }
    if !path.ends_with("/versions") {
        return known.map(|id| json!({ "id": id }));
    }
    let id = state.next;
    state.next += 1;
    state.schemas.insert(id, schema.to_owned());
    Some(json!({ "id": id }))
}
