//! The feeds: what each reads, how often, and how its rows read.

pub(crate) mod call_cost;
pub(crate) mod call_task;
mod codec;
pub(crate) mod marks;
pub(crate) mod modifications;

use talon_schemas::contractor as contracts;
use talon_sdk::{FeedSpec, Kind};

pub(crate) use codec::codec;

/// All feeds of the connector.
pub(crate) static FEEDS: [FeedSpec; 5] = [
    FeedSpec {
        name: "call",
        kind: Kind::Table,
        key: "id",
        from: "GET /call/modifications/{timestamp}",
        doc: "Calls with their tasks and jeopardies, by modification mark.",
        contract: || &contracts::CALL,
    },
    FeedSpec {
        name: "call_message",
        kind: Kind::Log,
        key: "id",
        from: "GET /call/messages/modifications/{timestamp}",
        doc: "Messages about calls, by modification mark.",
        contract: || &contracts::CALL_MESSAGE,
    },
    FeedSpec {
        name: "call_jeopardy",
        kind: Kind::Table,
        key: "id",
        from: "GET /call/jeopardies/modifications/{timestamp}",
        doc: "Risks that a call will not be done in time, by modification mark.",
        contract: || &contracts::CALL_JEOPARDY,
    },
    FeedSpec {
        name: "call_task",
        kind: Kind::Table,
        key: "id",
        from: "GET /calltask",
        doc: "All tasks, as a whole list: what is not in it is deleted, under the mass-delete guard.",
        contract: || &contracts::CALL_TASK,
    },
    FeedSpec {
        name: "call_cost",
        kind: Kind::Table,
        key: "call id",
        from: "GET /callCost/call/{callId}",
        doc: "Cost estimates: of calls that changed, and of all calls in a slow cycle.",
        contract: || &contracts::CALL_COST,
    },
];

/// Names of all feeds, for the setting `feeds`.
pub(crate) const NAMES: &[&str] =
    &["call", "call_message", "call_jeopardy", "call_task", "call_cost"];
