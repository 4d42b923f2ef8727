//! A request with a permit that ends while it waits: the server sees nothing of it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use talon_http::{Failure, FailureKind, HeaderValue, Lane, Method, Reply, Request, Sent};
use talon_sdk::{Permit, UpstreamMetrics};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsAcceptor;

use crate::authority::{authority, server_config, write};
use crate::server::{Server, reply};
use crate::upstream::{PERSONAL, assert_discreet, client, counted, list};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A permit that ends by hand, and counts how often it was asked.
#[derive(Clone)]
struct Leave {
    holds: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Leave {
    fn new() -> Leave {
        Leave { holds: Arc::new(AtomicBool::new(true)), asked: Arc::default() }
    }

    fn permit(&self) -> Permit {
        let leave = self.clone();
        Permit::new(move || {
            leave.asked.fetch_add(1, Ordering::SeqCst);
            leave.holds.load(Ordering::SeqCst)
        })
    }

    fn end(&self) {
        self.holds.store(false, Ordering::SeqCst);
    }

    async fn is_asked(&self, times: usize) {
        until(|| self.asked.load(Ordering::SeqCst) >= times).await;
    }
}

/// A permit that holds when it is asked for the first `times`.
fn holding(times: usize) -> Permit {
    let asked = AtomicUsize::new(0);
    Permit::new(move || asked.fetch_add(1, Ordering::SeqCst) < times)
}

async fn until(met: impl Fn() -> bool) {
    let wait = async {
        while !met() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap();
}

/// Changes something, with something personal in path and body.
fn change(permit: &Permit) -> Request<'static> {
    Request::new(Method::POST, "POST /call/{phone}", ["call", PERSONAL])
        .body(PERSONAL, HeaderValue::from_static("text/plain"))
        .lane(Lane::Command)
        .permit(permit)
}

fn assert_unsent(outcome: Result<Reply, Failure>, metrics: &UpstreamMetrics) {
    let failure = outcome.unwrap_err();
    assert_eq!((failure.kind, failure.sent), (FailureKind::NoPermit, Sent::No), "{failure}");
    assert_eq!(failure.fault().kind(), "unavailable");
    let reason =
        "`POST /call/{phone}` was not sent: this process may no longer act for the connector";
    assert_eq!(failure.to_string(), reason);
    assert!(!format!("{failure:?}").contains(PERSONAL));
    assert_eq!(counted(metrics, "no_permit"), 0, "nothing was asked");
}

/// A server that lets connections in, and through the TLS handshake, when it is told to; it keeps what
/// comes over each, after decryption.
struct Peer {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<Vec<u8>>>>,
    gate: Arc<Semaphore>,
    task: JoinHandle<()>,
}

impl Peer {
    /// Accepts nothing before [`Peer::open`].
    async fn start(listener: TcpListener, tls: Option<rustls::ServerConfig>) -> Peer {
        let address = listener.local_addr().unwrap();
        let connections: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let gate = Arc::new(Semaphore::new(0));
        let (kept, passage) = (connections.clone(), gate.clone());
        let tls = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
        let task = tokio::spawn(async move {
            passage.acquire().await.unwrap().forget();
            passage.add_permits(1);
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (kept, tls) = (kept.clone(), tls.clone());
                open.spawn(async move {
                    match tls {
                        None => keep(stream, &kept).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => keep(stream, &kept).await,
                            Err(_) => kept.lock().unwrap().push(Vec::new()),
                        },
                    }
                });
            }
        });
        Peer { address, connections, gate, task }
    }

    fn open(&self) {
        self.gate.add_permits(1);
    }

    /// What came over connections that have ended, once there are so many.
    async fn received(&self, connections: usize) -> Vec<u8> {
        until(|| self.connections.lock().unwrap().len() >= connections).await;
        self.connections.lock().unwrap().concat()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers each request, and keeps what came when the other side has ended the connection.
async fn keep(mut stream: impl AsyncRead + AsyncWrite + Unpin, kept: &Mutex<Vec<Vec<u8>>>) {
    let (mut all, mut answered) = (Vec::new(), 0);
    let mut piece = [0; 4096];
    // An end without a TLS farewell is an error, and an end all the same.
    while let Ok(length @ 1..) = stream.read(&mut piece).await {
        all.extend_from_slice(&piece[..length]);
        let requests = all.windows(PERSONAL.len()).filter(|part| *part == PERSONAL.as_bytes());
        // Each has it twice: in its path and in its body.
        if requests.count() / 2 > answered {
            answered += 1;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]";
            stream.write_all(answer).await.unwrap();
        }
    }
    kept.lock().unwrap().push(all);
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// A server's TLS for a test, and what the client needs to trust it.
struct Tls {
    directory: tempfile::TempDir,
    config: rustls::ServerConfig,
    ca: String,
}

fn tls(protocol: &str) -> Tls {
    let authority = authority("ours");
    let mut config = server_config(&authority, "127.0.0.1", None);
    config.alpn_protocols = vec![protocol.into()];
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &authority.pem());
    Tls { directory, config, ca }
}

