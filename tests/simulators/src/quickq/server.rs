//! Listening, and not listening for a while.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::shared::Shared;
use super::{control, socket};

/// How long to wait before the port is tried again.
const BEFORE_RETRY: Duration = Duration::from_millis(10);

/// The listening task, and where it listens.
pub(super) struct Door {
    shared: Arc<Shared>,
    addr: SocketAddr,
    serving: Mutex<Option<JoinHandle<()>>>,
}

/// Listens, and serves until the door is closed.
pub(super) async fn start(
    shared: Arc<Shared>,
    listen: SocketAddr,
) -> anyhow::Result<(SocketAddr, Door)> {
    let tcp =
        TcpListener::bind(listen).await.with_context(|| format!("cannot listen on `{listen}`"))?;
    let addr = tcp.local_addr()?;
    let serving = Mutex::new(Some(serve(Arc::clone(&shared), tcp)));
    Ok((addr, Door { shared, addr, serving }))
}

impl Door {
    /// Returns once the port is closed; open sockets are another's business.
    pub(super) async fn close(&self) {
        let serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(serving) = serving {
            serving.abort();
            // It ends by being aborted.
            serving.await.ok();
        }
    }

    /// Returns once the port is open. It may be taken for a moment by what is left of old sockets.
    pub(super) async fn open(&self) {
        let tcp = loop {
            match TcpListener::bind(self.addr).await {
                Ok(tcp) => break tcp,
                Err(error) => tracing::debug!(%error, "cannot listen yet"),
            }
            tokio::time::sleep(BEFORE_RETRY).await;
        };
        let serving = serve(Arc::clone(&self.shared), tcp);
        self.serving.lock().unwrap_or_else(PoisonError::into_inner).replace(serving);
    }

    /// Stops listening without waiting for it.
    pub(super) fn abandon(&self) {
        let serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(serving) = serving {
            serving.abort();
        }
    }
}

fn serve(shared: Arc<Shared>, tcp: TcpListener) -> JoinHandle<()> {
    let routes =
        Router::new().route("/logic", get(upgrade)).merge(control::routes()).with_state(shared);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(tcp, routes).await {
            tracing::error!(%error, "the simulator stopped serving");
        }
    })
}

/// The WebSocket handshake.
async fn upgrade(State(shared): State<Arc<Shared>>, mut request: Request) -> Response {
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned() else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgraded.await {
            Ok(io) => {
                let io = TokioIo::new(io);
                let socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
                socket::serve(shared, socket).await;
            }
            Err(error) => tracing::debug!(%error, "no upgrade"),
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}
