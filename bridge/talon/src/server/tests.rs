use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use talon_runtime::bus::{Bus, BusFault, Grant, ShardLog, ShardSpec};
use talon_runtime::engine::{FeedRow, Glance};
use talon_runtime::health::{Component, Severity, State as Word};
use talon_runtime::metrics::{FeedStatus, Metrics, OldestScope};
use talon_runtime::{Engine, Parts};
use talon_sdk::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::*;

const HOSTILE: &str = r#"</td><script>alert("1")</script><img src=x onerror='a&b'>{{main}}"#;
const NOW: i64 = 1_700_000_000_000;

struct NoBus;

impl Bus for NoBus {
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
fn instances(engine: &Engine) -> Instances {
    Instances::start(crate::instances::Parts {
        prefix: "talon".to_owned(),
        worker: "here:8083".to_owned(),
        bus: Arc::new(NoBus),
        replication: 0,
        file: BTreeMap::new(),
        relays: std::collections::BTreeSet::new(),
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
            bus: Arc::new(NoBus),
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
        let parts = (view.clone(), about(), instances(&engine));
        let serving = serve_patiently(listener, patience, access, parts, stopped);
        Server { _engine: engine, address, view, stop, served: tokio::spawn(serving) }
    }

    /// The reply to a request, head and body.
    async fn ask(&self, method: &str, path: &str) -> (String, String) {
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

fn component(severity: Severity, state: Word, message: &str) -> Component {
    Component { state, severity, since_ms: NOW - 60_000, message: message.to_owned() }
}

/// A connector `c` with a feed `doors` that is read every two seconds.
fn glance(observed_ms: Option<i64>, withheld: u64) -> Glance {
    let row = FeedRow {
        connector: "c".to_owned(),
        feed: "doors".into(),
        topic: "talon.c.doors".to_owned(),
        interval_ms: 2_000,
    };
    let status =
        FeedStatus { observed_ms, oldest: None, entities: 1_234_567, withheld, published: 89 };
    let up = component(Severity::Vital, Word::Up, "");
    let components = BTreeMap::from([("bus".to_owned(), up.clone()), ("c".to_owned(), up)]);
    let (commands, backfills, quotas) = (vec![], BTreeMap::new(), BTreeMap::new());
    Glance {
        status: "up",
        components,
        feeds: vec![(row, status)],
        commands,
        backfills,
        relays: vec![],
        quotas,
        now_ms: NOW,
    }
}

fn has_headline(page: &str, words: &str) -> bool {
    page.contains(&format!("</span> {words}</h1>")) && page.contains(&format!("<title>{words} ·"))
}

#[test]
fn a_backfill_shows_how_far_it_is_and_how_long_the_rest_will_take() {
    let about = about();
    let mut glance = glance(Some(NOW), 0);
    glance.backfills.insert(
        "c".to_owned(),
        talon_sdk::Standing { total: 2_000, done: 500, left_ms: Some(7_200_000) },
    );
    assert!(
        page::render(&glance, &about)
            .contains("Backfill: 500 of 2\u{202f}000 days, 25 %; about 2\u{a0}h left")
    );
}

#[test]
fn a_relay_shows_how_fresh_it_is_and_what_is_behind() {
    let mut glance = glance(Some(NOW), 0);
    glance.relays.push(talon_runtime::relay::RelayRow {
        relay: HOSTILE.to_owned(),
        task: 3,
        way: "Kafka at a to Kafka at b".to_owned(),
        parts: 2,
        behind: 1_234,
        carried: 56,
        dead_letters: 7,
        fresh_ms: Some(NOW - 7_200_000),
    });
    let page = page::render(&glance, &about());
    assert!(page.contains("<td>2\u{a0}h ago</td><td class=\"number\">2</td>"), "{page}");
    assert!(page.contains("1\u{202f}234</td><td class=\"number\">56</td>"), "{page}");
    assert!(!page.contains(HOSTILE), "{page}");
}

#[test]
fn a_quota_shows_what_is_left_of_it_and_when_the_next_call_may_be_made() {
    let mut glance = glance(Some(NOW), 0);
    let mut show = |left| {
        let quota = talon_sdk::Left { left, limit: 8, next_ms: NOW + 600_000, is_refused: false };
        glance.quotas.insert("c".to_owned(), BTreeMap::from([("Read", quota)]));
        page::render(&glance, &about())
    };
    assert!(show(3).contains("Quota of <code>Read</code>: 3 of 8 calls an hour left</p>"));
    assert!(show(0).contains("0 of 8 calls an hour left; the next one in 10\u{a0}min</p>"));
}

#[test]
fn the_scope_that_was_read_longest_ago_is_named_beside_the_last_observation() {
    let mut glance = glance(Some(NOW), 0);
    let scope = format!("{HOSTILE}/2024-07-05");
    glance.feeds[0].1.oldest = Some(OldestScope { scope, at_ms: NOW - 7_200_000 });
    let page = page::render(&glance, &about());
    assert!(page.contains("<td>just now <span class=\"hint\">oldest: "), "{page}");
    assert!(
        page.contains("/2024-07-05, 2\u{a0}h</span></td>") && !page.contains(HOSTILE),
        "{page}"
    );
}

#[test]
fn names_and_messages_of_others_are_text() {
    let mut glance = glance(None, 0);
    glance.feeds[0].0.connector = HOSTILE.to_owned();
    glance.feeds[0].0.topic = HOSTILE.to_owned();
    let faulty = component(Severity::Vital, Word::Unavailable, HOSTILE);
    glance.components.insert(HOSTILE.to_owned(), faulty);
    glance.status = "unavailable";
    let mut about = about();
    about.bus = HOSTILE.to_owned();
    about.registry = Some(HOSTILE.to_owned());
    about.prefix = HOSTILE.to_owned();
    about.recent.push(HOSTILE.to_owned());
    let page = page::render(&glance, &about);
    assert_eq!(page.matches("<script>").count(), 1, "only the template's own");
    assert_eq!(page.matches("<main>").count(), 1);
    assert!(!page.contains("<img"));
    let escaped = "&lt;/td&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;\
        &lt;img src=x onerror=&#39;a&amp;b&#39;&gt;{{main}}";
    assert!(page.matches(escaped).count() >= 8, "{page}");
}

#[test]
fn a_name_cannot_turn_the_direction_of_the_text() {
    assert_eq!(text::Text("a\u{202e}b\u{7}c").to_string(), "a\u{fffd}b\u{fffd}c");
}

#[test]
fn a_feed_that_is_read_is_up() {
    let page = page::render(&glance(Some(NOW - 11_000), 0), &about());
    assert!(has_headline(&page, "Up"));
    assert!(page.contains("11\u{a0}s ago</td>"));
    assert!(page.contains("1\u{202f}234\u{202f}567"));
    assert!(!page.contains("Last events"));
}

#[test]
fn a_feed_that_stands_still_is_shown() {
    let page = page::render(&glance(Some(NOW - 11_001), 0), &about());
    assert!(has_headline(&page, "Up, with warnings"));
    assert!(page.contains("1 of 1 feeds stand still: <strong>c/doors</strong>"));
    assert!(page.contains("late: due every 2\u{a0}s"));
}

#[test]
fn a_feed_that_never_gave_anything_stands_still() {
    let page = page::render(&glance(None, 0), &about());
    assert!(page.contains("none yet"));
    assert!(page.contains("feeds stand still: <strong>c/doors</strong>"));
}

#[test]
fn a_feed_that_cannot_be_read_degrades_the_whole() {
    let mut glance = glance(Some(NOW - 60_000), 0);
    let faulty = component(Severity::Feed, Word::Misconfigured, "401 from `/doors`");
    glance.components.insert("c/doors".to_owned(), faulty);
    glance.status = "degraded";
    let page = page::render(&glance, &about());
    assert!(has_headline(&page, "Degraded"));
    assert!(page.contains("1 of 1 feeds cannot be read: <strong>c/doors</strong>"));
    assert!(page.contains("401 from `/doors`"));
    assert!(page.contains("needs a person"));
    assert!(!page.contains("feeds stand still"), "said once");
}

#[test]
fn the_bus_is_named_before_the_connectors_it_takes_along() {
    let mut glance = glance(Some(NOW), 0);
    let faulty = component(Severity::Vital, Word::Unavailable, "connection refused");
    for name in ["a", "bus", "c"] {
        glance.components.insert(name.to_owned(), faulty.clone());
    }
    glance.status = "unavailable";
    let page = page::render(&glance, &about());
    assert!(has_headline(&page, "Unavailable"));
    assert!(page.contains("<p><strong>bus</strong> is unavailable: connection refused</p>"));
}

#[test]
fn a_start_is_no_alarm() {
    let mut glance = glance(None, 0);
    glance
        .components
        .insert("c".to_owned(), component(Severity::Vital, Word::Starting, "starting"));
    glance.status = "unavailable";
    let page = page::render(&glance, &about());
    assert!(has_headline(&page, "Unavailable, starting"));
    assert!(page.contains("<p><strong>c</strong> is starting</p>"));
}

#[test]
fn withheld_deletes_are_shown_and_explained() {
    let page = page::render(&glance(Some(NOW), 1_200), &about());
    assert!(has_headline(&page, "Up, with warnings"));
    assert!(page.contains("Deletes withheld: 1\u{202f}200"));
    assert!(page.contains("which is not believed"));
}

#[test]
fn the_newest_fifty_events_are_kept_and_shown_newest_first() {
    let about = about();
    (0..60).for_each(|n| about.recent.push(format!("event {n}")));
    let lines = about.recent.lines();
    assert_eq!((lines.len(), lines[0].as_str(), lines[49].as_str()), (50, "event 10", "event 59"));
    let page = page::render(&glance(Some(NOW), 0), &about);
    assert!(page.find("event 59").unwrap() < page.find("event 10").unwrap());
}

#[test]
fn the_policy_knows_style_and_script() {
    for tag in ["style", "script"] {
        let (_, rest) = page::TEMPLATE.split_once(&format!("<{tag}>")).unwrap();
        let (content, _) = rest.split_once(&format!("</{tag}>")).unwrap();
        let hash = BASE64_STANDARD.encode(Sha256::digest(content));
        let source = format!("{tag}-src 'sha256-{hash}';");
        assert!(page::POLICY.contains(&source), "`page::POLICY` needs {source}");
        assert!(!content.contains("{{"), "its hash would change from page to page");
    }
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
    for path in ["/", "/metrics", "/health/live", "/health/ready", "/nothing"] {
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
            bus: Arc::new(NoBus),
            registry: None,
            connectors: Vec::new(),
            clock: Clock::Manual(Arc::new(AtomicI64::new(NOW))),
            metrics: Metrics::new().unwrap(),
        });
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = async move { stopped.await.unwrap_or_default() };
        let instances = instances(&engine);
        (address, tokio::spawn(serve(listener, engine.view(), about(), instances, stopped)), engine)
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
