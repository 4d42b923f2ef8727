//! The forms that the document leaves open.

use serde_json::json;
use talon_simulators::enter_rest::{Dates, ErrorForm, Groups, Names, Settings};

use super::hall::Hall;
use super::truth::OF_BRANCH;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_hall_is_read_whatever_forms_the_upstream_has() {
    let other = Settings {
        quoted_token: false,
        names: Names::New,
        numbers_as_text: true,
        dates: Dates::Offset,
        groups: Groups::Object,
        errors: ErrorForm::Html,
        date_form: "%d.%m.%Y".to_owned(),
        token_header: "Token".to_owned(),
        ..Settings::noisy()
    };
    let texts = [("date.form", "dd.MM.yyyy"), ("auth.token.header", "Token")];
    for (settings, texts) in [(Settings::noisy(), &[][..]), (other, &texts[..])] {
        let mut hall = Hall::open(settings, texts).await;
        let engine = hall.start();
        let feeds = ["ticket", "booking", "board_call", "operator_queue", "booking_day"];
        hall.agrees(&feeds).await;
        hall.agrees(&["booking_slot", "queue_statistics", "workplace", "survey"]).await;
        for ticket in hall.newest("ticket").values() {
            assert!(ticket["created_at"].as_i64().is_some(), "{ticket}");
            let service = &ticket["services"][0];
            assert!(service["name"].is_string() && service["product_id"].is_string(), "{service}");
            assert_eq!(service["fields"][0]["value"], "Канарейкин");
            assert_eq!(service["is_booked"], false);
            assert_eq!(service["priority"], 0);
            // All that is known is declared; what no document has is kept.
            assert_eq!(ticket["extra"].as_object().unwrap().len(), 2, "{}", ticket["extra"]);
            assert!(
                ticket["extra"]["Source"].is_string() && ticket["extra"]["extension"].is_string()
            );
        }
        drop(engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn menus_are_read_under_whatever_name_their_items_stand() {
    let settings = Settings { children: "Подпункты".to_owned(), ..Settings::noisy() };
    let texts = [("feeds", "menu,menu_item"), ("menu.children", "Items,Подпункты")];
    let mut hall = Hall::open(settings, &texts).await;
    let engine = hall.start();
    crate::hall::until("the items are there", || hall.newest("menu_item").len() == 16).await;
    let items = hall.newest("menu_item");
    let groups = items.values().filter(|item| item["parent_id"].is_null()).count();
    assert_eq!(groups, 4);
    let places =
        items.values().map(|item| item["place"].clone()).max_by_key(|place| place.as_i64());
    assert_eq!(places, Some(json!(2)));
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_a_still_hall_that_is_spelled_anew_at_each_read_changes_nothing() {
    let settings = Settings { noise: 1.0, ..Settings::noisy() };
    let mut hall = Hall::open(settings, &[]).await;
    let engine = hall.start();
    hall.agrees(&OF_BRANCH).await;
    for _ in 0..3 {
        hall.read_again(&["GET queue/admin/tickets", "GET operation/state", "GET config/products"])
            .await;
    }
    for feed in OF_BRANCH {
        for (key, history) in hall.histories(feed) {
            assert_eq!(history.len(), 1, "`{feed}` {key}: {history:?}");
        }
    }
    assert_eq!(hall.bus.records("t.queue.dlq").len(), 0);
    drop(engine);
}
