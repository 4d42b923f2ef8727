//! Connections that are kept, and what becomes of them when one swallows, closes or is reset.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use talon_http::{FailureKind, HeaderValue, Method, Request, Sent};
use talon_sdk::Permit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::authority::{authority, server_config, write};
use crate::upstream::{client, counted, list};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn until(met: impl Fn() -> bool) {
    let wait = async {
        while !met() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap();
}

/// What the server does with its next request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Answer,
    /// Never answers; the connection lives, and answers pings.
    Hang,
    /// Sends the head and a piece of the body, and nothing more.
    Stall,
    /// A piece of the body now and then, as often as ten times.
    Trickle,
    /// Reads and writes nothing any more; the system keeps the connection open.
    Vanish,
    /// Resets the stream.
    Reset(h2::Reason),
    /// Takes the request, says that it shuts down, and closes.
    Leave,
}

/// An HTTP/2 server.
struct Server {
    url: String,
    ca: String,
    /// Method and number of the connection of each request, in the order in which they came.
    seen: Arc<Mutex<Vec<(Method, usize)>>>,
    /// Connections that have not ended.
    open: Arc<AtomicUsize>,
    task: JoinHandle<()>,
    _directory: tempfile::TempDir,
}

impl Server {
    async fn start(plan: impl IntoIterator<Item = Next>) -> Server {
        let authority = authority("ours");
        let directory = tempfile::tempdir().unwrap();
        let ca = write(directory.path(), "ca.pem", &authority.pem());
        let mut tls = server_config(&authority, "127.0.0.1", None);
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let plan = Arc::new(Mutex::new(plan.into_iter().collect::<VecDeque<_>>()));
        let seen: Arc<Mutex<Vec<(Method, usize)>>> = Arc::default();
        let open: Arc<AtomicUsize> = Arc::default();
        let (noted, counted) = (seen.clone(), open.clone());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, plan) = (acceptor.clone(), plan.clone());
                let (noted, counted) = (noted.clone(), counted.clone());
                connections.spawn(async move {
                    counted.fetch_add(1, Ordering::SeqCst);
                    if let Ok(stream) = acceptor.accept(stream).await {
                        converse(stream, number, &plan, &noted).await;
                    }
                    counted.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Server { url, ca, seen, open, task, _directory: directory }
    }

    fn seen(&self) -> Vec<(Method, usize)> {
        self.seen.lock().unwrap().clone()
    }

    fn connections_of_gets(&self) -> Vec<usize> {
        self.seen().into_iter().map(|(_, connection)| connection).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(
    stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>,
    number: usize,
    plan: &Mutex<VecDeque<Next>>,
    noted: &Mutex<Vec<(Method, usize)>>,
) {
    let Ok(mut streams) = h2::server::handshake(stream).await else { return };
    let mut hanging = Vec::new();
    let mut trickling = tokio::task::JoinSet::new();
    while let Some(Ok((request, mut respond))) = streams.accept().await {
        noted.lock().unwrap().push((request.method().clone(), number));
        let next = plan.lock().unwrap().pop_front().unwrap_or(Next::Answer);
        let head = hyper::Response::new(());
        match next {
            Next::Answer => {
                let Ok(mut body) = respond.send_response(head, false) else { continue };
                body.send_data(Bytes::from_static(b"[]"), true).ok();
            }
            Next::Stall => {
                let Ok(mut body) = respond.send_response(head, false) else { continue };
                body.send_data(Bytes::from_static(b"["), false).ok();
                hanging.push((request, respond, Some(body)));
            }
            Next::Trickle => {
                let Ok(mut body) = respond.send_response(head, false) else { continue };
                trickling.spawn(async move {
                    for _ in 0..10 {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        body.send_data(Bytes::from_static(b"x"), false).ok();
                    }
                    body.send_data(Bytes::new(), true).ok();
                });
            }
            Next::Hang => hanging.push((request, respond, None)),
            Next::Vanish => std::future::pending().await,
            Next::Reset(reason) => respond.send_reset(reason),
            Next::Leave => {
                streams.abrupt_shutdown(h2::Reason::NO_ERROR);
                hanging.push((request, respond, None));
            }
        }
    }
}

#[tokio::test]
async fn a_connection_on_which_a_request_timed_out_is_not_used_again() {
    for silence in [Next::Hang, Next::Stall, Next::Vanish] {
        let server = Server::start([Next::Answer, silence]).await;
        let settings =
            [("upstream.ca.file", server.ca.as_str()), ("upstream.request.timeout.ms", "400")];
        let (client, metrics) = client(&server.url, &settings);
        client.read(list()).await.unwrap();
        let failure = client.send(list()).await.unwrap_err();
        assert_eq!((failure.kind, failure.sent), (FailureKind::Timeout, Sent::Maybe));
        client.read(list()).await.unwrap();
        client.read(list()).await.unwrap();
        assert_eq!(server.connections_of_gets(), [0, 0, 1, 1]);
        assert_eq!(counted(&metrics, "timeout"), 1);
        if silence != Next::Vanish {
            // The server would not notice there.
            until(|| server.open.load(Ordering::SeqCst) == 1).await;
        }
    }
}

#[tokio::test]
async fn what_is_under_way_over_such_a_connection_is_not_cut() {
    let server = Server::start([Next::Trickle, Next::Hang, Next::Hang]).await;
    let settings =
        [("upstream.ca.file", server.ca.as_str()), ("upstream.request.timeout.ms", "400")];
    let (client, _) = client(&server.url, &settings);
    let mut slow = client.stream(list()).await.unwrap();
    // Both over the one connection; they retire it once.
    let (one, two) = tokio::join!(client.send(list()), client.send(list()));
    for failure in [one.unwrap_err(), two.unwrap_err()] {
        assert_eq!(failure.kind, FailureKind::Timeout);
    }
    client.read(list()).await.unwrap();
    let mut body = Vec::new();
    while let Some(piece) = slow.chunk().await.unwrap() {
        body.extend_from_slice(&piece);
    }
    assert_eq!(body, b"xxxxxxxxxx");
    drop(slow);
    client.read(list()).await.unwrap();
    assert_eq!(server.connections_of_gets(), [0, 0, 0, 1, 1]);
    until(|| server.open.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn pings_that_nobody_answers_end_a_connection_before_the_time_limit() {
    let server = Server::start([Next::Answer, Next::Vanish]).await;
    let settings = [
        ("upstream.ca.file", server.ca.as_str()),
        ("upstream.request.timeout.ms", "3600000"),
        ("upstream.ping.interval.ms", "100"),
    ];
    let (client, _) = client(&server.url, &settings);
    client.read(list()).await.unwrap();
    let failure = timeout(PATIENCE, client.send(list())).await.unwrap().unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
    assert!(failure.to_string().contains("went silent"), "{failure}");
    client.read(list()).await.unwrap();
    assert_eq!(server.connections_of_gets(), [0, 0, 1]);
}

#[tokio::test]
async fn a_connection_that_answers_pings_and_no_requests_is_left_to_the_time_limit() {
    let server = Server::start([Next::Hang]).await;
    let settings = [
        ("upstream.ca.file", server.ca.as_str()),
        ("upstream.request.timeout.ms", "1000"),
        ("upstream.ping.interval.ms", "50"),
    ];
    let (client, _) = client(&server.url, &settings);
    let failure = client.send(list()).await.unwrap_err();
    assert!(failure.to_string().contains("upstream.request.timeout.ms"), "{failure}");
    client.read(list()).await.unwrap();
    assert_eq!(server.connections_of_gets(), [0, 1]);
}

#[tokio::test]
async fn a_stream_that_is_reset_is_not_asked_again_and_its_connection_is_left() {
    for reason in [h2::Reason::INTERNAL_ERROR, h2::Reason::ENHANCE_YOUR_CALM, h2::Reason::CANCEL] {
        let server = Server::start([Next::Answer, Next::Reset(reason)]).await;
        let (client, _) = client(&server.url, &[("upstream.ca.file", server.ca.as_str())]);
        client.read(list()).await.unwrap();
        let failure = client.send(list()).await.unwrap_err();
        assert_eq!((failure.sent, failure.fault().kind()), (Sent::Maybe, "unavailable"));
        client.read(list()).await.unwrap();
        assert_eq!(server.connections_of_gets(), [0, 0, 1], "{reason:?}");
    }
}

/// Changes something.
fn change() -> Request<'static> {
    Request::new(Method::POST, "POST /call/{phone}", ["call", "7"])
        .body("x", HeaderValue::from_static("text/plain"))
        .permit(&Permit::always())
}

#[tokio::test]
async fn over_http2_a_read_is_asked_once_more_where_the_server_shuts_down_and_a_change_never() {
    let server = Server::start([Next::Answer, Next::Leave]).await;
    let (upstream, _) = client(&server.url, &[("upstream.ca.file", server.ca.as_str())]);
    upstream.read(list()).await.unwrap();
    upstream.read(list()).await.unwrap();
    assert_eq!(server.connections_of_gets(), [0, 0, 1]);

    for request in [change(), list().counted()] {
        let server = Server::start([Next::Leave, Next::Leave]).await;
        let (upstream, _) = client(&server.url, &[("upstream.ca.file", server.ca.as_str())]);
        let failure = upstream.send(request).await.unwrap_err();
        assert_eq!(failure.sent, Sent::Maybe, "{failure}");
        assert_eq!(server.seen().len(), 1, "{failure}");
    }
    let server = Server::start([Next::Leave; 9]).await;
    let (upstream, _) = client(&server.url, &[("upstream.ca.file", server.ca.as_str())]);
    upstream.send(list()).await.unwrap_err();
    assert_eq!(server.seen().len(), 2, "once more and not for ever");
}

/// A server that answers so many requests of each connection, reads one more, and closes.
async fn closing(answers: usize) -> (String, Arc<AtomicUsize>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen: Arc<AtomicUsize> = Arc::default();
    let noted = seen.clone();
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let noted = noted.clone();
            connections.spawn(async move {
                for _ in 0..=answers {
                    let mut request = Vec::new();
                    // Bodies here have one byte, and what comes before it an empty line.
                    while !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"\r\n\r\nx") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        request.push(byte);
                    }
                    noted.fetch_add(1, Ordering::SeqCst);
                    if request.starts_with(b"POST") {
                        return;
                    }
                    let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]";
                    if noted.load(Ordering::SeqCst).is_multiple_of(answers + 1) {
                        return;
                    }
                    stream.write_all(reply).await.unwrap();
                }
            });
        }
    });
    (url, seen, task)
}

