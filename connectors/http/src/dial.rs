//! A TCP connection to an upstream whose protocol is not HTTP, made as the HTTP client makes its own: all
//! addresses of a name are tried, and the proxy of the settings is used.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::{Service, ServiceExt, service_fn};

use crate::Proxy;

/// What the library says of a proxy that does not let through; it exports no name for it.
type TunnelError = <Tunnel<HttpConnector> as Service<Uri>>::Error;

/// How to connect.
#[derive(Debug, Clone)]
pub struct Dial {
    /// What stands before the upstream.
    pub proxy: Proxy,
    /// Limit of all addresses together; each gets its share. Not of the name's resolution.
    pub timeout: Duration,
    /// How long the system tries to deliver what was written and not received.
    pub delivery_timeout: Duration,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The settings are wrong; waiting does not mend it.
    #[error("{0}")]
    Misconfigured(String),
    /// Nobody is there, or nobody lets through.
    #[error("{0}")]
    Unreachable(String),
}

/// A name that has no address.
#[derive(Debug, thiserror::Error)]
#[error("unknown host")]
struct UnknownHost;

impl Dial {
    /// Connects to a host, given as in a URL. `is_secured` is what is spoken there: a proxy of the
    /// environment is chosen by it. Safe to cancel.
    ///
    /// # Errors
    /// A [`DialError`] that names the setting to look at, and no host.
    pub async fn connect(
        &self,
        host: &str,
        port: u16,
        is_secured: bool,
    ) -> Result<TcpStream, DialError> {
        let resolve = service_fn(|name: Name| async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found.map_err(|_| UnknownHost)?.collect();
            if found.is_empty() { Err(UnknownHost) } else { Ok(found.into_iter()) }
        });
        self.connect_by(resolve, host, port, is_secured).await
    }

    async fn connect_by<R>(
        &self,
        resolve: R,
        host: &str,
        port: u16,
        is_secured: bool,
    ) -> Result<TcpStream, DialError>
    where
        R: Service<Name, Error = UnknownHost> + Clone + Send + Sync + 'static,
        R::Response: Iterator<Item = SocketAddr> + Send,
        R::Future: Send,
    {
        let scheme = if is_secured { "https" } else { "http" };
        let target: Uri = format!("{scheme}://{host}:{port}").parse().map_err(|_| {
            DialError::Misconfigured("`upstream.url` has a host that no URL can have".to_owned())
        })?;
        let mut tcp = HttpConnector::new_with_resolver(resolve);
        tcp.enforce_http(false);
        // Requests are small, and each waits for its answer.
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(self.timeout));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(self.delivery_timeout));
        match self.proxy.before(&target) {
            None => tcp.oneshot(target).await.map(TokioIo::into_inner).map_err(|error| {
                DialError::Unreachable(match is_unknown(&error) {
                    true => "the host of `upstream.url` cannot be resolved".to_owned(),
                    false => format!("no connection to `upstream.url`: {}", io_kind(&error)),
                })
            }),
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp);
                if let Some(credentials) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(credentials.clone());
                }
                let opened = tunnel.oneshot(target).await;
                opened.map(TokioIo::into_inner).map_err(|error| of_tunnel(&error))
            }
        }
    }
}

/// Why a proxy did not let through, if an error says so.
pub fn of_proxy(error: &(dyn Error + 'static)) -> Option<DialError> {
    error.downcast_ref::<TunnelError>().map(of_tunnel)
}

fn of_tunnel(error: &TunnelError) -> DialError {
    DialError::Unreachable(match error {
        TunnelError::ProxyAuthRequired => {
            return DialError::Misconfigured(
                "the proxy wants credentials, or refuses those it got; see `upstream.proxy.user.info`"
                    .to_owned(),
            );
        }
        TunnelError::ConnectFailed(cause) if is_unknown(cause.as_ref()) => {
            "the host of the proxy cannot be resolved; see `upstream.proxy`".to_owned()
        }
        TunnelError::ConnectFailed(cause) => {
            format!("no connection to the proxy: {}; see `upstream.proxy`", io_kind(cause.as_ref()))
        }
        TunnelError::TunnelUnsuccessful => {
            "the proxy does not let through to `upstream.url`; see `upstream.proxy`".to_owned()
        }
        _ => "the proxy broke the connection off; see `upstream.proxy`".to_owned(),
    })
}

fn is_unknown(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<UnknownHost>())
}

fn io_kind(error: &(dyn Error + 'static)) -> ErrorKind {
    let io = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last();
    io.map_or(ErrorKind::Other, io::Error::kind)
}

/// An error and what lies below it. An `io::Error` hides its own content from `source`.
pub(crate) fn causes<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| {
        let error = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(content) => Some(content as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn dial(timeout: Duration) -> Dial {
        Dial { proxy: Proxy::default(), timeout, delivery_timeout: Duration::from_secs(7) }
    }

    fn names(
        addresses: &[&str],
    ) -> impl Service<
        Name,
        Response = std::vec::IntoIter<SocketAddr>,
        Error = UnknownHost,
        Future = std::future::Ready<Result<std::vec::IntoIter<SocketAddr>, UnknownHost>>,
    > + Clone
    + Send
    + Sync
    + 'static {
        let addresses: Vec<SocketAddr> =
            addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0)).collect();
        service_fn(move |_: Name| std::future::ready(Ok(addresses.clone().into_iter())))
    }

    /// An address whose port takes no further connection and refuses none: its queue is full.
    async fn deaf(port: u16) -> (TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 2], port))).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut waiting = Vec::new();
        let address = listener.local_addr().unwrap();
        while let Ok(Ok(stream)) =
            tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(address)).await
        {
            waiting.push(stream);
        }
        (listener, waiting)
    }

    #[tokio::test]
    async fn the_other_addresses_of_a_name_are_tried_where_the_first_is_dead() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // Refused: nobody listens there.
        let refused = names(&["127.0.0.3", "127.0.0.1"]);
        dial(PATIENCE).connect_by(refused, "hall.example", port, false).await.unwrap();
        // IPv6 first, where nobody listens.
        let other_family = names(&["::1", "127.0.0.1"]);
        dial(PATIENCE).connect_by(other_family, "hall.example", port, false).await.unwrap();
        // Silent: what is sent there is swallowed.
        let _deaf = deaf(port).await;
        let silent = names(&["127.0.0.2", "127.0.0.1"]);
        let dial = dial(Duration::from_secs(2));
        let found = dial.connect_by(silent, "hall.example", port, false).await.unwrap();
        assert_eq!(found.peer_addr().unwrap().ip().to_string(), "127.0.0.1");
        #[cfg(target_os = "linux")]
        {
            let limit = socket2::SockRef::from(&found).tcp_user_timeout().unwrap();
            assert_eq!(limit, Some(Duration::from_secs(7)), "what is not received is given up");
        }
    }

    #[tokio::test]
    async fn a_host_that_does_not_resolve_is_called_that() {
        let fault = dial(PATIENCE).connect("no-such-host.invalid", 80, false).await.unwrap_err();
        assert_eq!(
            fault,
            DialError::Unreachable("the host of `upstream.url` cannot be resolved".to_owned())
        );
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let fault = dial(PATIENCE).connect("127.0.0.1", free, false).await.unwrap_err();
        assert!(fault.to_string().contains("connection refused"), "{fault}");
    }
}
