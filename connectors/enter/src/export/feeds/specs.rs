use crate::export::contracts;
use talon_sdk::FeedSpec;

/// All feeds of the connector.
pub(crate) fn all() -> Vec<FeedSpec> {
    vec![
        FeedSpec::table("branch", &contracts::BRANCH)
            .by("Id")
            .from("GET /api/1/config/servers")
            .doc("Branches and whether they are connected, as a whole list."),
        FeedSpec::table("ticket_source", &contracts::TICKET_SOURCE)
            .by("Id")
            .from("GET /api/1/config/ticketSources")
            .doc("What can create tickets, as a whole list."),
        FeedSpec::table("ticket", &contracts::TICKET)
            .by("branch Id/ticket Id")
            .from("GET /api/1/queue/statistics/tickets/history, or .../tickets of an old server")
            .doc("Tickets with their services: today, the past by backfill, and days with tickets that can still change."),
        FeedSpec::log("ticket_operation", &contracts::TICKET_OPERATION)
            .by("History Id")
            .from("the rows of `ticket`")
            .doc("Each step in the life of a service within a ticket, once."),
    ]
}
