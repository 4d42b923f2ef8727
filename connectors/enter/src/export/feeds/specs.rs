use talon_schemas::{Contract, enter as contracts};
use talon_sdk::{FeedSpec, Kind};

/// All feeds of the connector.
pub(crate) static FEEDS: [FeedSpec; 4] = [
    FeedSpec {
        name: "branch",
        kind: Kind::Table,
        key: "Id",
        from: "GET /api/1/config/servers",
        doc: "Branches and whether they are connected, as a whole list.",
        contract: || &contracts::BRANCH,
    },
    FeedSpec {
        name: "ticket_source",
        kind: Kind::Table,
        key: "Id",
        from: "GET /api/1/config/ticketSources",
        doc: "What can create tickets, as a whole list.",
        contract: || &contracts::TICKET_SOURCE,
    },
    FeedSpec {
        name: "ticket",
        kind: Kind::Table,
        key: "branch Id/ticket Id",
        from: "GET /api/1/queue/statistics/tickets/history, or .../tickets of an old server",
        doc: "Tickets with their services: today, the past by backfill, and days with tickets that can still change.",
        contract: || &contracts::TICKET,
    },
    FeedSpec {
        name: "ticket_operation",
        kind: Kind::Log,
        key: "History Id",
        from: "the rows of `ticket`",
        doc: "Each step in the life of a service within a ticket, once.",
        contract: || &contracts::TICKET_OPERATION,
    },
];

/// Names of all feeds, for the setting `feeds`.
pub(crate) const NAMES: &[&str] = &["branch", "ticket_source", "ticket", "ticket_operation"];

/// All contracts of the connector.
pub(crate) fn all_contracts() -> [&'static Contract; 4] {
    [
        &contracts::BRANCH,
        &contracts::TICKET_SOURCE,
        &contracts::TICKET,
        &contracts::TICKET_OPERATION,
    ]
}
