use crate::server::{Answer, Server};
use crate::upstream::{assert_discreet, client, counted, list};

fn chunked(status: &str, chunks: &[&str]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\ntransfer-encoding: chunked\r\n\r\n");
    for chunk in chunks {
        text.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
    }
    text.into_bytes()
}

fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

#[tokio::test]
async fn a_body_is_taken_piece_by_piece_without_its_limit() {
    let piece = "x".repeat(2000);
    let mut answer = chunked("200 OK", &[&piece, &piece]);
    answer.extend_from_slice(b"0\r\n\r\n");
    let server = Server::start(Answer::Close(answer)).await;
    let (client, metrics) = client(&url(&server), &[("upstream.response.max.bytes", "1024")]);
    let mut stream = client.stream(list()).await.unwrap();
    stream.check(None).unwrap();
    let mut length = 0;
    while let Some(chunk) = stream.chunk().await.unwrap() {
        length += chunk.len();
    }
    assert_eq!(length, 4000);
    assert_eq!(stream.chunk().await.unwrap(), None);
    assert_eq!(counted(&metrics, "200"), 1);
}

#[tokio::test]
async fn what_came_before_a_cut_is_there_and_the_cut_is_a_failure() {
    let server = Server::start(Answer::Close(chunked("200 OK", &["[1,"]))).await;
    let (client, metrics) = client(&url(&server), &[]);
    let mut stream = client.stream(list()).await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "[1,");
    let failure = stream.chunk().await.unwrap_err();
    assert_eq!(failure.kind.as_str(), "cut");
    assert_discreet(&failure);
    assert_eq!((counted(&metrics, "cut"), counted(&metrics, "200")), (1, 0));
}

#[tokio::test]
async fn a_body_that_falls_silent_is_given_up() {
    let server = Server::start(Answer::Hang(chunked("200 OK", &["[1,"]))).await;
    let (client, metrics) = client(&url(&server), &[("upstream.request.timeout.ms", "50")]);
    let mut stream = client.stream(list()).await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "[1,");
    assert_eq!(stream.chunk().await.unwrap_err().kind.as_str(), "timeout");
    assert_eq!(counted(&metrics, "timeout"), 1);
}

#[tokio::test]
async fn an_errors_status_and_a_page_are_no_data() {
    let server = Server::start(Answer::Close(chunked("503 Busy", &["x"]))).await;
    let (upstream, _) = client(&url(&server), &[]);
    let stream = upstream.stream(list()).await.unwrap();
    assert_eq!(stream.head().status, 503);
    assert_eq!(stream.check(None).unwrap_err().kind(), "unavailable");
    let page = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>".to_vec();
    let server = Server::start(Answer::Close(page)).await;
    let (upstream, _) = client(&url(&server), &[]);
    let stream = upstream.stream(list()).await.unwrap();
    assert_eq!(stream.check(None).unwrap_err().kind(), "unavailable");
}
