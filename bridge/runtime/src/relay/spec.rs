//! What a task of a relay needs of its two buses.

use super::pattern::Pattern;
use super::sink::Sink;
use super::source::Source;
use super::tasks::Tasks;
use crate::bus::{BusFault, Grant};

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Topics by name or pattern, on a bus that has topics.
    Topics(Vec<Pattern>),
    /// These subjects of a stream; none means all of them.
    Stream {
        /// The stream.
        stream: String,
        /// Filters, which must not overlap.
        subjects: Vec<String>,
    },
    /// Subjects of core NATS, which no stream keeps: at most once.
    Subjects(Vec<String>),
}

/// One task of a relay at its source.
#[derive(Debug, Clone)]
pub struct SourceSpec {
    /// Name of the relay.
    pub relay: String,
    /// Which of its tasks.
    pub task: u32,
    /// What is read.
    pub selection: Selection,
}

/// One task of a relay at its target.
#[derive(Debug, Clone)]
pub struct SinkSpec {
    /// Name of the relay.
    pub relay: String,
    /// Which of its tasks.
    pub task: u32,
    /// How many it has.
    pub tasks: Tasks,
    /// The stream, on a bus that has streams. It is there already, or is created with the subjects of
    /// [`SinkSpec::subjects`].
    pub stream: String,
    /// What takes in the subjects of all records, for a stream that is created; none where that is not known, and
    /// then the stream must be there.
    pub subjects: Vec<String>,
    /// Partitions of topics that are created; 0 is the bus's default.
    pub partitions: u32,
    /// Replicas of topics and streams that are created; 0 is the bus's default.
    pub replication: u16,
    /// How long dead letters are kept where their topic is created, milliseconds.
    pub dead_letter_keep_ms: u64,
}

/// A bus that relays can read from and write to.
pub trait RelayBus: Send + Sync {
    /// For people: what it is and where, without credentials.
    fn describe(&self) -> String;

    /// What the stream, or these topics, would not keep of what is written there; nothing of what is not there yet.
    /// Changes nothing. Must be called on a thread of a Tokio runtime that may block.
    ///
    /// # Errors
    /// The bus does not answer, or nothing can be written there: [`BusFault::Misconfigured`].
    fn losses(&self, spec: &SinkSpec, topics: &[String]) -> Result<Vec<String>, BusFault>;

    /// Opens a source. Must be called on a thread of a Tokio runtime that may block.
    fn source(&self, spec: &SourceSpec, grant: &Grant) -> Result<Box<dyn Source>, BusFault>;

    /// Opens a sink, and fences earlier owners of the task; asks the grant right before. Must be called on a
    /// thread of a Tokio runtime that may block.
    fn sink(&self, spec: &SinkSpec, grant: &Grant) -> Result<Box<dyn Sink>, BusFault>;
}
