//! What uses each row of the document's tables.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Map;
use talon_enter::EnterRest;
use talon_sdk::{Class, Command, Permit};
use talon_simulators::enter_rest::{Fault, FaultKind, Kind, Settings, TABLE};

use super::commands::prepared;
use super::hall::Hall;
use super::truth::{OF_BRANCH, OF_CENTRAL};

/// The rows, and what reads or sends each.
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
    ("GET operation/queue/count", "feed operator_queue, where the list is empty"),
    ("GET operation/personal/count", "feed personal_queue, where the list is empty"),
    ("GET operation/menu", "look of RedirectVisitor"),
    ("GET queue/load", "feed network_load"),
    ("GET queue/statistics/history", "feed service_indicator"),
    ("GET tickets/history/list", "feed ticket_history"),
    ("GET queue/admin/tickets/:ticketId", "looks of the hall's commands"),
    ("POST queue/admin/tickets/new", "NewTicket"),
    ("POST queue/admin/tickets/:ticketId/addProduct/:productId", "AddProduct"),
    ("POST queue/admin/tickets/:ticketId/:ticketProductId/cancel", "CancelProduct"),
    ("POST queue/admin/tickets/:ticketId/:ticketProductId/setPriority", "SetPriority"),
    ("POST queue/admin/redirect/users/:productId", "look of RedirectTicket"),
    ("POST queue/admin/redirect/workPlaces/:productId", "look of RedirectTicket"),
    ("POST queue/admin/redirect/:productId", "RedirectTicket"),
    ("POST booking/book/:date/:time", "Book"),
    ("GET booking/tickets", "look of Book"),
    ("GET booking/tickets/:ticketId", "looks of ConfirmBooking, CancelBooking"),
    ("POST booking/tickets/:ticketId/confirm", "ConfirmBooking"),
    ("POST booking/tickets/:ticketId/cancel", "CancelBooking"),
    ("GET /tickets/ticketpng/:ticketId/", "NewTicket and Book, with image"),
    ("POST operation/login/:login/:password", "ChangeUser"),
    ("POST operation/break/begin", "BeginBreak"),
    ("POST operation/break/end", "EndBreak"),
    ("POST operation/invite", "InviteNext"),
    ("POST operation/invite/:ticketProductId", "InviteTicket"),
    ("POST operation/start", "StartService"),
    ("POST operation/reject", "RejectVisitor"),
    ("POST operation/complete", "CompleteService"),
    ("POST operation/hold", "HoldVisitor"),
    ("POST operation/redirect/users/:menuLinkId", "look of RedirectVisitor"),
    ("POST operation/redirect/workPlaces/:menuLinkId", "look of RedirectVisitor"),
    ("POST operation/redirect/:menuLinkId", "RedirectVisitor"),
    ("POST survey/:clientId/begin", "BeginSurvey"),
    ("POST survey/:clientId/end", "EndSurvey"),
    ("POST survey/:clientId/answer", "AnswerSurvey"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_documents_table_is_used_by_something() {
    let listed: BTreeSet<&str> = USED.iter().map(|(row, _)| *row).collect();
    assert_eq!(listed, TABLE.iter().copied().collect(), "the table, and what uses it");
    assert_eq!(listed.len(), USED.len(), "no row is there twice");

    let mut asked: BTreeSet<String> = BTreeSet::new();
    for (kind, feeds) in [(Kind::Branch, &OF_BRANCH[..]), (Kind::Central, &OF_CENTRAL[..])] {
        let mut hall = Hall::open(Settings { kind, ..Settings::noisy() }, of_kind(kind)).await;
        // Lists of nobody are counted.
        hall.upstream.fault(Fault::from(FaultKind::EmptyList).at("GET operation/queue").times(4));
        let engine = hall.start();
        for feed in feeds.iter().filter(|feed| **feed != "menu_item") {
            hall.agrees(&[feed]).await;
        }
        if kind == Kind::Branch {
            hall.read_again(&["GET booking/menu"]).await;
        }
        assert!(engine.stop(Duration::from_secs(30)).await);
        carry(&hall).await;
        asked.extend(hall.upstream.requests().into_keys());
    }
    let used: BTreeSet<String> = USED.iter().map(|(row, _)| (*row).to_owned()).collect();
    assert_eq!(asked, used, "what was asked, and what the list says");
}

/// Settings of everything that a server of this kind has.
fn of_kind(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Central => &[],
        Kind::Branch => &[
            ("booking.menu", "true"),
            ("auth.booking.identity", "canary-identity"),
            ("auth.user.deputy.login", "operator05"),
            ("auth.user.deputy.password", "54321"),
            ("commands.unguarded", "true"),
        ],
    }
}

/// Carries each command that there is.
async fn carry(hall: &Hall) {
    let (_, connector) = hall.configured();
    let contract = (EnterRest.commands().unwrap().contract)();
    for spec in connector.commands() {
        let params = prepared(&hall.upstream, spec.name);
        let params = contract.params(spec.name).unwrap().read(&params).unwrap();
        let (id, expect) = (format!("carried-{}", spec.name), Map::new());
        let (key, user, expires_at_ms) = (String::new(), None, None);
        let command = Command { id, spec, key, params, expect, user, expires_at_ms };
        let applier = connector.applier().unwrap();
        let before = applier.look(&command).await.unwrap();
        let sent = applier.apply(&command, &before, &Permit::always()).await;
        assert!(sent.is_ok(), "{}: {sent:?}", spec.name);
    }
    connector.close().await;
}
