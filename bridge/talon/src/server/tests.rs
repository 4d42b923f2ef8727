use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};

use talon_runtime::bus::Which;
use talon_runtime::bus::{
    Bus, BusFault, Found, Grant, Look, Looked, Position, ShardLog, ShardSpec,
};
use talon_runtime::health::{Severity, State as Word};
use talon_runtime::metrics::Metrics;
use talon_runtime::{Engine, Parts};
use talon_sdk::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::*;

const NOW: i64 = 1_700_000_000_000;

/// A bus that takes no connector, and keeps what tests put on it: records of topics, oldest first.
#[derive(Default)]
struct NoBus(Records);

/// Topic, key and value.
pub(super) type Records = Arc<Mutex<Vec<(String, String, Option<Vec<u8>>)>>>;

impl Bus for NoBus {
    fn look(&self, look: &Look) -> Result<Looked, BusFault> {
        let records = self.0.lock().unwrap();
        let here = records.iter().enumerate().filter(|(_, (topic, ..))| *topic == look.topic);
        let wanted = here.filter(|(at, (_, key, _))| match &look.which {
            Which::Newest => true,
            Which::OfKey(of) => of == key,
            Which::At(position) => position.offset == *at as i64,
        });
        let found = wanted.map(|(at, (_, key, value))| Found {
            key: Some(key.clone()),
            value: value.clone(),
            headers: Vec::new(),
            at_ms: NOW + at as i64,
            position: Position { partition: 0, offset: at as i64 },
            stands: format!("record {at}"),
        });
        let looked =
            Looked { records: found.collect(), is_there: true, is_complete: true, read: 7 };
        Ok(looked.newest_first(look.most))
    }

    fn describe(&self) -> String {
        "no bus".to_owned()
    }

    fn probe(&self) -> Result<String, BusFault> {
        Err(BusFault::Unavailable("no bus".to_owned()))
    }

    fn open(&self, _: &ShardSpec, _: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        Err(BusFault::Unavailable("no bus".to_owned()))
    }
}

/// The connectors of an engine, on a bus in memory.
fn instances(engine: &Engine, records: Records) -> Instances {
    Instances::start(crate::instances::Parts {
        prefix: "talon".to_owned(),
        worker: "here:8083".to_owned(),
        bus: Arc::new(NoBus(records)),
        replication: 0,
        file: BTreeMap::new(),
        relays: engine.relays(),
        directories: Vec::new(),
        secrets: talon_sdk::config::Secrets::of_process(),
        clock: Clock::System,
        metrics: Metrics::new().unwrap(),
        connectors: engine.connectors(),
        view: engine.view(),
    })
}

/// A server at work.
pub(super) struct Server {
    _engine: Engine,
    address: SocketAddr,
    view: View,
    pub(super) records: Records,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<io::Result<()>>,
}

impl Server {
    pub(super) async fn start(patience: Duration) -> Server {
        Server::asking(patience, Access::new(access::options::Options::default())).await
    }

    /// One that asks who calls.
    pub(super) async fn asking(patience: Duration, access: Access) -> Server {
        let engine = Engine::start(Parts {
            prefix: "talon".to_owned(),
            bus: Arc::new(NoBus::default()),
            registry: None,
            connectors: Vec::new(),
            clock: Clock::Manual(Arc::new(AtomicI64::new(NOW))),
            metrics: Metrics::new().unwrap(),
        });
        let view = engine.view();
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move { stopped.await.unwrap_or_default() };
        let records = Records::default();
        let parts = (view.clone(), about(), instances(&engine, records.clone()));
        let serving = serve_patiently(listener, patience, access, parts, stopped);
        Server { _engine: engine, address, view, records, stop, served: tokio::spawn(serving) }
    }

    /// The reply to a request, head and body.
    pub(super) async fn ask(&self, method: &str, path: &str) -> (String, String) {
        self.send(method, path, "accept: text/html\r\n", "").await
    }

    /// The reply to a request with these headers and this body.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> (String, String) {
        let length = match body.len() {
            0 => String::new(),
            length => format!("content-length: {length}\r\n"),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}{length}\r\n{body}"
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let reply = until_closed(&mut stream).await;
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }
}

