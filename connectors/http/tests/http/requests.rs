use talon_http::{Body, FailureKind, HeaderValue, Method, Request, Sent};

use crate::server::{Answer, Server, reply};
use crate::upstream::{PERSONAL, client, list};

#[tokio::test]
async fn segments_and_parameters_are_encoded_below_the_urls_path() {
    let server = Server::start(reply(200, "", "")).await;
    for (base, path, line) in [
        ("", vec!["call", "a/b?c#d%2F", "é"], "GET /call/a%2Fb%3Fc%23d%252F/%C3%A9 HTTP/1.1"),
        ("/api", vec!["call"], "GET /api/call HTTP/1.1"),
        ("/api/", vec!["call", ""], "GET /api/call/ HTTP/1.1"),
        ("/soap.asmx", vec![], "GET /soap.asmx HTTP/1.1"),
        ("", vec![], "GET / HTTP/1.1"),
    ] {
        let (client, _) = client(&format!("{}{base}", server.url()), &[]);
        client.read(Request::get("GET /x", path)).await.unwrap();
        assert_eq!(server.requests().last().unwrap().lines().next(), Some(line));
    }
    let (client, _) = client(&server.url(), &[]);
    let request = Request::get("GET /x", ["x"]).query("from", "1&to=2").query("q", "a b");
    client.read(request).await.unwrap();
    let line = "GET /x?from=1%26to%3D2&q=a+b HTTP/1.1";
    assert_eq!(server.requests().last().unwrap().lines().next(), Some(line));
}

#[tokio::test]
async fn a_segment_that_would_lead_elsewhere_is_not_sent() {
    let server = Server::start(reply(200, "", "")).await;
    let (client, _) = client(&server.url(), &[]);
    for segment in [".", ".."] {
        let failure = client.send(Request::get("GET /x", ["x", segment])).await.unwrap_err();
        assert_eq!((failure.kind, failure.sent), (FailureKind::Other, Sent::No));
        assert_eq!(failure.fault().kind(), "internal");
    }
    assert_eq!(server.requests(), [""; 0]);
}

#[tokio::test]
async fn method_body_and_headers_are_sent() {
    let server = Server::start(reply(201, "", "done")).await;
    let (client, _) = client(&server.url(), &[]);
    let mut request = Request::new(Method::POST, "POST /call", ["call"])
        .body("{}", HeaderValue::from_static("application/json"));
    request.headers.insert("soapaction", HeaderValue::from_static("close"));
    let reply = client.send(request).await.unwrap();
    assert_eq!((reply.status, &*reply.body), (201, &b"done"[..]));
    let sent = &server.requests()[0];
    assert!(sent.starts_with("POST /call HTTP/1.1\r\n"), "{sent}");
    assert!(sent.ends_with("\r\n\r\n{}"), "{sent}");
    let agent = concat!("user-agent: talon/", env!("CARGO_PKG_VERSION"), "\r\n");
    for header in ["content-type: application/json\r\n", "soapaction: close\r\n", agent] {
        assert!(sent.contains(header), "{header} in {sent}");
    }
}

#[tokio::test]
async fn a_file_is_the_only_field_of_a_form_with_a_known_length() {
    let server = Server::start(reply(200, "", "")).await;
    let (client, _) = client(&server.url(), &[]);
    let mut request = Request::new(Method::POST, "POST /file", ["file"]);
    let name = "Акт \"1\".pdf".to_owned();
    request.body = Some(Body::File { field: "Attachment", name, bytes: "%PDF".into() });
    assert!(format!("{request:?}").contains("Body(4 bytes)"), "{request:?}");
    client.send(request).await.unwrap();
    let sent = &server.requests()[0];
    assert!(sent.contains("content-type: multipart/form-data; boundary="), "{sent}");
    assert!(sent.contains("content-length: "), "{sent}");
    assert!(sent.contains(r#"name="Attachment"; filename="Акт \"1\".pdf""#), "{sent}");
    assert!(sent.contains("\r\n\r\n%PDF\r\n--"), "{sent}");
    assert_eq!(sent.matches("Content-Disposition").count(), 1, "{sent}");
}

#[tokio::test]
async fn a_kept_connection_serves_several_requests_and_a_closed_one_is_replaced() {
    for answer in [
        reply(200, "", "[]"),
        Answer::Close(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n[]".into(),
        ),
    ] {
        let server = Server::start(answer).await;
        let (client, _) = client(&server.url(), &[]);
        for _ in 0..5 {
            assert_eq!(client.read_json(list()).await.unwrap().as_it_came(), "[]");
        }
        assert_eq!(server.requests().len(), 5);
    }
}

#[tokio::test]
async fn nothing_personal_is_in_the_debug_forms() {
    let server = Server::start(reply(200, "", PERSONAL)).await;
    let (client, _) = client(&server.url(), &[]);
    let request = list().body(PERSONAL, HeaderValue::from_static("text/plain"));
    let mut text = format!("{client:?} {request:?}");
    text += &format!("{:?}", client.send(request).await.unwrap());
    assert!(!text.contains(PERSONAL) && !text.contains("127.0.0.1"), "{text}");
}
