//! Who runs what: the group protocol on `{prefix}.shards`.
//!
//! A shard belongs to the partition that its name hashes to, and to the process to which the group has
//! assigned that partition. Assignment is cooperative: a rebalance takes away only what moves.
//!
//! How it can fail, and what holds then:
//!
//! * A shard that is taken back commits for seconds, or is being opened: its partition is given back when
//!   it is let go, and the loop goes on meanwhile, so the other shards stay confirmed. The group waits for
//!   as long as `max.poll.interval.ms` (5 minutes).
//! * It is not let go within [`rebalance::RELEASE`]: its grant is made over, then its partition is given back. What it
//!   still appends is fenced by the broker.
//! * The process stood still for nearly a session, or longer: nothing new begins, since the grants are not
//!   confirmed, and the broker is asked by a commit of offsets, which it takes from members alone. If it
//!   does, nothing has been lost; else all grants are over, and the client joins again.
//! * The client says that its assignment is lost: the same, without asking.
//! * A rebalance fails: all grants are over.
//! * The broker refuses the credentials, and a secret or certificate has changed since the client was made:
//!   all grants are over, and the client joins again with the new ones. As long as its connections live, it
//!   goes on with the old ones, since to join again moves connectors.
//!
//! * The coordinator counts this process out again and again within a minute, since it answers too late: it
//!   stays away for a while; see [`losses`].
//!
//! Who runs a shard is told to people, and to tools, by [`presence`]; nothing in the group rests on it.

mod losses;
mod member;
mod owner;
mod presence;
mod rebalance;
mod shards;

pub(crate) use member::{Member, name};
pub(crate) use owner::owner;
pub(crate) use shards::topic;
