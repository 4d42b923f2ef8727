//! What must be seen nowhere: credentials, tokens, and the PIN of a booking.

use talon_brokers::unique;
use talon_enter::EnterRest;
use talon_sdk::Class;
use talon_simulators::enter_rest::{Fault, FaultKind, Settings, Simulator};

use super::hall::Hall;
use super::topics::configuration;
use crate::support::consumer::read;
use crate::support::{On, Talon, until};

/// Each needs to be encoded in a path.
const LOGIN: &str = "кенар/login?";
const PASSWORD: &str = "кенар%2F#pass/word";

fn settings() -> Settings {
    Settings {
        hall: (LOGIN.to_owned(), PASSWORD.to_owned()),
        operator_password: format!("{PASSWORD}&operator"),
        ..Settings::noisy()
    }
}

async fn nothing_secret_is_seen(on: On, test: &str) {
    let Some(address) = on.shared(test) else { return };
    let upstream = Simulator::start(settings()).await.unwrap();
    let prefix = unique("discreet");
    // A row that goes to the dead letters, tokens that are refused, replies that are none.
    upstream.fault(Fault::from(FaultKind::UndecodableRow).at("GET queue/admin/tickets").times(3));
    upstream.fault(Fault::from(FaultKind::UndecodableRow).at("GET operation/queue").times(3));
    let status = FaultKind::Status { code: 500, retry_after_seconds: None };
    upstream.fault(Fault::from(status).at("POST queue/admin/login").times(2));
    upstream.fault(Fault::from(FaultKind::Dropped).at("POST operation/identify").times(2));
    let refused = FaultKind::Status { code: 401, retry_after_seconds: None };
    upstream.fault(Fault::from(refused).at("GET queue/admin/booking").times(2));
    let mut talon = Talon::run_logging(&configuration(&prefix, address, &upstream), "trace");
    let dead = || read(address, &format!("{prefix}.hall.dlq"));
    until("rows are put aside", async || !dead().is_empty()).await;
    until("bookings are there", async || {
        !read(address, &format!("{prefix}.hall.booking")).is_empty()
    })
    .await;
    upstream.revoke();
    until("somebody signed in anew", async || {
        upstream.requests()["POST operation/identify/:clientId/:login/:password"] > 6
    })
    .await;

    let mut shown = vec![talon.log()];
    let encoded = "%D0%BA%D0%B5%D0%BD%D0%B0%D1%80";
    let feeds = EnterRest.feeds();
    for topic in feeds.iter().map(|spec| &*spec.name).chain(["dlq"]) {
        for record in read(address, &format!("{prefix}.hall.{topic}")) {
            let value = record.value.unwrap_or_default();
            shown.push(format!("{:?} {}", record.headers, String::from_utf8_lossy(&value)));
        }
    }
    shown.push(talon.get("/metrics").await.1);
    shown.push(talon.get("/").await.1);
    for text in &shown {
        for secret in ["кенар", encoded, "pin-", "%2F%23"] {
            assert!(!text.contains(secret), "`{secret}` is in {text}");
        }
    }
    assert!(talon.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_8_credentials_and_pins_are_in_no_log_no_page_and_no_record_on_kafka() {
    nothing_secret_is_seen(On::Kafka, "rest_discreet_kafka").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_8_credentials_and_pins_are_in_no_log_no_page_and_no_record_on_nats() {
    nothing_secret_is_seen(On::Nats, "rest_discreet_nats").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_code_is_on_the_topic_only_where_it_is_asked_for() {
    for (setting, policy, is_shown) in
        [("true", "keep", true), ("true", "drop", false), ("false", "keep", false)]
    {
        let texts =
            [("pin.code", setting), ("pii.policy.pin_code", policy), ("feeds", "ticket,booking")];
        let mut hall = Hall::open(settings(), &texts).await;
        let engine = hall.start();
        hall.agrees(&["ticket", "booking"]).await;
        for feed in ["ticket", "booking"] {
            let all = hall.newest(feed);
            assert!(!all.is_empty());
            for one in all.values() {
                assert_eq!(one["pin_code"].is_string(), is_shown, "{setting} {policy}: {one}");
                assert_eq!(one.to_string().contains("pin-"), is_shown, "{one}");
            }
        }
        drop(engine);
    }
}
