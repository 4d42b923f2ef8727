use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use talon_http::{FailureKind, Sent};

use crate::server::{Answer, Server, reply};
use crate::upstream::{assert_discreet, client, counted, list};

const LIMIT: &[(&str, &str)] = &[("upstream.response.max.bytes", "4096")];

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn gzipped(body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

async fn fails(answer: Answer, kind: FailureKind) {
    let server = Server::start(answer).await;
    let (client, metrics) = client(&server.url(), LIMIT);
    // Not asked again, so that it is counted once.
    let failure = client.send(list().counted()).await.unwrap_err();
    assert_eq!((failure.kind, failure.sent), (kind, Sent::Maybe), "{failure}");
    assert_eq!(counted(&metrics, kind.as_str()), 1);
    assert_discreet(&failure);
    assert_discreet(&failure.fault());
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_read_and_one_byte_more_is_not() {
    for (size, is_read) in [(4096, true), (4097, false)] {
        let body = "x".repeat(size);
        let chunked = format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"
        );
        for answer in [
            reply(200, "", &body),
            Answer::Keep(chunked.into_bytes()),
            Answer::Keep(gzipped(&gzip(body.as_bytes()))),
        ] {
            let server = Server::start(answer).await;
            let (client, _) = client(&server.url(), LIMIT);
            let read = client.read(list()).await;
            assert_eq!(read.is_ok(), is_read, "{size}: {read:?}");
        }
    }
}

#[tokio::test]
async fn an_announced_body_over_the_limit_is_not_waited_for() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999999999\r\n\r\n";
    fails(Answer::Hang(head[..].into()), FailureKind::TooLarge).await;
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 4097\r\n\r\n";
    fails(Answer::Hang(head[..].into()), FailureKind::TooLarge).await;
}

#[tokio::test]
async fn chunks_without_end_stop_at_the_limit() {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = b"10\r\n0123456789abcdef\r\n";
    fails(Answer::Repeat(head[..].into(), chunk[..].into()), FailureKind::TooLarge).await;
}

#[tokio::test]
async fn a_gzip_bomb_stops_at_the_limit() {
    let bomb = gzip(&vec![0; 64 << 20]);
    fails(Answer::Keep(gzipped(&bomb)), FailureKind::TooLarge).await;
}

#[tokio::test]
async fn a_compressed_body_is_decompressed() {
    let server = Server::start(Answer::Keep(gzipped(&gzip(b"[1,2]")))).await;
    let (client, _) = client(&server.url(), &[]);
    assert_eq!(client.read_json(list()).await.unwrap().as_it_came(), "[1,2]");
    assert!(server.requests()[0].contains("accept-encoding: gzip"));
}

#[tokio::test]
async fn a_body_that_ends_early_is_cut_and_no_reply() {
    for head in ["content-length: 100\r\n\r\n[1", "transfer-encoding: chunked\r\n\r\n2\r\n[1\r\n"] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}").into_bytes();
        fails(Answer::Close(answer), FailureKind::Cut).await;
    }
    let whole = gzipped(&gzip(b"[1,2,3]"));
    fails(Answer::Close(whole[..whole.len() - 6].into()), FailureKind::Cut).await;
}

#[tokio::test]
async fn a_connection_that_ends_before_the_head_is_cut() {
    fails(Answer::Close(Vec::new()), FailureKind::Cut).await;
    fails(Answer::Close(b"HTTP/1.1 20".into()), FailureKind::Cut).await;
}

#[tokio::test]
async fn what_is_not_http_or_not_gzip_is_another_failure() {
    fails(Answer::Close(b"220 mail.example.org ESMTP\r\n\r\n".into()), FailureKind::Other).await;
    fails(Answer::Keep(gzipped(b"this is no gzip, whatever it says")), FailureKind::Other).await;
}
