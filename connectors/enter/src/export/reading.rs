//! One branch-day on its way: asked for, then taken piece by piece.

use talon_http::Stream;
use talon_sdk::{Clock, Fault, Rows};

use super::client::{DayFault, Upstream};
use super::entity::Head;
use super::plan::{Told, Work};
use super::slice::{SliceFault, Slicer};
use super::zone::{Zone, Zones};

/// An observation has rows of about so many bytes.
const PIECE: usize = 1024 * 1024;

/// A branch-day that is being read. While nobody polls it, nothing is read.
pub(crate) struct Reading {
    pub(crate) work: Work,
    /// When it was asked for, milliseconds since 1970 UTC.
    pub(crate) began_ms: i64,
    /// How many pieces were given.
    pieces: u32,
    stream: Option<Stream>,
    slicer: Slicer,
}

/// What came of a reading.
pub(crate) enum Piece {
    /// Rows, and there are more.
    More(Rows),
    /// The last rows, and what the reply told of its branch.
    Last(Rows, Told),
    /// The rows before it broke off, and why.
    Broken(Rows, DayFault),
}

impl Reading {
    /// Not asked for yet; for tickets of at most `largest` bytes.
    pub(crate) fn new(work: Work, largest: usize) -> Reading {
        Reading { work, began_ms: 0, pieces: 0, stream: None, slicer: Slicer::new(largest) }
    }

    /// Reads the next piece.
    pub(crate) async fn piece(
        mut self,
        upstream: Upstream,
        zones: Zones,
        clock: Clock,
    ) -> (Reading, Piece) {
        let piece = match self.take(&upstream, &clock).await {
            Ok(true) => Piece::More(self.slicer.rows()),
            Ok(false) => {
                let told = Told { zone: self.zone(&zones), is_away: self.slicer.is_away() };
                Piece::Last(self.slicer.rows(), told)
            }
            Err(fault) => Piece::Broken(self.slicer.rows(), fault),
        };
        self.pieces += 1;
        (self, piece)
    }

    /// The number of the piece that was given last, from 0.
    pub(crate) fn number(&self) -> u32 {
        self.pieces.saturating_sub(1)
    }

    /// Takes the body until there is a piece; `false` at its end.
    async fn take(&mut self, upstream: &Upstream, clock: &Clock) -> Result<bool, DayFault> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                self.began_ms = clock.now_ms();
                none.insert(upstream.day(&self.work.branch, self.work.day).await?)
            }
        };
        while self.slicer.waiting() < PIECE {
            let chunk = stream.chunk().await.map_err(DayFault::from)?;
            let Some(chunk) = chunk else {
                self.slicer.finish().map_err(strange)?;
                return Ok(false);
            };
            self.slicer.take(&chunk).map_err(strange)?;
        }
        Ok(true)
    }

    /// The zone that the reply told, by name or offset.
    fn zone(&self, zones: &Zones) -> Option<Zone> {
        let head = self.slicer.head();
        let head: Head<'_> = serde_json::from_slice(&head).ok()?;
        let zone = zones.of(&self.work.branch, Some(head.zone()?));
        matches!(zone.origin, "upstream" | "offset").then_some(zone)
    }
}

fn strange(fault: SliceFault) -> DayFault {
    let reason = format!("the tickets of a day cannot be read: {fault}");
    DayFault::of_day(match fault {
        SliceFault::TooLarge => Fault::Misconfigured { reason },
        SliceFault::Form(_) | SliceFault::Cut(_) => Fault::unavailable(reason),
    })
}
