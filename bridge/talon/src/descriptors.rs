//! How many files the process may have open. Each client of a broker and each connection takes some; where
//! none can be had, a connection fails and is tried again, which looks as if the other side were away.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process takes without connectors: a page with many readers.
const FEW: u64 = 160;

/// What a connector takes at most: three clients of Kafka with two brokers each, and its upstream.
const EACH: u64 = 64;

/// What is asked for where the system lets: as many as any number of connectors takes.
const PLENTY: u64 = 65_536;

/// Raises the limit as far as may be, and says so where it is still low.
pub(crate) fn see(connectors: usize) {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(PLENTY).min(PLENTY);
    let raised = Rlimit { current: Some(most), maximum: limit.maximum };
    let allowed = match limit.current {
        Some(now) if now < most && setrlimit(Resource::Nofile, raised).is_ok() => most,
        Some(now) => now,
        None => return,
    };
    let wanted = wanted(connectors);
    if allowed < wanted {
        tracing::warn!(
            allowed,
            wanted,
            "few files may be open at a time, so connections may fail as if the other side were away; raise the limit (`ulimit -n`, `LimitNOFILE=`)"
        );
    }
}

fn wanted(connectors: usize) -> u64 {
    FEW + EACH * u64::try_from(connectors).unwrap_or(u64::MAX / EACH / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_grows_with_the_connectors() {
        assert_eq!(wanted(1), 224);
        assert!(wanted(150) < PLENTY);
    }
}
