//! Signals of a process that runs.
//!
//! | Signal | What happens |
//! | --- | --- |
//! | `SIGTERM`, `SIGINT`, `SIGHUP` | It stops: what was read is committed first. A second one ends it at once, with exit code 1. `SIGINT` and `SIGHUP` are left ignored where the process was started so, as by `nohup`. |
//! | `SIGUSR1`, `SIGUSR2` | Nothing; said in the log. Their default would end the process on the spot. |
//! | `SIGPIPE` | Nothing; Rust ignores it. |
//! | `SIGQUIT`, `SIGABRT` | As the system has it: it ends on the spot, with a core where those are written. |

use std::future::{Future, poll_fn};
use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::log;

/// Resolves when the process is asked to stop. A second time ends it at once.
///
/// Handlers are there when this returns.
///
/// # Errors
/// No handler can be had: too few open files.
pub(crate) fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    let ignored = ignored();
    let stops = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let stops = stops
        .into_iter()
        .filter(|kind| *kind == SignalKind::terminate() || !is_in(ignored, kind.as_raw_value()));
    let mut stops = Any(stops.map(signal).collect::<io::Result<_>>()?);
    let others = [SignalKind::user_defined1(), SignalKind::user_defined2()];
    let mut others = Any(others.into_iter().map(signal).collect::<io::Result<_>>()?);
    tokio::spawn(async move {
        loop {
            others.next().await;
            tracing::info!(
                "SIGUSR1 and SIGUSR2 do nothing here: secrets and certificates are read again by themselves, and another configuration needs a restart"
            );
        }
    });
    Ok(async move {
        stops.next().await;
        tokio::spawn(async move {
            stops.next().await;
            log::finish();
            std::process::exit(1);
        });
    })
}

/// Several signals.
struct Any(Vec<Signal>);

impl Any {
    /// The next one, whichever it is.
    async fn next(&mut self) {
        poll_fn(|context| {
            let came = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if came { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// The signals that are ignored, a bit each, where the system says it (Linux).
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn is_in(mask: u64, signal: i32) -> bool {
    u32::try_from(signal - 1).is_ok_and(|bit| mask.checked_shr(bit).unwrap_or(0) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_a_bit_for_each_signal() {
        // SIGHUP and SIGPIPE.
        let mask = 0x1001;
        let found: Vec<i32> = (1..=64).filter(|signal| is_in(mask, *signal)).collect();
        assert_eq!(found, [1, 13]);
        assert!(!is_in(mask, 0) && !is_in(mask, 70));
    }
}
