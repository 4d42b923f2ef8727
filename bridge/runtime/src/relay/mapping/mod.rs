//! Where a record goes, and what it looks like there. Pure: no bus is asked.
//!
//! [`Template`] builds subjects, topics and keys from placeholders; [`Route`] gives the [`Address`](super::Address)
//! of a record, or why there is none.
//!
//! # A record of Kafka as a message of NATS, and back
//!
//! | On Kafka | On NATS |
//! | --- | --- |
//! | topic, partition, offset | `Talon-Relay-Origin: {topic}/{partition}/{offset}` |
//! | key | `Talon-Relay-Key`, escaped as a token of a subject is ([`escape`](crate::bus::escape)): bytes that are no text, and an empty key, too |
//! | null key | no `Talon-Relay-Key` |
//! | value | payload, the same bytes |
//! | empty value | empty payload |
//! | tombstone (null value) | empty payload and `Talon-Relay-Tombstone: 1` |
//! | timestamp | `Talon-Relay-Time`, milliseconds since 1970 UTC; `-` for a record without |
//! | header with a text | the header of that name (see below) with that text; repeated ones repeated |
//! | header that is null, binary, or a text that a header cannot hold | in `Talon-Relay-Headers` alone |
//! | order and names of headers | `Talon-Relay-Headers`: the names in their order, separated by commas; behind a name `!` is null, and `=` stands before the value in Base64 |
//! | `talon-relay-hops` | `Talon-Relay-Hops` |
//!
//! Names of headers: `ce_…` of CloudEvents is `ce-…` on NATS; `traceparent`, `tracestate` and `content-type` have
//! the same name on both; `Nats-…` and `Talon-Relay-…` become `Talon-Relay-Carried-…`, so that a server takes none
//! of them for an order (`Nats-Rollup` would wipe a subject, `Nats-TTL` end the message, `Nats-Stream-Source` be
//! refused); characters that a name cannot have are escaped (`%3A`).
//!
//! The way back is exact: [`read_message`] of what [`write_message`] wrote gives the same record, header for header.
//!
//! # A message that was published to NATS by others
//!
//! It has no key; `to.key` can build one. Its headers become Kafka's, `ce-…` as `ce_…`, sorted by name, because
//! NATS keeps no order between names. What the server of its stream put there for its own use
//! (`Nats-Expected-…`, `Nats-Batch-…`) is left out; `Nats-Msg-Id`, `Nats-TTL`, `Nats-Rollup` and the like are
//! carried as plain headers, which do nothing on Kafka. Its time is when the stream took it. The marker of a deleted
//! or ended message (`KV-Operation: DEL` or `PURGE`, `Nats-Marker-Reason`) is a tombstone, with its headers.

mod header_list;
mod message;
mod route;
mod template;

pub use message::{Message, Stored, read_message, write_message};
pub use route::{Partitioning, Route};
pub use template::{Template, Unroutable};
