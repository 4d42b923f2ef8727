use talon_sdk::FeedSpec;

use crate::contracts;

/// All feeds of the connector; the books in the order of [`crate::books::BOOKS`].
pub(crate) fn all() -> Vec<FeedSpec> {
    vec![
        FeedSpec::table("operation", &contracts::OPERATION).by("id").from("operationList").doc("Operations that services are made of."),
        FeedSpec::table("service", &contracts::SERVICE).by("id").from("serviceList").doc("Services with their stages."),
        FeedSpec::table("ticket_range", &contracts::TICKET_RANGE).by("id").from("ticketRangeList").doc("Ranges of ticket numbers."),
        FeedSpec::table("workplace", &contracts::WORKPLACE).by("id").from("workplaceList").doc("Workplaces, and whom each serves."),
        FeedSpec::table("user_role", &contracts::USER_ROLE).by("id").from("userRoleList").doc("Roles of users."),
        FeedSpec::table("user", &contracts::USER).by("id").from("userList").doc("Users; password hashes never leave the process."),
        FeedSpec::table("qboard", &contracts::QBOARD).by("id").from("qBoardList").doc("LCD boards."),
        FeedSpec::table("scoreboard", &contracts::SCOREBOARD).by("id").from("scoreBoardList").doc("LED boards."),
        FeedSpec::table("registrator", &contracts::REGISTRATOR).by("id").from("registratorList").doc("Terminals that give out tickets."),
        FeedSpec::table("consumer", &contracts::CONSUMER).by("id").from("consumerList").doc("Visitors of the live queue, and what is done for them."),
        FeedSpec::table("consumer_preregistered", &contracts::CONSUMER_PREREGISTERED).by("id").from("consumerPreRegisteredList").doc("Visitors by appointment."),
        FeedSpec::table("queue", &contracts::QUEUE)
            .by("workplace/consumer id")
            .from("currentQueue")
            .doc("Who waits for each of `queue.workplaces`."),
        FeedSpec::log("operation_state", &contracts::OPERATION_STATE)
            .by("consumer/service/stage/operation/index")
            .from("statistics")
            .doc("Who served what, when, and how long: each state of each operation of each visitor."),
        FeedSpec::table("server_info", &contracts::SERVER_INFO)
            .by("`server`")
            .from("info")
            .doc("Versions of the server's modules; the licence's number never leaves the process."),
    ]
}
