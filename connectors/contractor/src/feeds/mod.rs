//! The feeds: what each reads, how often, and how its rows read.

pub(crate) mod call_cost;
mod codec;
pub(crate) mod modifications;

use crate::contracts;
use talon_sdk::FeedSpec;

pub(crate) use codec::codec;

/// All feeds of the connector.
pub(crate) fn all() -> Vec<FeedSpec> {
    vec![
        FeedSpec::table("call", &contracts::CALL)
            .by("id")
            .from("GET /call/modifications/{timestamp}")
            .doc("Calls with their tasks and jeopardies, by modification mark."),
        FeedSpec::log("call_message", &contracts::CALL_MESSAGE)
            .by("id")
            .from("GET /call/messages/modifications/{timestamp}")
            .doc("Messages about calls, by modification mark."),
        FeedSpec::table("call_jeopardy", &contracts::CALL_JEOPARDY)
            .by("id")
            .from("GET /call/jeopardies/modifications/{timestamp}")
            .doc("Risks that a call will not be done in time, by modification mark."),
        FeedSpec::table("call_task", &contracts::CALL_TASK)
            .by("id")
            .from("GET /calltask")
            .doc("All tasks, as a whole list: what is not in it is deleted, under the mass-delete guard."),
        FeedSpec::table("call_cost", &contracts::CALL_COST)
            .by("call id")
            .from("GET /callCost/call/{callId}")
            .doc("Cost estimates: of calls that changed, and of all calls in a slow cycle."),
    ]
}
