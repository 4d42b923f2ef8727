//! Small records under text keys that every process of the group reads as a whole: what is configured at run
//! time, and the states of connectors and tasks. They are kept on the home bus.
//!
//! On Kafka a store is a compacted topic of one partition, on NATS a bucket; a bus that only one process uses
//! keeps it in memory ([`MemoryStore`]).
//!
//! How it can fail, and what holds then:
//!
//! * **Two write at once.** [`Store::write`] compares and sets: of two that expect the same revision one gets
//!   its revision and the other [`WriteFault::Conflict`], in whatever processes they are.
//! * **A writer is killed.** An entry is one record, so it is there or not, never half. What the writer left
//!   open is ended by the next writer, or by the bus after some seconds, for which readers wait.
//! * **An acknowledgement is lost.** The write is looked for by an id that only it has, and its revision is
//!   given. It never conflicts with itself. Where it cannot be found out, that is said: [`WriteFault::Unclear`].
//! * **A process stands still and is revived in the middle of a write.** What it sends then is refused by the
//!   bus, and it looks again. A [`Store::put`] is not refused: it can put an old state over a newer one. Whoever
//!   an entry is about follows the store, and puts its own state again when another one comes by.
//! * **A follower misses changes,** because the bus was away, it stood still, or a bus forgot them meanwhile
//!   (compaction takes tombstones). It reads everything anew after each trouble and every five minutes, and tells
//!   what differs from what it told, also what vanished without a word.
//! * **The topic or bucket is gone.** That is trouble, never an empty store: nothing is told as removed. It is
//!   made where it is missing when a process first uses it, and not again by a process that has seen it. When it
//!   is there again and holds less, what it lacks is told as removed.
//! * **A value is too large.** It is refused as [`TooLarge`](super::BusFault::TooLarge), and nothing else is affected.
//! * **Somebody has given the topic more partitions, or a policy that deletes by age.** The store is refused with
//!   the remedy.

mod entries;
mod memory;
mod outbox;
mod picture;
mod telling;

pub use entries::{Entry, Expected, Store, Told, WriteFault};
pub use memory::MemoryStore;
pub use outbox::{Outbox, Put, write_id};
pub use picture::Record;
pub use telling::Telling;