#[tokio::test]
async fn a_permit_that_holds_is_asked_last_when_the_connection_is_there() {
    for is_secured in [false, true] {
        let tls = tls("http/1.1");
        let config = is_secured.then(|| tls.config.clone());
        let peer = Peer::start(listener().await, config).await;
        peer.open();
        let scheme = if is_secured { "https" } else { "http" };
        let url = format!("{scheme}://{}", peer.address);
        let (client, _) = client(&url, &[("upstream.ca.file", &tls.ca)]);
        let leave = Leave::new();
        assert!(client.send(change(&leave.permit())).await.unwrap().is_success());
        assert_eq!(leave.asked.load(Ordering::SeqCst), 2, "after the budget and when connected");
        let received = String::from_utf8(peer.received(1).await).unwrap();
        assert!(received.starts_with(&format!("POST /call/{PERSONAL} HTTP/1.1\r\n")), "{received}");
        drop(tls.directory);
    }
}

#[tokio::test]
async fn a_permit_that_ends_during_the_wait_for_the_budget_keeps_the_request_back() {
    let server = Server::start(reply(200, "", "[]")).await;
    let (client, metrics) = client(&server.url(), &[("upstream.requests.per.second", "1")]);
    // Uses the budget up.
    assert_unsent(client.send(change(&holding(0))).await, &metrics);
    let leave = Leave::new();
    let sent = tokio::spawn({
        let (client, permit) = (client.clone(), leave.permit());
        async move { client.send(change(&permit)).await }
    });
    // Only now the other task runs, up to where it waits.
    tokio::task::yield_now().await;
    leave.end();
    assert_unsent(sent.await.unwrap(), &metrics);
    assert_eq!(server.requests(), [""; 0]);
}

#[tokio::test]
async fn a_permit_that_ends_while_the_connection_is_made_keeps_the_request_back() {
    // With room for one connection that is not accepted yet.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let peer = Peer::start(listener, None).await;
    let mut crowd = Vec::new();
    while let Ok(connected) =
        timeout(Duration::from_millis(200), TcpStream::connect(peer.address)).await
    {
        crowd.push(connected.unwrap());
    }
    let settings = [("upstream.connect.timeout.ms", "60000")];
    let (client, metrics) = client(&format!("http://{}", peer.address), &settings);
    let leave = Leave::new();
    let permit = leave.permit();
    let sent = tokio::spawn(async move { client.send(change(&permit)).await });
    leave.is_asked(1).await;
    leave.end();
    peer.open();
    assert_unsent(sent.await.unwrap(), &metrics);
    let connections = crowd.len() + 1;
    drop(crowd);
    assert_eq!(peer.received(connections).await, b"");
}

#[tokio::test]
async fn a_permit_that_ends_during_the_tls_handshake_keeps_the_request_back() {
    for protocol in ["http/1.1", "h2"] {
        let tls = tls(protocol);
        let peer = Peer::start(listener().await, Some(tls.config)).await;
        let url = format!("https://{}", peer.address);
        let (client, metrics) = client(&url, &[("upstream.ca.file", &tls.ca)]);
        let leave = Leave::new();
        let permit = leave.permit();
        let sent = tokio::spawn(async move { client.send(change(&permit)).await });
        leave.is_asked(1).await;
        leave.end();
        peer.open();
        assert_unsent(sent.await.unwrap(), &metrics);
        assert_eq!(peer.received(1).await, b"", "{protocol}");
        drop(tls.directory);
    }
}

#[tokio::test]
async fn a_permit_is_asked_twice_also_after_other_requests() {
    let server = Server::start(reply(200, "", "[]")).await;
    let (client, metrics) = client(&server.url(), &[]);
    client.read(list()).await.unwrap();
    assert!(client.send(change(&holding(2))).await.unwrap().is_success());
    assert_unsent(client.send(change(&holding(1))).await, &metrics);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_stream_is_not_begun_without_a_permit() {
    let server = Server::start(reply(200, "", "[]")).await;
    let (client, metrics) = client(&server.url(), &[]);
    for times in [0, 1] {
        let streamed = client.stream(change(&holding(times))).await;
        assert_unsent(streamed.map(|stream| stream.head().clone()), &metrics);
    }
    assert_eq!(server.requests(), [""; 0]);
    let mut stream = client.stream(change(&Permit::always())).await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().as_deref(), Some(&b"[]"[..]));
}

