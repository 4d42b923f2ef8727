//! A registry in memory, with faults, over HTTP or HTTPS.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What it has and how it behaves.
#[derive(Default)]
pub(crate) struct State {
    /// The path before the API.
    pub(crate) base: &'static str,
    /// Versions of each subject: id and text.
    pub(crate) subjects: BTreeMap<String, Vec<(usize, String)>>,
    /// What the schemas of ids refer to.
    pub(crate) references: BTreeMap<usize, Json>,
    /// What was asked, such as `GET /subjects`.
    pub(crate) asked: Vec<String>,
    /// Answered to everything.
    pub(crate) all: Option<(u16, &'static str)>,
    /// Answered to a registration.
    pub(crate) refused: Option<(u16, Json)>,
    /// One subject that is answered 409 until another one has a schema.
    pub(crate) refused_until: Option<(&'static str, &'static str)>,
    /// Registrations that are answered 409 although nothing is wrong, and not taken.
    pub(crate) conflicts: usize,
    /// Whether `GET /subjects` is forbidden.
    pub(crate) is_list_forbidden: bool,
    /// Registrations under way, and the most at a time.
    under_way: usize,
    pub(crate) most_under_way: usize,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Server {
        Server::serve(None).await
    }

    pub(crate) async fn start_tls(tls: rustls::ServerConfig) -> Server {
        Server::serve(Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn serve(tls: Option<TlsAcceptor>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state: Arc<Mutex<State>> = Arc::default();
        let served = state.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, state) = (tls.clone(), served.clone());
                connections.spawn(async move {
                    match tls {
                        None => converse(stream, &state).await,
                        // Read to the end: what is left unread would reset the connection, and the
                        // alert could be lost.
                        Some(tls) => match tls.accept(stream).into_fallible().await {
                            Ok(stream) => converse(stream, &state).await,
                            Err((_, mut stream)) => {
                                stream.shutdown().await.ok()?;
                                tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok()?;
                                None
                            }
                        },
                    }
                });
            }
        });
        Server { address, state, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Registers a text behind the client's back.
    pub(crate) fn has(&self, subject: &str, text: &str) -> usize {
        self.state().add(subject, text)
    }

    /// What was asked since this was called last.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().asked)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn add(&mut self, subject: &str, text: &str) -> usize {
        let known = self.subjects.values().flatten().find(|(_, known)| known == text);
        let new = self.subjects.values().flatten().map(|(id, _)| *id).max().unwrap_or(0) + 1;
        let id = known.map_or(new, |(id, _)| *id);
        let versions = self.subjects.entry(subject.to_owned()).or_default();
        if !versions.iter().any(|(known, _)| *known == id) {
            versions.push((id, text.to_owned()));
        }
        id
    }

    fn answer(&mut self, method: &str, path: &str, body: &Json) -> (u16, String) {
        if let Some((status, text)) = self.all {
            return (status, text.to_owned());
        }
        let nothing = |code: u32| (404, json!({"error_code": code, "message": "none"}).to_string());
        let Some(path) = path.strip_prefix(self.base) else { return nothing(404) };
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let text = body["schema"].as_str().unwrap_or_default();
        match (method, parts.as_slice()) {
            ("GET", ["subjects"]) if self.is_list_forbidden => (403, String::new()),
            ("GET", ["subjects"]) => {
                (200, json!(self.subjects.keys().collect::<Vec<_>>()).to_string())
            }
            ("GET", ["schemas", "types"]) => (200, r#"["JSON","AVRO"]"#.to_owned()),
            ("POST", ["subjects", subject]) => match self.subjects.get(*subject) {
                None => nothing(40401),
                Some(versions) => match versions.iter().find(|(_, known)| known == text) {
                    Some((id, _)) => (200, json!({"id": id}).to_string()),
                    None => nothing(40403),
                },
            },
            ("GET", ["subjects", subject, "versions"]) => match self.subjects.get(*subject) {
                None => nothing(40401),
                Some(versions) => {
                    (200, json!((1..=versions.len()).collect::<Vec<_>>()).to_string())
                }
            },
            ("GET", ["subjects", subject, "versions", version]) => {
                let subject = subject.replace("%2F", "/");
                let Some(versions) = self.subjects.get(&subject) else { return nothing(40401) };
                let place = version.parse().unwrap_or(versions.len());
                let (id, text) = &versions[place - 1];
                let references = self.references.get(id);
                let found = json!({"id": id, "version": place, "schema": text, "references": references.unwrap_or(&json!([]))});
                (200, found.to_string())
            }
            ("GET", ["schemas", "ids", id]) => {
                let mut all = self.subjects.values().flatten();
                let Some((id, text)) = all.find(|(known, _)| known.to_string() == *id) else {
                    return nothing(40403);
                };
                match self.references.get(id) {
                    Some(references) => {
                        (200, json!({"schema": text, "references": references}).to_string())
                    }
                    None => (200, json!({"schema": text}).to_string()),
                }
            }
            // As Apicurio without a rule.
            ("POST", ["compatibility", ..]) => (200, r#"{"is_compatible":true}"#.to_owned()),
            ("POST", ["subjects", subject, "versions"]) => {
                if let Some((status, body)) = &self.refused {
                    return (*status, body.to_string());
                }
                let is_refused = self.refused_until.is_some_and(|(refused, until)| {
                    *subject == refused && !self.subjects.contains_key(until)
                });
                if is_refused || self.conflicts > 0 {
                    self.conflicts = self.conflicts.saturating_sub(1);
                    return (409, json!({"error_code": 409, "message": "it exists"}).to_string());
                }
                (200, json!({"id": self.add(subject, text)}).to_string())
            }
            _ => nothing(404),
        }
    }
}

/// `None` as soon as the other side has gone.
async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    state: &Mutex<State>,
) -> Option<()> {
    loop {
        let (method, path, body) = read_request(&mut stream).await?;
        state.lock().unwrap().asked.push(format!("{method} {path}"));
        let is_registration = method == "POST" && path.ends_with("/versions");
        if is_registration {
            let mut state = state.lock().unwrap();
            state.under_way += 1;
            state.most_under_way = state.most_under_way.max(state.under_way);
        }
        // Long enough for another request to arrive.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let (status, text) = {
            let mut state = state.lock().unwrap();
            state.under_way -= usize::from(is_registration);
            state.answer(&method, &path, &body)
        };
        let reply = match status {
            300..=399 => {
                format!("HTTP/1.1 {status} x\r\nlocation: {text}\r\ncontent-length: 0\r\n\r\n")
            }
            _ => format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{text}", text.len()),
        };
        stream.write_all(reply.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, String, Json)> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(text).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    let mut words = head.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some((method, path, serde_json::from_slice(&body).unwrap_or_default()))
}
