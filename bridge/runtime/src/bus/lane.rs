//! What the runtime asks of a bus for the commands of a connector.
//!
//! A lane is a connector's commands, what became of them, and the dead letters. It belongs to the
//! connector's shard: who runs the shard runs its lane, in one process, all ordering keys of it.
//!
//! Taking a lane over ([`Bus::open_lane`](crate::bus::Bus::open_lane)) fences an earlier owner, and
//! gives a reader that begins with the oldest command that is not settled, in the order in which the
//! commands of each partition stand.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::fault::BusFault;
use super::log::Recovered;

/// Where a command stands: partition and offset on Kafka, 0 and the stream's sequence on NATS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position {
    /// Partition.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.offset)
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Position, ()> {
        let (partition, offset) = text.split_once('/').ok_or(())?;
        let (partition, offset) = (partition.parse(), offset.parse());
        Ok(Position { partition: partition.map_err(drop)?, offset: offset.map_err(drop)? })
    }
}

/// A record of the topic of commands.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Where it stands.
    pub position: Position,
    /// Its key; none where the sender gave none, or one that is no text.
    pub key: Option<String>,
    /// Its value.
    pub value: Vec<u8>,
    /// Whether it was put back under its ordering key already (header `talon-rekeyed`).
    pub rekeyed: bool,
    /// The header `traceparent`, to go on with.
    pub traceparent: Option<String>,
    /// When the bus took it, milliseconds since 1970 UTC; 0 where that is not known.
    pub at_ms: i64,
}

/// Where a record of a lane goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneTopic {
    /// Intents and outcomes.
    Results,
    /// What is no command.
    DeadLetters,
    /// Back to the commands, under another key.
    Commands,
}

/// A record to be appended to a lane.
#[derive(Debug, Clone)]
pub struct LaneRecord {
    /// Where it goes.
    pub topic: LaneTopic,
    /// Message key: for results the command's id, for commands the ordering key.
    pub key: String,
    /// Value.
    pub value: Vec<u8>,
    /// Headers.
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// Names the record: the same again if it is made again for the same command and step.
    pub id: String,
}

/// The two sides of a lane that was taken over.
pub type OpenLane = (Box<dyn LaneReader>, Box<dyn LaneLog>);

/// Reads the commands. Used by one thread, which may block; lives no longer than its [`LaneLog`] does.
pub trait LaneReader: Send {
    /// Waits at most `patience` for the next command. One that was read before may come again, for
    /// instance after a connection was lost; the caller knows it by its position.
    ///
    /// After an error the lane is opened anew.
    fn next(&mut self, patience: Duration) -> Result<Option<Arrival>, BusFault>;

    /// Whether the commands come in one order, whatever their keys: then none needs to be put back
    /// under its ordering key.
    fn is_ordered(&self) -> bool;

    /// Brings [`LaneReader::behind`] up to date without reading, while what was read waits to be taken.
    /// Called some times a second, so it must not ask the bus each time.
    fn look_ahead(&mut self) -> Result<(), BusFault> {
        Ok(())
    }

    /// How many commands stand on the topic behind the last one that was read; `None` where it is not
    /// known. Must not take longer than a look at what the client knows.
    fn behind(&self) -> Option<u64>;
}

/// Writes what becomes of commands. Used by one thread, which may block.
///
/// After any error but [`BusFault::TooLarge`] the lane is opened anew.
pub trait LaneLog: Send {
    /// Reads all results from the oldest to the newest, in order for each command. An error of `each`
    /// ends it.
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault>;

    /// Appends a record. It becomes visible with the next commit, or before it.
    fn append(&mut self, record: &LaneRecord) -> Result<(), BusFault>;

    /// Commits what was appended, and with it, or after it, that these commands are settled: they will
    /// not be read again by whoever opens the lane next, or are known there by their outcome. Called
    /// with nothing now and then, so that a bus that forgets what is not repeated is told again.
    fn commit(&mut self, settled: &[Position]) -> Result<(), BusFault>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_from_its_text() {
        let position = Position { partition: 3, offset: 1 << 40 };
        assert_eq!(position.to_string().parse(), Ok(position));
        for wrong in ["", "3", "3/", "/3", "a/1"] {
            assert_eq!(wrong.parse::<Position>(), Err(()));
        }
    }
}