async fn until_closed(stream: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    let read = stream.read_to_end(&mut reply);
    // Where bytes of the peer were not read any more, it ends with a reset.
    if let Ok(Err(error)) = timeout(Duration::from_secs(30), read).await {
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    String::from_utf8(reply).unwrap()
}

fn about() -> About {
    About {
        bus: "Kafka at localhost:9092".to_owned(),
        registry: None,
        prefix: "talon".to_owned(),
        mode: "run",
        recent: Recent::default(),
    }
}

#[test]
fn the_newest_fifty_events_are_kept() {
    let about = about();
    (0..60).for_each(|n| about.recent.push(format!("event {n}")));
    let lines = about.recent.lines();
    assert_eq!((lines.len(), lines[0].as_str(), lines[49].as_str()), (50, "event 10", "event 59"));
}

#[tokio::test]
async fn readiness_follows_the_board_and_says_what_is_the_matter() {
    let server = Server::start(PATIENCE).await;
    let (head, _) = server.ask("GET", "/health/ready").await;
    assert!(head.starts_with("HTTP/1.1 503"), "nothing has reported yet: {head}");

    server.view.health.set("bus", Severity::Vital, Word::Up, "");
    server.view.health.set("c/doors", Severity::Feed, Word::Unavailable, "timed out");
    let (head, body) = server.ask("GET", "/health/ready").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["status"], "degraded");
    assert_eq!(body["components"]["c/doors"]["message"], "timed out");

    server.view.health.set("bus", Severity::Vital, Word::Unavailable, "refused");
    let (head, body) = server.ask("GET", "/health/ready").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["status"], "unavailable");
    assert_eq!(body["components"]["bus"]["state"], "unavailable");

    let (head, body) = server.ask("GET", "/health/live").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body, r#"{"status":"up"}"#);
}

#[tokio::test]
async fn metrics_have_the_content_type_of_prometheus() {
    let server = Server::start(PATIENCE).await;
    let (head, body) = server.ask("GET", "/metrics").await;
    assert!(head.contains("content-type: text/plain; version=0.0.4\r\n"), "{head}");
    assert!(body.contains("talon_build_info"), "{body}");
}

#[tokio::test]
async fn every_reply_is_guarded() {
    let server = Server::start(PATIENCE).await;
    for path in ["/", "/console/commands", "/metrics", "/health/live", "/health/ready", "/nothing"]
    {
        let (head, _) = server.ask("GET", path).await;
        assert!(head.contains("content-security-policy: default-src 'none';"), "{path}: {head}");
        assert!(head.contains("x-content-type-options: nosniff"), "{path}: {head}");
        assert!(head.contains("cache-control: no-store"), "{path}: {head}");
    }
}

#[tokio::test]
async fn an_unknown_path_gets_the_list_of_paths() {
    let server = Server::start(PATIENCE).await;
    let (head, body) = server.ask("GET", "/nothing").await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    for path in ["/metrics", "/health/live", "/health/ready"] {
        assert!(body.contains(path), "{body}");
    }
}

#[tokio::test]
async fn only_reading_is_allowed() {
    let server = Server::start(PATIENCE).await;
    let (head, body) = server.ask("HEAD", "/").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
    assert_eq!(body, "");
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let (head, _) = server.ask(method, "/").await;
        assert!(head.starts_with("HTTP/1.1 405"), "{method}: {head}");
    }
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off() {
    let server = Server::start(Duration::from_millis(20)).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: ta").await.unwrap();
    assert!(!until_closed(&mut stream).await.contains("200 OK"));
}

#[tokio::test]
async fn it_stops_when_told_so() {
    let server = Server::start(PATIENCE).await;
    // A connection that waits does not hold it up.
    let _idle = TcpStream::connect(server.address).await.unwrap();
    server.ask("GET", "/").await;
    server.stop.send(()).unwrap();
    timeout(Duration::from_secs(30), server.served).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn an_address_that_is_taken_is_explained() {
    let taken = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let error = bind(taken.local_addr().unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("`http.listen`") && error.contains("another process"), "{error}");
}

/// Asks as a probe does, without a runtime.
fn probed(address: SocketAddr, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: talon\r\nconnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn probes_are_answered_while_every_worker_of_the_process_is_busy() {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (address, serving, _engine) = runtime.block_on(async {
        let engine = Engine::start(Parts {
            prefix: "talon".to_owned(),
            bus: Arc::new(NoBus::default()),
            registry: None,
            connectors: Vec::new(),
            clock: Clock::Manual(Arc::new(AtomicI64::new(NOW))),
            metrics: Metrics::new().unwrap(),
        });
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = async move { stopped.await.unwrap_or_default() };
        let instances = instances(&engine, Records::default());
        let access = Access::new(access::options::Options::default());
        let parts = (engine.view(), about(), instances);
        (address, tokio::spawn(serve(listener, access, parts, stopped)), engine)
    });
    // Once it serves, the only worker is given something that does not end.
    assert!(probed(address, "/health/live").contains(" 200 "));
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let (begin, begun) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        begin.send(()).unwrap();
        ended.recv().unwrap_or_default();
    });
    begun.recv().unwrap();
    for (path, status) in
        [("/health/live", " 200 "), ("/health/ready", " 503 "), ("/metrics", " 200 ")]
    {
        let reply = probed(address, path);
        assert!(reply.lines().next().unwrap().contains(status), "{path}: {reply}");
    }
    drop((end, stop));
    runtime.block_on(serving).unwrap().unwrap();
}