#[tokio::test]
async fn a_failure_to_connect_is_not_taken_for_the_end_of_a_permit() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let (client, metrics) = client(&url, &[]);
    let failure = client.send(list().permit(&Permit::always())).await.unwrap_err();
    assert_eq!((failure.kind, failure.sent), (FailureKind::Connect, Sent::No), "{failure}");
    assert_discreet(&failure);
    assert_eq!(counted(&metrics, "connect"), 1);
}

#[tokio::test]
async fn the_connection_of_a_change_ends_with_the_wait_for_its_reply() {
    let listener = listener().await;
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (client, _) = client(&url, &[("upstream.request.timeout.ms", "50")]);
    let received = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut received)).await.unwrap().unwrap();
        received
    });
    let failure = client.send(change(&Permit::always())).await.unwrap_err();
    assert_eq!((failure.kind, failure.sent), (FailureKind::Timeout, Sent::Maybe));
    assert!(received.await.unwrap().starts_with(b"POST /call/"));
}

/// What an HTTP/2 server does with its next stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Answer,
    /// Says that it did not look at it, so that it may be sent again.
    Refuse,
    Hang,
}

/// An HTTP/2 server that takes one stream a connection at a time.
struct Multiplexer {
    address: SocketAddr,
    /// Methods, in the order in which they came.
    seen: Arc<Mutex<Vec<Method>>>,
    task: JoinHandle<()>,
}

impl Multiplexer {
    async fn start(config: rustls::ServerConfig, plan: impl IntoIterator<Item = Next>) -> Self {
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Method>>> = Arc::default();
        let plan = Arc::new(Mutex::new(plan.into_iter().collect::<VecDeque<_>>()));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let noted = seen.clone();
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, plan, seen) = (acceptor.clone(), plan.clone(), noted.clone());
                open.spawn(async move {
                    let stream = acceptor.accept(stream).await.ok()?;
                    let mut streams = h2::server::Builder::new()
                        .max_concurrent_streams(1)
                        .handshake::<_, Bytes>(stream)
                        .await
                        .ok()?;
                    let mut hanging = Vec::new();
                    while let Some(Ok((request, mut respond))) = streams.accept().await {
                        seen.lock().unwrap().push(request.method().clone());
                        let next = plan.lock().unwrap().pop_front().unwrap_or(Next::Answer);
                        match next {
                            Next::Answer => {
                                let head = hyper::Response::new(());
                                let mut body = respond.send_response(head, false).ok()?;
                                body.send_data(Bytes::from_static(b"[]"), true).ok()?;
                            }
                            Next::Refuse => respond.send_reset(h2::Reason::REFUSED_STREAM),
                            Next::Hang => hanging.push((request, respond)),
                        }
                    }
                    Some(())
                });
            }
        });
        Multiplexer { address, seen, task }
    }

    fn seen(&self) -> Vec<Method> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Multiplexer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn over_http2_a_change_waits_for_no_stream_and_asks_its_permit() {
    let tls = tls("h2");
    let server = Multiplexer::start(tls.config, [Next::Answer, Next::Hang]).await;
    let url = format!("https://{}", server.address);
    let (client, metrics) = client(&url, &[("upstream.ca.file", &tls.ca)]);
    // So that the client knows how many streams the kept connection takes.
    client.read(list()).await.unwrap();
    let hanging = tokio::spawn({
        let client = client.clone();
        async move { client.read(list()).await }
    });
    until(|| server.seen().len() == 2).await;
    assert_unsent(client.send(change(&holding(1))).await, &metrics);
    let leave = Leave::new();
    let changed = timeout(PATIENCE, client.send(change(&leave.permit()))).await.unwrap().unwrap();
    assert_eq!((changed.status, &changed.body[..]), (200, &b"[]"[..]));
    assert_eq!(leave.asked.load(Ordering::SeqCst), 2);
    assert_eq!(server.seen(), [Method::GET, Method::GET, Method::POST]);
    hanging.abort();
    drop(tls.directory);
}

#[tokio::test]
async fn what_http2_has_refused_is_sent_again_only_if_the_permit_still_holds() {
    let tls = tls("h2");
    let server = Multiplexer::start(tls.config, [Next::Refuse, Next::Refuse]).await;
    let url = format!("https://{}", server.address);
    let (client, metrics) = client(&url, &[("upstream.ca.file", &tls.ca)]);
    // Asked after the budget, for the first connection and for the second.
    assert_unsent(client.send(change(&holding(2))).await, &metrics);
    assert_eq!(server.seen(), [Method::POST]);
    assert!(client.send(change(&holding(4))).await.unwrap().is_success());
    assert_eq!(server.seen(), [Method::POST, Method::POST, Method::POST]);
    drop(tls.directory);
}
