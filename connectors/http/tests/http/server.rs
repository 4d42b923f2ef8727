//! A server on a port of its own that answers every request in the same way.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What is written to the connection, and what then becomes of it.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Written; then the connection ends.
    Close(Vec<u8>),
    /// Written; then nothing more comes.
    Hang(Vec<u8>),
    /// Written again and again until the other side has enough.
    Repeat(Vec<u8>, Vec<u8>),
    /// Written; then the next request is awaited.
    Keep(Vec<u8>),
}

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(answer: Answer) -> Server {
        Server::serve(answer, None).await
    }

    pub(crate) async fn start_tls(answer: Answer, tls: rustls::ServerConfig) -> Server {
        Server::serve(answer, Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn serve(answer: Answer, tls: Option<TlsAcceptor>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, tls, seen) = (answer.clone(), tls.clone(), seen.clone());
                connections.spawn(async move {
                    match tls {
                        None => converse(stream, &answer, &seen).await,
                        // A handshake that fails is seen by the client.
                        // Its bytes are read to the end: left unread, they would make the system
                        // reset the connection, and the alert could be lost.
                        Some(tls) => match tls.accept(stream).into_fallible().await {
                            Ok(stream) => converse(stream, &answer, &seen).await,
                            Err((_, mut stream)) => {
                                stream.shutdown().await.ok()?;
                                tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok()?;
                                None
                            }
                        },
                    }
                });
            }
        });
        Server { address, heads, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far, head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// `None` as soon as the other side has gone.
async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &Answer,
    seen: &Mutex<Vec<String>>,
) -> Option<()> {
    loop {
        let request = read_request(&mut stream).await?;
        seen.lock().unwrap().push(request);
        match answer {
            Answer::Close(bytes) => {
                stream.write_all(bytes).await.ok()?;
                return stream.shutdown().await.ok();
            }
            Answer::Hang(bytes) => {
                stream.write_all(bytes).await.ok()?;
                stream.flush().await.ok()?;
                std::future::pending::<()>().await;
            }
            Answer::Repeat(head, bytes) => {
                stream.write_all(head).await.ok()?;
                loop {
                    stream.write_all(bytes).await.ok()?;
                }
            }
            Answer::Keep(bytes) => stream.write_all(bytes).await.ok()?,
        }
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut text = Vec::new();
    let head = loop {
        text.push(stream.read_u8().await.ok()?);
        if text.ends_with(b"\r\n\r\n") {
            break String::from_utf8(text).unwrap();
        }
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + std::str::from_utf8(&body).unwrap())
}

/// A reply with a length; `headers` end in CRLF each.
pub(crate) fn reply(status: u16, headers: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Keep(
        format!("HTTP/1.1 {status} x\r\n{headers}content-length: {length}\r\n\r\n{body}")
            .into_bytes(),
    )
}
