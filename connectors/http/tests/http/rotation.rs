//! Certificates that are exchanged while a client is used, by upstreams that refuse the old ones.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};

use talon_http::FailureKind;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::authority::{Authority, authority, issue, server_config};
use crate::server::{Server, reply};
use crate::upstream::{client, list};

/// An address behind which there is one server and then another.
async fn door(behind: Arc<Mutex<SocketAddr>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let behind = *behind.lock().unwrap();
            tokio::spawn(async move {
                let mut to = TcpStream::connect(behind).await.ok()?;
                copy_bidirectional(&mut from, &mut to).await.ok()
            });
        }
    });
    address
}

/// The files of a client as Kubernetes mounts a secret: all are exchanged at once, by one link.
fn mount(folder: &Path, version: &str, servers: &Authority, clients: &Authority) {
    let (certificate, key) = issue(clients, "talon");
    fs::create_dir(folder.join(version)).unwrap();
    let put = |name: &str, text: String| fs::write(folder.join(version).join(name), text).unwrap();
    put("ca.crt", servers.pem());
    put("tls.crt", certificate.pem());
    put("tls.key", key.serialize_pem());
    let next = folder.join("..next");
    symlink(version, &next).unwrap();
    fs::rename(next, folder.join("..data")).unwrap();
}

#[tokio::test]
async fn certificates_and_authorities_that_are_exchanged_need_no_restart() {
    let old = (authority("old servers"), authority("old clients"));
    let new = (authority("new servers"), authority("new clients"));
    let folder = tempfile::tempdir().unwrap();
    mount(folder.path(), "..1", &old.0, &old.1);
    let path = |name: &str| folder.path().join("..data").join(name).display().to_string();
    let files = [
        ("upstream.ca.file", path("ca.crt")),
        ("upstream.client.certificate.file", path("tls.crt")),
        ("upstream.client.key.file", path("tls.key")),
    ];
    let settings = files.each_ref().map(|(key, path)| (*key, path.as_str()));

    let tls = server_config(&old.0, "127.0.0.1", Some(&old.1));
    let server = Server::start_tls(reply(200, "", "[]"), tls).await;
    let behind = Arc::new(Mutex::new(server.address));
    let address = door(behind.clone()).await;
    let (client, _) = client(&format!("https://{address}"), &settings);
    assert_eq!(client.read_json(list()).await.unwrap().as_it_came(), "[]");
    drop(server);

    // The same upstream, which trusts and shows the new ones alone.
    let tls = server_config(&new.0, "127.0.0.1", Some(&new.1));
    let server = Server::start_tls(reply(200, "", "[]"), tls).await;
    *behind.lock().unwrap() = server.address;
    let mut failure = client.send(list()).await.unwrap_err();
    // The first may have gone over the connection to the one before, which is about to end.
    while failure.kind == FailureKind::Cut {
        failure = client.send(list()).await.unwrap_err();
    }
    assert_eq!(failure.kind, FailureKind::Tls, "{failure}");

    // What does not go together is not used, and does no harm.
    fs::write(path("tls.key"), "nothing").unwrap();
    assert!(client.send(list()).await.is_err());

    mount(folder.path(), "..2", &new.0, &new.1);
    assert_eq!(client.read_json(list()).await.unwrap().as_it_came(), "[]");
}
