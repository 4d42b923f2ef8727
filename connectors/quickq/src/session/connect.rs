//! From a URL to a WebSocket.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use talon_http::dial::{Dial, DialError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::failure::{Failure, of_handshake};
use crate::options::SocketConfig;

/// A stream of bytes, secured or not.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A WebSocket, secured or not.
pub(crate) type Socket = WebSocketStream<Box<dyn Wire>>;

/// Connects. Safe to cancel.
pub(crate) async fn connect(config: &SocketConfig) -> Result<Socket, Failure> {
    let limit: Duration = config.connect_timeout;
    tokio::time::timeout(limit, dial(config)).await.unwrap_or_else(|_| {
        Err(Failure::Connect("no connection within `upstream.connect.timeout.ms`".to_owned()))
    })
}

async fn dial(config: &SocketConfig) -> Result<Socket, Failure> {
    let no_url = || Failure::Misconfigured("`upstream.url` is no ws or wss URL".to_owned());
    let request = config.url.as_str().into_client_request().map_err(|_| no_url())?;
    let is_secured = request.uri().scheme_str() == Some("wss");
    let host = request.uri().host().ok_or_else(no_url)?.to_owned();
    let port = request.uri().port_u16().unwrap_or(if is_secured { 443 } else { 80 });
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let way = Dial {
        proxy: config.proxy.clone(),
        timeout: config.connect_timeout,
        delivery_timeout: config.request_timeout,
    };
    let tcp = way.connect(&host, port, is_secured).await.map_err(|error| match error {
        DialError::Misconfigured(why) => Failure::Misconfigured(why),
        DialError::Unreachable(why) => Failure::Connect(why),
    })?;
    let wire: Box<dyn Wire> = if is_secured {
        let files = config.tls.clone();
        let tls = tokio::task::spawn_blocking(move || talon_http::tls::client_config(&files, true));
        let tls = match tls.await {
            Ok(Ok(tls)) => tls,
            Ok(Err(fault)) => return Err(Failure::Misconfigured(fault.to_string())),
            Err(_) => return Err(Failure::Connect("the TLS set-up was cancelled".to_owned())),
        };
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| no_url())?;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(tls));
        Box::new(connector.connect(name, tcp).await.map_err(|error| of_tls(&error))?)
    } else {
        Box::new(tcp)
    };
    let limits = WebSocketConfig::default()
        .max_message_size(Some(config.message_max_bytes))
        .max_frame_size(Some(config.message_max_bytes))
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0);
    let opened = client_async_with_config(request, wire, Some(limits)).await;
    opened.map(|(socket, _)| socket).map_err(|error| of_handshake(&error))
}

fn of_tls(error: &std::io::Error) -> Failure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        // Waiting does not mend it.
        Some(tls) => Failure::Misconfigured(talon_http::tls::explain(tls)),
        None => Failure::Connect(format!(
            "the TLS session with `upstream.url` failed: {}",
            error.kind()
        )),
    }
}
