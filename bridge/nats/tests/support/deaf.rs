//! A way to a server on which its answers can be lost.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// The header of such a write.
const EXPECTS: &[u8] = b"Nats-Expected-Last-Subject-Sequence";

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// Passes on what comes, both ways, but what the server says while it is deaf.
pub(crate) struct Proxy {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    server: String,
    /// It becomes deaf with the next write that expects a sequence.
    armed: AtomicBool,
    deaf: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// In front of a server: `nats://host:port`, or without the scheme.
    pub(crate) fn new(url: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url_of = |address| format!("nats://{address}");
        let server = url.trim_start_matches("nats://").to_owned();
        let (armed, deaf) = (AtomicBool::new(false), AtomicBool::new(false));
        let state = Arc::new(State { server, armed, deaf, connections: Mutex::default() });
        let (url, mine) = (url_of(listener.local_addr().unwrap()), state.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                mine.connect(&client);
            }
        });
        Proxy { url, state }
    }

    /// From the next write on that expects a sequence nothing is heard of the server.
    pub(crate) fn lose_answers(&self) {
        self.state.armed.store(true, Ordering::SeqCst);
    }

    /// Ends all connections; those that are made from now on are whole.
    pub(crate) fn cut(&self) {
        self.state.deaf.store(false, Ordering::SeqCst);
        for connection in self.state.connections.lock().unwrap().drain(..) {
            connection.shutdown(Shutdown::Both).ok();
        }
    }
}

impl State {
    fn connect(self: &Arc<Self>, client: &TcpStream) {
        let server = TcpStream::connect(&self.server).unwrap();
        let ends = [(client, &server, false), (&server, client, true)];
        for (from, to, is_answer) in ends {
            let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let state = self.clone();
            thread::spawn(move || {
                let mut bytes = [0; 16_384];
                while let Ok(count @ 1..) = from.read(&mut bytes) {
                    let is_write = !is_answer && holds(&bytes[..count], EXPECTS);
                    if is_write && state.armed.swap(false, Ordering::SeqCst) {
                        state.deaf.store(true, Ordering::SeqCst);
                    }
                    let is_lost = is_answer && state.deaf.load(Ordering::SeqCst);
                    if !is_lost && to.write_all(&bytes[..count]).is_err() {
                        break;
                    }
                }
                to.shutdown(Shutdown::Both).ok();
            });
        }
        self.connections.lock().unwrap().extend([client.try_clone().unwrap(), server]);
    }
}
