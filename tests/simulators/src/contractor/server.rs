//! Listening, and not listening for a while.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::shared::Shared;
use super::{control, routes};
use crate::connection::{CuttableListener, Line};

/// How long to wait before the port is tried again.
const BEFORE_RETRY: Duration = Duration::from_millis(10);

/// Listens, and serves until the task is aborted.
pub(super) async fn start(
    shared: Arc<Shared>,
    listen: SocketAddr,
) -> anyhow::Result<(SocketAddr, JoinHandle<()>)> {
    let tcp =
        TcpListener::bind(listen).await.with_context(|| format!("cannot listen on `{listen}`"))?;
    let addr = tcp.local_addr()?;
    Ok((addr, tokio::spawn(run(shared, tcp, addr))))
}

async fn run(shared: Arc<Shared>, first: TcpListener, addr: SocketAddr) {
    let router = routes::routes(&shared).merge(control::routes()).with_state(Arc::clone(&shared));
    let mut next = Some(first);
    loop {
        let tcp = match next.take() {
            Some(tcp) => tcp,
            None => listen_again(addr).await,
        };
        let listener = CuttableListener { tcp, lines: shared.lines.clone() };
        let service = router.clone().into_make_service_with_connect_info::<Line>();
        shared.door.turned(true);
        tokio::select! {
            result = axum::serve(listener, service) => {
                tracing::error!(?result, "the simulator stopped serving");
                return;
            }
            () = shared.door.wanted(false) => {}
        }
        shared.lines.cut_all();
        shared.door.turned(false);
        shared.door.wanted(true).await;
    }
}

/// The port may be taken for a moment by what is left of old connections.
async fn listen_again(addr: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(addr).await {
            Ok(tcp) => return tcp,
            Err(error) => tracing::debug!(%error, %addr, "cannot listen yet"),
        }
        tokio::time::sleep(BEFORE_RETRY).await;
    }
}
