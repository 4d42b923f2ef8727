//! A line between a process and a server, which can be cut, in one way too, slowed and severed.
//!
//! A cut holds what is on its way, as a network does that drops packets which TCP sends again: what
//! both ends still want to exchange when it is mended passes then.
//!
//! Lines have a runtime of their own: what keeps this program busy, such as a look at all that was
//! published, must not hold up the heartbeats that pass here.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::scenario::Wire;

/// What is held on its way in one direction of one connection.
const CHUNK: usize = 64 * 1024;

static LINES: LazyLock<Runtime> = LazyLock::new(|| {
    let mut lines = Builder::new_multi_thread();
    let lines = lines.worker_threads(1).thread_name("lines").enable_all().build();
    lines.expect("one more thread and one more epoll")
});

/// An address that is taken, before it leads anywhere.
pub struct Entrance {
    listener: TcpListener,
    address: SocketAddr,
}

/// How one direction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    Held,
    Slow(Duration),
    /// So many bytes a second.
    Narrow(u64),
}

#[derive(Debug, Clone, Copy)]
struct State {
    /// From the process.
    out: Way,
    /// To the process.
    back: Way,
    /// Connections of an earlier age are closed.
    age: u64,
}

/// The line. Ends when dropped.
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    accepting: JoinHandle<()>,
}

impl Entrance {
    /// Takes a free address.
    pub async fn take() -> std::io::Result<Entrance> {
        let bound = LINES.spawn(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = bound.await.map_err(std::io::Error::other)??;
        let address = listener.local_addr()?;
        Ok(Entrance { listener, address })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Leads to a server from now on.
    pub fn lead(self, to: SocketAddr) -> Proxy {
        let (state, seen) = watch::channel(State { out: Way::Open, back: Way::Open, age: 0 });
        let accepting = LINES.spawn(accept(self.listener, to, seen));
        Proxy { address: self.address, state, accepting }
    }
}

impl Proxy {
    /// Where the process connects to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks it until it is mended.
    pub fn fail(&self, wire: Wire) {
        self.state.send_modify(|state| match wire {
            Wire::Cut => (state.out, state.back) = (Way::Held, Way::Held),
            Wire::CutOut => state.out = Way::Held,
            Wire::CutIn => state.back = Way::Held,
            Wire::Delay(ms) => {
                let slow = Way::Slow(Duration::from_millis(ms));
                (state.out, state.back) = (slow, slow);
            }
            Wire::Narrow(kb) => state.back = Way::Narrow(kb.max(1) * 1_000),
            Wire::Sever => state.age += 1,
        });
    }

    /// Everything passes again.
    pub fn mend(&self) {
        self.state.send_modify(|state| (state.out, state.back) = (Way::Open, Way::Open));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.state.send_modify(|state| state.age += 1);
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, state: watch::Receiver<State>) {
    // An error of one connection, or too many of them, is no reason to accept no more.
    loop {
        if let Ok((inside, _)) = listener.accept().await {
            tokio::spawn(connect(inside, to, state.clone()));
        }
    }
}

async fn connect(inside: TcpStream, to: SocketAddr, mut state: watch::Receiver<State>) {
    let age = state.borrow().age;
    // Who is not there refuses, and so does the proxy: by closing.
    let Ok(outside) = TcpStream::connect(to).await else { return };
    inside.set_nodelay(true).ok();
    outside.set_nodelay(true).ok();
    let (inside_read, inside_write) = inside.into_split();
    let (outside_read, outside_write) = outside.into_split();
    tokio::select! {
        () = pump(inside_read, outside_write, state.clone(), |state| state.out) => {}
        () = pump(outside_read, inside_write, state.clone(), |state| state.back) => {}
        _ = state.wait_for(|state| state.age != age) => {}
    }
}

/// Until one end closes: then the connection is closed at both.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    way: fn(&State) -> Way,
) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length) = from.read(&mut chunk).await {
        let Ok(now) = state.wait_for(|state| way(state) != Way::Held).await.map(|now| way(&now))
        else {
            return;
        };
        match now {
            Way::Slow(by) => tokio::time::sleep(by).await,
            Way::Narrow(rate) => {
                tokio::time::sleep(Duration::from_millis(length as u64 * 1_000 / rate)).await;
            }
            Way::Open | Way::Held => {}
        }
        if length == 0 || to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await.ok();
                });
            }
        });
        address
    }

    async fn line() -> (Proxy, TcpStream) {
        let proxy = Entrance::take().await.unwrap().lead(echo().await);
        let stream = TcpStream::connect(proxy.address()).await.unwrap();
        (proxy, stream)
    }

    async fn hears(stream: &mut TcpStream) -> Option<u8> {
        stream.read_u8().await.ok()
    }

    #[tokio::test]
    async fn what_is_sent_into_a_cut_line_passes_when_it_is_mended() {
        for wire in [Wire::Cut, Wire::CutIn, Wire::CutOut] {
            let (proxy, mut stream) = line().await;
            stream.write_u8(1).await.unwrap();
            assert_eq!(hears(&mut stream).await, Some(1));
            proxy.fail(wire);
            stream.write_u8(2).await.unwrap();
            let heard = tokio::time::timeout(Duration::from_millis(50), hears(&mut stream)).await;
            assert!(heard.is_err(), "{wire:?}");
            proxy.mend();
            assert_eq!(hears(&mut stream).await, Some(2), "{wire:?}");
        }
    }

    #[tokio::test]
    async fn a_severed_line_closes_its_connections_and_takes_new_ones() {
        let (proxy, mut stream) = line().await;
        stream.write_u8(1).await.unwrap();
        assert_eq!(hears(&mut stream).await, Some(1));
        proxy.fail(Wire::Sever);
        assert_eq!(hears(&mut stream).await, None);
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        stream.write_u8(3).await.unwrap();
        assert_eq!(hears(&mut stream).await, Some(3));
    }

    #[tokio::test]
    async fn a_slow_or_narrow_line_passes_everything() {
        for wire in [Wire::Delay(5), Wire::Narrow(1)] {
            let (proxy, mut stream) = line().await;
            proxy.fail(wire);
            stream.write_u8(4).await.unwrap();
            assert_eq!(hears(&mut stream).await, Some(4), "{wire:?}");
        }
    }
}
