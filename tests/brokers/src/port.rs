//! Ports nobody listens on.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

const LOWEST: u16 = 15_000;

/// A port of the loopback address that is free now; whoever binds it looks for another if it was taken since.
///
/// Below the range the system takes ports of outgoing connections from, where that leaves room.
/// A client that keeps connecting to a broker which is down would otherwise sooner or later be given the broker's own port, and keep it from starting again.
pub(crate) fn free() -> io::Result<u16> {
    let range = LOWEST..lowest_outgoing();
    for _ in 0..100 {
        let span = u64::from(range.end.saturating_sub(range.start));
        if span < 1_000 {
            break;
        }
        let offset = RandomState::new().hash_one(0) % span;
        let Ok(port) = u16::try_from(u64::from(range.start) + offset) else {
            continue;
        };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Whether the log of a server that ended says that its port was taken.
pub(crate) fn was_taken(log: &str) -> bool {
    ["already in use", "Address in use", "BindException"].iter().any(|sign| log.contains(sign))
}

fn lowest_outgoing() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(32_768)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound() {
        let port = free().expect("a free port");
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("free");
    }

    #[test]
    fn a_taken_port_is_told_from_other_failures() {
        assert!(was_taken("listen tcp 127.0.0.1:1: bind: address already in use"));
        assert!(!was_taken("java.lang.OutOfMemoryError"));
    }
}
