use std::path::Path;
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use talon_runtime::bus::BusFault;
use talon_runtime::registry::Registry;

use crate::authority::{authority, issue, server_config, write};
use crate::server::Server;
use crate::{client, documented, options};

const HERE: &str = "127.0.0.1";

fn url(server: &Server) -> String {
    format!("https://{}", server.address)
}

async fn register(registry: &Registry) -> Result<u32, BusFault> {
    registry.register("t.a.call", &documented("")).await
}

/// What the setting has to be mended for.
async fn refused(registry: &Registry) -> String {
    let fault = register(registry).await.unwrap_err();
    assert!(matches!(fault, BusFault::Misconfigured(_)), "{fault}");
    fault.to_string()
}

/// Writes a file as of later, as clocks of file systems are coarse.
fn rewrite(directory: &Path, name: &str, pem: &str) {
    let path = write(directory, name, pem);
    let later = SystemTime::now() + Duration::from_secs(5);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(later).unwrap();
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted() {
    let ours = authority("ours");
    let server = Server::start_tls(server_config(&ours, HERE, None)).await;
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &ours.pem());
    let registry = client(&url(&server), &[("ssl.ca.location", &ca)]);
    register(&registry).await.unwrap();
    assert!(registry.probe().await[0].result.is_ok());
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_told_as_what_it_is() {
    let (known, unknown) = (authority("known"), authority("unknown"));
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &known.pem());
    for (tls, part) in [
        (server_config(&unknown, HERE, None), "into `schema.registry.ssl.ca.location`"),
        (server_config(&known, "other.example.org", None), "is for another host than"),
        (expired(&known), "has expired"),
    ] {
        let server = Server::start_tls(tls).await;
        let registry = client(&url(&server), &[("ssl.ca.location", &ca)]);
        let text = refused(&registry).await;
        assert!(text.contains(part) && !text.contains("example.org"), "{text}");
        let told = registry.probe().await[0].result.as_ref().unwrap_err().to_string();
        assert_eq!(told, text);
        assert_eq!(server.asked(), [""; 0]);
    }
}

/// A server whose certificate was valid until yesterday.
fn expired(authority: &crate::authority::Authority) -> ServerConfig {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new([HERE.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap()
}

#[tokio::test]
async fn https_to_a_port_that_speaks_http_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.unwrap();
        stream
    });
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &authority("ours").pem());
    let registry = client(&format!("https://{address}"), &[("ssl.ca.location", &ca)]);
    assert!(refused(&registry).await.contains("does not speak TLS"));
    drop(task.await.unwrap());
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_a_missing_one_is_told() {
    let (servers, clients) = (authority("servers"), authority("clients"));
    let server = Server::start_tls(server_config(&servers, HERE, Some(&clients))).await;
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &servers.pem());
    let (certificate, key) = issue(&clients, "talon");
    let certificate = write(directory.path(), "client.pem", &certificate.pem());
    let key = write(directory.path(), "key.pem", &key.serialize_pem());
    let trust = ("ssl.ca.location", ca.as_str());
    let show = ("ssl.certificate.location", certificate.as_str());

    let registry = client(&url(&server), &[trust, show, ("ssl.key.location", &key)]);
    register(&registry).await.unwrap();

    let text = refused(&client(&url(&server), &[trust])).await;
    assert!(text.contains("`schema.registry.ssl.certificate.location`"), "{text}");

    let (_, foreign) = issue(&clients, "talon");
    let foreign = write(directory.path(), "foreign.pem", &foreign.serialize_pem());
    let options = options(&url(&server), &[trust, show, ("ssl.key.location", &foreign)]);
    let fault = Registry::new(options).err().unwrap().to_string();
    assert!(fault.contains("is not the key of"), "{fault}");
}

#[tokio::test]
async fn files_are_read_again_when_they_change() {
    let (servers, clients, strangers) =
        (authority("servers"), authority("clients"), authority("strangers"));
    let server = Server::start_tls(server_config(&servers, HERE, Some(&clients))).await;
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &strangers.pem());
    let (certificate, key) = issue(&strangers, "talon");
    let certificate = write(directory.path(), "client.pem", &certificate.pem());
    let key = write(directory.path(), "key.pem", &key.serialize_pem());
    let registry = client(
        &url(&server),
        &[
            ("ssl.ca.location", &ca),
            ("ssl.certificate.location", &certificate),
            ("ssl.key.location", &key),
        ],
    );
    assert!(refused(&registry).await.contains("`schema.registry.ssl.ca.location`"));

    rewrite(directory.path(), "ca.pem", &servers.pem());
    assert!(refused(&registry).await.contains("`schema.registry.ssl.certificate.location`"));

    let (certificate, key) = issue(&clients, "talon");
    rewrite(directory.path(), "client.pem", &certificate.pem());
    // Between two steps of a rotation the files do not go together.
    assert!(refused(&registry).await.contains("`schema.registry.ssl.certificate.location`"));
    rewrite(directory.path(), "key.pem", &key.serialize_pem());
    register(&registry).await.unwrap();

    // And what is damaged does not stop it.
    rewrite(directory.path(), "ca.pem", "no PEM");
    registry.register("t.b.call", &documented("")).await.unwrap();
}
