use talon_http::{FailureKind, Sent};

use crate::authority::{authority, issue, server_config, write};
use crate::server::{Server, reply};
use crate::upstream::{assert_discreet, build, client, context, counted, list};

fn url(server: &Server) -> String {
    format!("https://{}", server.address)
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_besides_the_machines() {
    let authority = authority("ours");
    let tls = server_config(&authority, "127.0.0.1", None);
    let server = Server::start_tls(reply(200, "", "[]"), tls).await;
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &authority.pem());
    let (client, _) = client(&url(&server), &[("upstream.ca.file", &ca)]);
    assert_eq!(client.read_json(list()).await.unwrap().as_it_came(), "[]");
}

#[tokio::test]
async fn an_unknown_authority_or_a_foreign_name_is_a_tls_failure_in_clear_words() {
    let (known, unknown) = (authority("known"), authority("unknown"));
    let namesake = authority("known");
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &known.pem());
    for (authority, name, part) in [
        (&unknown, "127.0.0.1", "put that authority's certificate into `upstream.ca.file`"),
        (&namesake, "127.0.0.1", "is not signed by the authority that it names"),
        (&known, "other.example.org", "is for another host than `upstream.url` names"),
    ] {
        let tls = server_config(authority, name, None);
        let server = Server::start_tls(reply(200, "", "[]"), tls).await;
        let (client, metrics) = client(&url(&server), &[("upstream.ca.file", &ca)]);
        let failure = client.send(list()).await.unwrap_err();
        assert_eq!((failure.kind, failure.sent), (FailureKind::Tls, Sent::No), "{failure}");
        assert!(failure.reason.contains(part), "{failure}");
        assert!(!failure.reason.contains("example.org"), "{failure}");
        assert_eq!(failure.fault().kind(), "misconfigured");
        assert_discreet(&failure);
        assert_eq!(counted(&metrics, "tls"), 1);
        assert_eq!(server.requests(), [""; 0]);
    }
}

#[tokio::test]
async fn https_to_a_port_that_speaks_http_is_a_tls_failure() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.unwrap();
        stream
    });
    // With an authority of its own, the test does not depend on the machine's.
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &authority("ours").pem());
    let (client, _) = client(&format!("https://{address}"), &[("upstream.ca.file", &ca)]);
    let failure = client.send(list()).await.unwrap_err();
    assert_eq!((failure.kind, failure.sent), (FailureKind::Tls, Sent::No), "{failure}");
    assert!(failure.reason.contains("does not speak TLS"), "{failure}");
    drop(task.await.unwrap());
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_a_missing_one_is_a_tls_failure() {
    let (servers, clients) = (authority("servers"), authority("clients"));
    let tls = server_config(&servers, "127.0.0.1", Some(&clients));
    let server = Server::start_tls(reply(200, "", "[]"), tls).await;
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &servers.pem());
    let (certificate, key) = issue(&clients, "talon");
    let certificate = write(directory.path(), "client.pem", &certificate.pem());
    let key = write(directory.path(), "key.pem", &key.serialize_pem());

    let trust = ("upstream.ca.file", ca.as_str());
    let show = ("upstream.client.certificate.file", certificate.as_str());
    let with = |key| [trust, show, ("upstream.client.key.file", key)];
    let (shown, _) = client(&url(&server), &with(key.as_str()));
    assert_eq!(shown.read_json(list()).await.unwrap().as_it_came(), "[]");

    let (missing, _) = client(&url(&server), &[trust]);
    let failure = missing.send(list()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Tls, "{failure}");
    assert!(failure.reason.contains("`upstream.client.certificate.file`"), "{failure}");
    assert_discreet(&failure);

    let (_, foreign) = issue(&clients, "talon");
    let foreign = write(directory.path(), "foreign.pem", &foreign.serialize_pem());
    let fault = build(&url(&server), &with(foreign.as_str()), &context()).unwrap_err();
    assert!(fault.to_string().contains("is not the key of"), "{fault}");
}
