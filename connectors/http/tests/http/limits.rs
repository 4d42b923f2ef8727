use talon_http::{FailureKind, Sent};
use tokio::net::TcpSocket;
use tokio::time::{Duration, Instant};

use crate::server::{Answer, Server, reply};
use crate::upstream::{assert_discreet, client, counted, list};

#[tokio::test]
async fn the_time_limit_covers_the_head_and_the_body() {
    for written in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[1"] {
        let server = Server::start(Answer::Hang(written.into())).await;
        let (client, metrics) = client(&server.url(), &[("upstream.request.timeout.ms", "50")]);
        let failure = client.send(list()).await.unwrap_err();
        assert_eq!((failure.kind, failure.sent), (FailureKind::Timeout, Sent::Maybe));
        assert_eq!(failure.fault().kind(), "unavailable");
        assert!(failure.reason.contains("within 50 ms"), "{failure}");
        assert_discreet(&failure);
        assert_eq!(counted(&metrics, "timeout"), 1);
        let duration = metrics.duration.with_label_values(&["field-service"]);
        assert_eq!(duration.get_sample_count(), 1);
        assert!(duration.get_sample_sum() >= 0.05);
    }
}

#[tokio::test]
async fn a_body_that_trickles_for_ever_runs_into_the_time_limit() {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let server = Server::start(Answer::Repeat(head[..].into(), b"1\r\nx\r\n".into())).await;
    let limits =
        [("upstream.request.timeout.ms", "50"), ("upstream.response.max.bytes", "1073741824")];
    let (client, _) = client(&server.url(), &limits);
    assert_eq!(client.send(list()).await.unwrap_err().kind, FailureKind::Timeout);
}

#[tokio::test]
async fn a_refused_connection_was_surely_not_sent() {
    // A port that is taken, so that nobody else listens there, and does not listen.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let (client, metrics) = client(&url, &[]);
    let failure = client.send(list()).await.unwrap_err();
    assert_eq!((failure.kind, failure.sent), (FailureKind::Connect, Sent::No));
    assert!(failure.reason.contains("connection refused"), "{failure}");
    assert_eq!(failure.fault().kind(), "unavailable");
    assert_discreet(&failure);
    assert_eq!(counted(&metrics, "connect"), 1);
}

#[tokio::test]
async fn a_host_that_does_not_exist_was_surely_not_sent() {
    // RFC 6761 reserves the domain: it never resolves.
    let (client, _) = client("http://upstream.invalid", &[]);
    let failure = client.send(list()).await.unwrap_err();
    assert_eq!((failure.kind, failure.sent), (FailureKind::Connect, Sent::No), "{failure}");
    assert_discreet(&failure);
    assert!(!failure.reason.contains("invalid"), "{failure}");
}

#[tokio::test]
async fn clones_share_one_rate_budget_and_the_wait_is_observed() {
    let server = Server::start(reply(200, "", "[]")).await;
    let (client, metrics) = client(&server.url(), &[("upstream.requests.per.second", "10")]);
    let since = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..13 {
        let client = client.clone();
        tasks.spawn(async move { client.read(list()).await.unwrap() });
    }
    tasks.join_all().await;
    // Ten go at once, the others a tenth of a second apart.
    assert!(since.elapsed() >= Duration::from_millis(300));
    let waited = metrics.budget_wait.with_label_values(&["field-service"]);
    assert_eq!(waited.get_sample_count(), 13);
    assert!(waited.get_sample_sum() > 0.0);
    assert_eq!(counted(&metrics, "200"), 13);
}