#[tokio::test]
async fn a_read_that_meets_a_connection_which_is_just_closing_is_asked_once_more() {
    let (url, seen, server) = closing(1).await;
    let (upstream, metrics) = client(&url, &[]);
    for read in 1..=20 {
        upstream.read(list()).await.unwrap();
        // The first over each connection is answered, the second not, and it is the first of the next.
        assert_eq!(seen.load(Ordering::SeqCst), 2 * read - 1);
    }
    assert_eq!((counted(&metrics, "200"), counted(&metrics, "cut")), (20, 19));
    server.abort();
}

#[tokio::test]
async fn what_costs_a_quota_or_changes_something_is_asked_once_whatever_happens() {
    for request in [change(), list().counted()] {
        let (url, seen, server) = closing(0).await;
        let (upstream, _) = client(&url, &[]);
        let failure = upstream.send(request).await.unwrap_err();
        assert_eq!((failure.kind, failure.sent), (FailureKind::Cut, Sent::Maybe));
        assert_eq!(seen.load(Ordering::SeqCst), 1);
        server.abort();
    }
    let (url, seen, server) = closing(0).await;
    let (upstream, _) = client(&url, &[]);
    upstream.send(list()).await.unwrap_err();
    assert_eq!(seen.load(Ordering::SeqCst), 2, "once more and not for ever");
    server.abort();
}
