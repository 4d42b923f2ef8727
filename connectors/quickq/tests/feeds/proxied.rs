//! Through an HTTP proxy, by CONNECT, in the clear and secured.

use std::sync::Arc;

use talon_simulators::quickq::{Settings, Simulator};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::authority::{authority, server_config, write};
use crate::hall::Hall;
use crate::relay::Relay;
use crate::support::connector;

const CREDENTIALS: &str = "Basic bWU6cHI6b3g=";

fn address(simulator: &Simulator) -> std::net::SocketAddr {
    simulator.control_url().replace("http://", "").parse().unwrap()
}

#[tokio::test]
async fn ws_goes_through_the_proxy_by_connect() {
    let simulator = Simulator::start(Settings::default()).await.unwrap();
    let relay = Relay::guarded(address(&simulator), Some(CREDENTIALS)).await;
    let (proxy, url) = (relay.url(), "ws://hall.internal:81/logic");
    let settings = [
        ("upstream.url", url),
        ("upstream.proxy", &proxy),
        ("upstream.proxy.user.info", "me:pr:ox"),
    ];
    let hall = Hall { simulator, connector: connector(&settings).unwrap() };
    let mut reader = hall.reader("service");
    reader.step().await;
    assert_eq!((reader.keys().len(), reader.faults.len()), (4, 0));
    assert_eq!(relay.lines(), ["CONNECT hall.internal:81 HTTP/1.1"]);

    let fault = connector(&settings[..2]).unwrap().probe().await.unwrap_err();
    assert_eq!(fault.kind(), "misconfigured");
    assert!(fault.to_string().contains("`upstream.proxy.user.info`"), "{fault}");
}

#[tokio::test]
async fn wss_goes_through_the_proxy_by_connect() {
    let ours = authority("ours");
    let directory = tempfile::tempdir().unwrap();
    let ca = write(directory.path(), "ca.pem", &ours.pem());
    let simulator = Simulator::start(Settings::default()).await.unwrap();
    let behind = address(&simulator);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let door = listener.local_addr().unwrap();
    let tls = Arc::new(server_config(&ours, "hall.internal", None));
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(tls);
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await.unwrap();
                let mut inside = TcpStream::connect(behind).await.unwrap();
                copy_bidirectional(&mut stream, &mut inside).await.ok();
            });
        }
    });
    let relay = Relay::start(door).await;
    let proxy = relay.url();
    let settings = [
        ("upstream.url", "wss://hall.internal/logic"),
        ("upstream.proxy", &proxy),
        ("upstream.ca.file", &ca),
    ];
    let hall = Hall { simulator, connector: connector(&settings).unwrap() };
    let mut reader = hall.reader("service");
    reader.step().await;
    assert_eq!((reader.keys().len(), reader.faults.len()), (4, 0), "{:?}", reader.faults);
    assert_eq!(relay.lines(), ["CONNECT hall.internal:443 HTTP/1.1"]);
}

#[tokio::test]
async fn a_proxy_that_does_not_let_through_is_told_as_one() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let relay = Relay::start(free).await;
    for (proxy, part) in [
        (relay.url(), "the proxy does not let through to `upstream.url`"),
        (format!("http://{free}"), "no connection to the proxy: connection refused"),
        ("http://no-such-host.invalid:1".to_owned(), "the host of the proxy cannot be resolved"),
    ] {
        let settings = [("upstream.url", "ws://hall.internal/logic"), ("upstream.proxy", &proxy)];
        let fault = connector(&settings).unwrap().probe().await.unwrap_err();
        assert_eq!(fault.kind(), "unavailable");
        assert!(fault.to_string().contains(part), "{fault}");
    }
}
