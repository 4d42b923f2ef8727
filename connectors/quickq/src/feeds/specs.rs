use talon_schemas::{Contract, quickq as contracts};
use talon_sdk::{FeedSpec, Kind};

const fn book(
    name: &'static str,
    from: &'static str,
    doc: &'static str,
    contract: fn() -> &'static Contract,
) -> FeedSpec {
    FeedSpec { name, kind: Kind::Table, key: "id", from, doc, contract }
}

/// All feeds of the connector; the books in the order of [`crate::books::BOOKS`].
pub(crate) static FEEDS: [FeedSpec; 14] = [
    book("operation", "operationList", "Operations that services are made of.", || {
        &contracts::OPERATION
    }),
    book("service", "serviceList", "Services with their stages.", || &contracts::SERVICE),
    book("ticket_range", "ticketRangeList", "Ranges of ticket numbers.", || {
        &contracts::TICKET_RANGE
    }),
    book("workplace", "workplaceList", "Workplaces, and whom each serves.", || {
        &contracts::WORKPLACE
    }),
    book("user_role", "userRoleList", "Roles of users.", || &contracts::USER_ROLE),
    book("user", "userList", "Users; password hashes never leave the process.", || {
        &contracts::USER
    }),
    book("qboard", "qBoardList", "LCD boards.", || &contracts::QBOARD),
    book("scoreboard", "scoreBoardList", "LED boards.", || &contracts::SCOREBOARD),
    book("registrator", "registratorList", "Terminals that give out tickets.", || {
        &contracts::REGISTRATOR
    }),
    book(
        "consumer",
        "consumerList",
        "Visitors of the live queue, and what is done for them.",
        || &contracts::CONSUMER,
    ),
    book("consumer_preregistered", "consumerPreRegisteredList", "Visitors by appointment.", || {
        &contracts::CONSUMER_PREREGISTERED
    }),
    FeedSpec {
        name: "queue",
        kind: Kind::Table,
        key: "workplace/consumer id",
        from: "currentQueue",
        doc: "Who waits for each of `queue.workplaces`.",
        contract: || &contracts::QUEUE,
    },
    FeedSpec {
        name: "operation_state",
        kind: Kind::Log,
        key: "consumer/service/stage/operation/index",
        from: "statistics",
        doc: "Who served what, when, and how long: each state of each operation of each visitor.",
        contract: || &contracts::OPERATION_STATE,
    },
    FeedSpec {
        name: "server_info",
        kind: Kind::Table,
        key: "`server`",
        from: "info",
        doc: "Versions of the server's modules; the licence's number never leaves the process.",
        contract: || &contracts::SERVER_INFO,
    },
];

/// Names of all feeds, for the setting `feeds`.
pub(crate) const NAMES: &[&str] = &[
    "operation",
    "service",
    "ticket_range",
    "workplace",
    "user_role",
    "user",
    "qboard",
    "scoreboard",
    "registrator",
    "consumer",
    "consumer_preregistered",
    "queue",
    "operation_state",
    "server_info",
];
