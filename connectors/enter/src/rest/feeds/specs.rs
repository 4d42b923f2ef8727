//! The feeds: what each is read from, and which server has it.

use talon_sdk::FeedSpec;

use crate::rest::contracts;

/// Which server it is; the two share paths, and most paths only one of them has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerKind {
    Branch,
    Central,
}

/// Whether a server has what a feed reads.
pub(crate) fn is_of(feed: &str, kind: ServerKind) -> bool {
    match feed {
        "queue_statistics" | "service_indicator" => true,
        "branch" | "network_load" => kind == ServerKind::Central,
        _ => kind == ServerKind::Branch,
    }
}

/// How often a feed is read where nothing else is configured, ms.
pub(crate) fn interval(feed: &str) -> &'static str {
    match feed {
        "board_call" | "workplace" | "operator_queue" | "personal_queue" => "1000",
        "ticket" | "survey" => "2000",
        "awaiting" | "queue_statistics" | "network_load" => "10000",
        "booking" | "booking_day" | "booking_slot" => "30000",
        "service_indicator" | "ticket_history" => "300000",
        _ => "60000",
    }
}

/// All feeds of the connector.
pub(crate) fn all() -> Vec<FeedSpec> {
    vec![
        FeedSpec::table("board_call", &contracts::BOARD_CALL)
            .by("board/ticket service id")
            .from("GET notifications/:clientId")
            .doc("Who is called and served now, as each of `boards` shows it. A call that is shorter than the interval is not seen."),
        FeedSpec::table("ticket", &contracts::TICKET)
            .by("Id")
            .from("GET queue/admin/tickets")
            .doc("The tickets of today with their services. The turn of the day deletes none."),
        FeedSpec::table("booking", &contracts::BOOKING)
            .by("Id")
            .from("GET queue/admin/booking")
            .doc("Booked tickets, day by day. One of a past day is not deleted."),
        FeedSpec::table("product", &contracts::PRODUCT)
            .by("Id")
            .from("GET config/products, GET config/products/simple")
            .doc("Services, and categories of services."),
        FeedSpec::table("menu", &contracts::MENU)
            .by("Id")
            .from("GET config/menus")
            .doc("Menus for choosing services."),
        FeedSpec::table("menu_item", &contracts::MENU_ITEM)
            .by("menu/item Id")
            .from("GET config/menus/:menuId")
            .doc("The items of all menus, with parent and place."),
        FeedSpec::table("branch", &contracts::BRANCH)
            .by("Id")
            .from("GET config/servers")
            .doc("The branches of a central server."),
        FeedSpec::table("awaiting", &contracts::AWAITING)
            .by("what the forecast is for")
            .from("GET queue/awaiting")
            .doc("How long visitors will wait."),
        FeedSpec::table("booking_day", &contracts::BOOKING_DAY)
            .by("product/date")
            .from("GET booking/schedule/days")
            .doc("The days on which each of `booking.products` can be booked. A past one is not deleted."),
        FeedSpec::table("booking_slot", &contracts::BOOKING_SLOT)
            .by("product/date/time")
            .from("GET booking/schedule/days/:date")
            .doc("The times at which each of `booking.products` can be booked in the next `booking.slot.days`. A past one is not deleted."),
        FeedSpec::table("workplace", &contracts::WORKPLACE)
            .by("workplace")
            .from("GET operation/state")
            .doc("Each of `workplaces` as it is now."),
        FeedSpec::table("operator_queue", &contracts::OPERATOR_QUEUE)
            .by("workplace/ticket service id")
            .from("GET operation/queue")
            .doc("Who waits for each of `workplaces`."),
        FeedSpec::table("personal_queue", &contracts::PERSONAL_QUEUE)
            .by("workplace/ticket service id")
            .from("GET operation/personal")
            .doc("Who is held for each of `workplaces`."),
        FeedSpec::table("survey", &contracts::SURVEY)
            .by("device")
            .from("GET survey/:clientId/state")
            .doc("Each of `surveys` as it is now, with the question that stands."),
        FeedSpec::table("queue_statistics", &contracts::QUEUE_STATISTICS)
            .by("server Id")
            .from("GET queue/statistics")
            .doc("The summary of the queue, or of each queue of a central server."),
        FeedSpec::table("network_load", &contracts::NETWORK_LOAD)
            .by("server Id")
            .from("GET queue/load")
            .doc("The summary of the whole network."),
        FeedSpec::log("service_indicator", &contracts::SERVICE_INDICATOR)
            .by("server/period/what")
            .from("GET queue/statistics/history")
            .doc("What was measured of the service on each day that is over, asked once a day."),
        FeedSpec::table("ticket_history", &contracts::TICKET_HISTORY)
            .by("Id")
            .from("GET tickets/history/list")
            .doc("Tickets of the past from `backfill.from` on, then those of today and what changed late; those that are done with included."),
    ]
}
