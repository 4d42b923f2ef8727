//! `wss`: the simulated hall behind a door that speaks TLS.

use std::sync::Arc;

use rustls::ServerConfig;
use serde_json::json;
use talon_simulators::quickq::{Settings, Simulator};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::authority::{authority, server_config, write};
use crate::hall::Hall;
use crate::support::connector;

/// Where the door is. It ends with the test's runtime.
async fn door(simulator: &Simulator, tls: ServerConfig) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let behind = simulator.control_url().replace("http://", "");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                // A client that trusts nobody here does not come in.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut inside = TcpStream::connect(behind).await.unwrap();
                copy_bidirectional(&mut stream, &mut inside).await.ok();
            });
        }
    });
    format!("wss://{address}/logic")
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_over_wss() {
    let ours = authority("ours");
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &ours.pem());
    let simulator = Simulator::start(Settings::default()).await.unwrap();
    let url = door(&simulator, server_config(&ours, "127.0.0.1", None)).await;
    let connector = connector(&[("upstream.url", &url), ("upstream.ca.file", &ca)]).unwrap();
    let hall = Hall { simulator, connector };
    let mut reader = hall.reader("service");
    reader.step().await;
    hall.simulator.act("setService", json!({ "id": 1, "priority": 99 })).unwrap();
    reader.until("a push", |reader| reader.published.state["1"]["priority"] == 99).await;
    assert_eq!(reader.faults.len(), 0, "{:?}", reader.faults);
}

#[tokio::test]
async fn an_unknown_authority_or_a_foreign_name_is_refused_in_clear_words() {
    let (known, unknown) = (authority("known"), authority("unknown"));
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &known.pem());
    let simulator = Simulator::start(Settings::default()).await.unwrap();
    for (authority, name, part) in [
        (&unknown, "127.0.0.1", "put that authority's certificate into `upstream.ca.file`"),
        (&known, "other.example.org", "is for another host than `upstream.url` names"),
    ] {
        let url = door(&simulator, server_config(authority, name, None)).await;
        let connector = connector(&[("upstream.url", &url), ("upstream.ca.file", &ca)]).unwrap();
        let fault = connector.probe().await.unwrap_err();
        assert_eq!(fault.kind(), "misconfigured", "{fault}");
        assert!(fault.to_string().contains(part), "{fault}");
        assert!(!fault.to_string().contains("example.org"), "{fault}");
    }
    assert_eq!(simulator.journal().count("login"), 0, "nothing was shown to a stranger");
}
