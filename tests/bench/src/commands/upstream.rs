//! An upstream that notes when requests come, and answers after a while.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// When the writing request about a call came.
#[derive(Default)]
struct Arrivals {
    at: Mutex<HashMap<u32, Instant>>,
    came: Condvar,
    delay_micros: AtomicU64,
}

/// The upstream. Runs until the process ends.
pub(super) struct Upstream {
    address: SocketAddr,
    arrivals: Arc<Arrivals>,
}

impl Upstream {
    /// On a thread of its own, so that waiting here holds it not up.
    pub(super) fn start() -> anyhow::Result<Upstream> {
        let arrivals = Arc::new(Arrivals::default());
        let shared = arrivals.clone();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::bind("127.0.0.1:0").await else { return };
                if let Ok(address) = listener.local_addr() {
                    tell.send(address).ok();
                }
                while let Ok((stream, _)) = listener.accept().await {
                    let arrivals = shared.clone();
                    tokio::spawn(async move {
                        // A connection ends when its client is gone.
                        answer(stream, &arrivals).await.ok();
                    });
                }
            });
        });
        let address = told.recv().context("the upstream cannot listen")?;
        Ok(Upstream { address, arrivals })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How long it takes for a write from now on.
    pub(super) fn delay(&self, delay: Duration) {
        self.arrivals.delay_micros.store(delay.as_micros() as u64, Ordering::Relaxed);
    }

    pub(super) fn forget(&self) {
        self.arrivals.at.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// When the request about a call came.
    pub(super) fn wait_for(&self, call: u32, patience: Duration) -> anyhow::Result<Instant> {
        let at = self.arrivals.at.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = |at: &mut HashMap<u32, Instant>| !at.contains_key(&call);
        let waited = self.arrivals.came.wait_timeout_while(at, patience, missing);
        let (at, _) = waited.unwrap_or_else(PoisonError::into_inner);
        at.get(&call).copied().with_context(|| format!("no request about call {call}"))
    }

    /// Until requests about so many calls have come.
    pub(super) fn wait(&self, calls: usize, patience: Duration) -> anyhow::Result<()> {
        let at = self.arrivals.at.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = |at: &mut HashMap<u32, Instant>| at.len() < calls;
        let waited = self.arrivals.came.wait_timeout_while(at, patience, missing);
        let (at, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        anyhow::ensure!(!timeout.timed_out(), "only {} of {calls} requests came", at.len());
        Ok(())
    }
}

async fn answer(stream: TcpStream, arrivals: &Arrivals) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let mut length = 0_usize;
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).await?;
            if header.trim().is_empty() {
                break;
            }
            let header = header.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let call =
            path.strip_prefix("/call/").and_then(|rest| rest.split('/').next()?.parse().ok());
        let reply = match (method, call) {
            ("GET", Some(call)) => {
                let call: u32 = call;
                format!(r#"{{"id": {call}, "status": "Done"}}"#)
            }
            ("GET", None) => "[]".to_owned(),
            (_, call) => {
                if let Some(call) = call {
                    let now = Instant::now();
                    let mut at = arrivals.at.lock().unwrap_or_else(PoisonError::into_inner);
                    at.insert(call, now);
                    drop(at);
                    arrivals.came.notify_all();
                }
                let delay = arrivals.delay_micros.load(Ordering::Relaxed);
                if delay > 0 {
                    tokio::time::sleep(Duration::from_micros(delay)).await;
                }
                "1".to_owned()
            }
        };
        let text = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{reply}",
            reply.len()
        );
        stream.get_mut().write_all(text.as_bytes()).await?;
    }
}
