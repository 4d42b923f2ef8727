//! Tokens that are refused, and replies that are none.

use talon_simulators::enter_rest::{Fault, FaultKind, Settings};

use super::hall::Hall;
use crate::hall::{HOUR, until};

const LOGIN: &str = "POST queue/admin/login/:login/:password";
const IDENTIFY: &str = "POST operation/identify/:clientId/:login/:password";

#[tokio::test(flavor = "multi_thread")]
async fn each_account_signs_in_once_for_all_feeds_and_once_more_when_its_token_is_refused() {
    let mut hall = Hall::open(Settings::noisy(), &[]).await;
    let engine = hall.start();
    let feeds = ["ticket", "booking", "workplace", "operator_queue", "personal_queue"];
    hall.agrees(&feeds).await;
    let count = |row: &str| hall.upstream.requests()[row];
    assert_eq!((count(LOGIN), count(IDENTIFY)), (1, 4));
    hall.upstream.revoke();
    hall.pass(HOUR / 20);
    until("all have signed in anew", || count(LOGIN) >= 2 && count(IDENTIFY) >= 8).await;
    hall.agrees(&feeds).await;
    assert_eq!((count(LOGIN), count(IDENTIFY)), (2, 8));
    assert!(engine.stop(std::time::Duration::from_secs(30)).await);
    assert_eq!(count("POST operation/logout"), 4, "whoever comes next finds the workplaces free");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_not_tried_at_each_poll() {
    let texts = [("feeds", "ticket,booking,awaiting,board_call"), ("auth.admin.password", "wrong")];
    let mut hall = Hall::open(Settings::noisy(), &texts).await;
    let engine = hall.start();
    until("the password is refused", || hall.upstream.requests().contains_key(LOGIN)).await;
    // One of the feeds was refused by a request, the others without one; then the board is read on.
    let is_refused = |feed: &str| {
        let state = format!(
            "talon_component_state{{component=\"queue/{feed}\",state=\"misconfigured\"}} 1"
        );
        hall.metrics.text().contains(&state)
    };
    until("each feed is refused", || ["ticket", "booking", "awaiting"].into_iter().all(is_refused))
        .await;
    hall.read_again(&["GET notifications/:clientId"]).await;
    assert_eq!(hall.upstream.requests()[LOGIN], 1);
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_with_success_and_is_no_answer_changes_nothing() {
    let settings = Settings { operators_work: false, ..Settings::noisy() };
    let mut hall = Hall::open(settings, &[]).await;
    let engine = hall.start();
    let feeds = ["ticket", "booking", "product", "menu_item", "booking_day", "board_call"];
    let all = [&feeds[..], &["workplace", "queue_statistics", "awaiting", "survey"]].concat();
    hall.agrees(&all).await;
    let count = || hall.upstream.requests()["GET queue/admin/tickets"];
    let before: Vec<_> = all.iter().map(|feed| hall.newest(feed)).collect();
    for body in [r#"{"UserMessage":"Нет связи"}"#, "null", "<html></html>", "[{\"Id\""] {
        let other = FaultKind::OtherAnswer { body: body.to_owned() };
        hall.upstream.fault(Fault::from(other).at("GET "));
        let before = count();
        until("it was the answer", || count() > before).await;
        hall.upstream.faults().clear();
    }
    for kind in [FaultKind::Cut, FaultKind::HtmlError, FaultKind::Dropped] {
        hall.upstream.fault(Fault::from(kind).at("GET "));
        let before = count();
        until("it was the answer", || count() > before).await;
        hall.upstream.faults().clear();
    }
    hall.read_again(&["GET queue/admin/tickets", "GET config/products"]).await;
    hall.agrees(&all).await;
    let after: Vec<_> = all.iter().map(|feed| hall.newest(feed)).collect();
    assert_eq!(before, after);
    for feed in &all {
        assert_eq!(hall.deleted(feed), Vec::<String>::new(), "{feed}");
    }
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_cannot_be_read_holds_up_no_other_and_a_call_that_ends_leaves_its_board() {
    let texts = [("feeds", "board_call"), ("boards", "nowhere,board01")];
    let mut hall = Hall::open(Settings::noisy(), &texts).await;
    let engine = hall.start();
    let mut seen = 0;
    for _ in 0..20 {
        hall.pass(120_000);
        hall.agrees(&["board_call"]).await;
        seen += hall.newest("board_call").len();
    }
    assert!(seen > 0, "somebody was called");
    assert!(!hall.deleted("board_call").is_empty(), "and served");
    drop(engine);
}
