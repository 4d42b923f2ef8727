//! Messages that cannot be read, until a feed puts them to the dead letters.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// How many wait. More are counted and dropped with a warning: a peer that sends nothing else is no source
/// of events.
const ROOM: usize = 16;

/// How often it is said that some were dropped.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);

/// Unreadable messages that wait, oldest first.
#[derive(Default)]
pub(super) struct Strays {
    waiting: VecDeque<Bytes>,
    /// Dropped since it was said last.
    dropped: u64,
    warned: Option<Instant>,
}

impl Strays {
    /// Keeps a message. Gives how many were dropped, where that is to be said now.
    pub(super) fn put(&mut self, text: Bytes) -> Option<u64> {
        if self.waiting.len() < ROOM {
            self.waiting.push_back(text);
            return None;
        }
        self.dropped += 1;
        if self.warned.is_some_and(|warned| warned.elapsed() < BETWEEN_WARNINGS) {
            return None;
        }
        self.warned = Some(Instant::now());
        Some(std::mem::take(&mut self.dropped))
    }

    /// The oldest.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        self.waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_what_cannot_be_read_is_one_log_line_a_minute() {
        let mut strays = Strays::default();
        let (mut lines, mut told) = (0, 0);
        for _ in 0..60_000 {
            let dropped = strays.put(Bytes::from_static(b"?"));
            lines += usize::from(dropped.is_some());
            told += dropped.unwrap_or(0);
            tokio::time::advance(Duration::from_millis(5)).await;
        }
        assert_eq!(lines, 5, "in five minutes");
        assert!(told > 40_000, "{told} were told of");
        assert_eq!(std::iter::from_fn(|| strays.take()).count(), ROOM);
    }
}
