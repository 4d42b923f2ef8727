//! A small HTTP proxy. Other crates' tests include this file.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A proxy that ends with the test. Whatever host it is asked for, it connects to its target, as a proxy does
/// that alone knows the names behind it.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Relay {
    /// Lets everybody through.
    pub(crate) async fn start(target: SocketAddr) -> Relay {
        Relay::guarded(target, None).await
    }

    /// Lets through who shows `Proxy-Authorization` with this value, if there is one.
    pub(crate) async fn guarded(target: SocketAddr, wanted: Option<&'static str>) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = heads.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(relay(stream, target, wanted, seen.clone()));
            }
        });
        Relay { address, heads, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Their first lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.heads().iter().map(|head| head.lines().next().unwrap().to_owned()).collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// `None` as soon as one of the sides has gone.
async fn relay(
    mut inner: TcpStream,
    target: SocketAddr,
    wanted: Option<&str>,
    seen: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let head = read_head(&mut inner).await?;
    seen.lock().unwrap().push(head.clone());
    let shown = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization").then_some(value)
    });
    if wanted.is_some() && shown != wanted {
        let refusal = b"HTTP/1.1 407 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        inner.write_all(refusal).await.ok()?;
        return inner.shutdown().await.ok();
    }
    let Ok(mut outer) = TcpStream::connect(target).await else {
        let refusal = b"HTTP/1.1 502 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        inner.write_all(refusal).await.ok()?;
        return inner.shutdown().await.ok();
    };
    if head.starts_with("CONNECT ") {
        inner.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
        return copy_bidirectional(&mut inner, &mut outer).await.ok().map(drop);
    }
    // One exchange a connection: the origin form, as the server behind expects it, and its reply.
    let (line, rest) = head.split_once("\r\n")?;
    let [method, url, version] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
    let (_, after) = url.split_once("://")?;
    let path = after.find('/').map_or("/", |at| &after[at..]);
    outer.write_all(format!("{method} {path} {version}\r\n{rest}").as_bytes()).await.ok()?;
    outer.write_all(&body(&mut inner, &head).await?).await.ok()?;
    let head = read_head(&mut outer).await?;
    let body = body(&mut outer, &head).await?;
    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    inner.write_all(&[head.as_bytes(), &body].concat()).await.ok()?;
    inner.shutdown().await.ok()
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// What follows a head that says how much it is.
async fn body(stream: &mut TcpStream, head: &str) -> Option<Vec<u8>> {
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}
