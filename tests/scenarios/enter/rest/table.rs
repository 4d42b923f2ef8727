//! What uses each row of the document's tables.

use std::collections::BTreeSet;
use std::time::Duration;

use talon_simulators::enter_rest::{Kind, Settings, TABLE};

use super::hall::Hall;
use super::truth::{OF_BRANCH, OF_CENTRAL};

/// The rows that are read or sent, and by what.
const USED: &[(&str, &str)] = &[
    ("GET notifications/:clientId", "feed board_call"),
    ("POST queue/admin/login/:login/:password", "sign-in of the hall"),
    ("GET queue/admin/tickets", "feed ticket"),
    ("GET queue/admin/booking", "feed booking"),
    ("GET config/products", "feed product"),
    ("GET config/products/simple", "feed product, categories"),
    ("GET config/menus", "feeds menu, menu_item"),
    ("GET config/menus/:menuId", "feed menu_item"),
    ("GET queue/awaiting", "feed awaiting"),
    ("GET config/servers", "feed branch"),
    ("GET booking/menu", "feed menu_item, with booking.menu"),
    ("GET booking/schedule/days", "feeds booking_day, booking_slot"),
    ("GET booking/schedule/days/:date", "feed booking_slot"),
    ("POST booking/login/:userIdentity", "sign-in of who books"),
    ("POST operation/identify/:clientId/:login/:password", "sign-in of an operator"),
    ("GET operation/state", "feed workplace"),
    ("POST operation/logout", "the end of an operator's session"),
    ("GET operation/queue", "feed operator_queue"),
    ("GET operation/personal", "feed personal_queue"),
    ("GET survey/:clientId/state", "feed survey"),
    ("GET queue/statistics", "feed queue_statistics"),
    ("GET queue/load", "feed network_load"),
];

/// The rows that nothing uses yet: those of commands, of what they look at, and of the feeds
/// `service_indicator` and `ticket_history`. It becomes shorter, never longer.
const NOT_YET: &[&str] = &[
    "GET queue/admin/tickets/:ticketId",
    "POST queue/admin/tickets/new",
    "POST queue/admin/tickets/:ticketId/addProduct/:productId",
    "POST queue/admin/tickets/:ticketId/:ticketProductId/cancel",
    "POST queue/admin/tickets/:ticketId/:ticketProductId/setPriority",
    "POST queue/admin/redirect/users/:productId",
    "POST queue/admin/redirect/workPlaces/:productId",
    "POST queue/admin/redirect/:productId",
    "POST booking/book/:date/:time",
    "GET booking/tickets",
    "GET booking/tickets/:ticketId",
    "POST booking/tickets/:ticketId/confirm",
    "POST booking/tickets/:ticketId/cancel",
    "GET /tickets/ticketpng/:ticketId/",
    "POST operation/login/:login/:password",
    "GET operation/queue/count",
    "GET operation/personal/count",
    "POST operation/break/begin",
    "POST operation/break/end",
    "POST operation/invite",
    "POST operation/invite/:ticketProductId",
    "POST operation/start",
    "POST operation/reject",
    "POST operation/complete",
    "POST operation/hold",
    "GET operation/menu",
    "POST operation/redirect/users/:menuLinkId",
    "POST operation/redirect/workPlaces/:menuLinkId",
    "POST operation/redirect/:menuLinkId",
    "POST survey/:clientId/begin",
    "POST survey/:clientId/end",
    "POST survey/:clientId/answer",
    "GET queue/statistics/history",
    "GET tickets/history/list",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_documents_table_is_used_by_something_or_listed_as_not_yet() {
    let listed: BTreeSet<&str> =
        USED.iter().map(|(row, _)| *row).chain(NOT_YET.iter().copied()).collect();
    assert_eq!(listed, TABLE.iter().copied().collect(), "the table and the two lists");
    assert_eq!(listed.len(), USED.len() + NOT_YET.len(), "no row is in both");

    let mut asked: BTreeSet<String> = BTreeSet::new();
    for (kind, feeds) in [(Kind::Branch, &OF_BRANCH[..]), (Kind::Central, &OF_CENTRAL[..])] {
        let mut hall =
            Hall::open(Settings { kind, ..Settings::noisy() }, &[("booking.menu", "true")]).await;
        let engine = hall.start();
        for feed in feeds.iter().filter(|feed| **feed != "menu_item") {
            hall.agrees(&[feed]).await;
        }
        if kind == Kind::Branch {
            hall.read_again(&["GET booking/menu"]).await;
        }
        assert!(engine.stop(Duration::from_secs(30)).await);
        asked.extend(hall.upstream.requests().into_keys());
    }
    let used: BTreeSet<String> = USED.iter().map(|(row, _)| (*row).to_owned()).collect();
    assert_eq!(asked, used, "what was asked, and what the list says");
}
